//! What the tests of whole models share: small shapes of the three families, and running them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses some of it; a test may panic"
)]

use engine::{
    Device, Graph, Host, HostMut, Optimiser, Part, Plan, Precision, Purpose, RandomPurpose, Ready,
    Rule, Scalars, Stream, ValueId,
};
use model::{Config, Mode, ModelConfig, decoder};
use std::sync::Arc;

/// Every family.
pub const FAMILIES: [&str; 3] = ["gpt2", "llama", "qwen3"];

/// AdamW with clipping.
pub const ADAMW: Optimiser = Optimiser {
    rule: Rule::Adam {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        decoupled: true,
    },
    weight_decay: 0.1,
    clip: Some(1.0),
};

/// A family's shape with some keys of the model set; `sets` are `key=value` with commas between.
pub fn shape(family: &str, sets: &str) -> ModelConfig {
    let mut all = vec![format!("model.family={family}")];
    all.extend(sets.split(',').map(|set| format!("model.{set}")));
    Config::load(None, None, &all).unwrap().model
}

/// Heads of keys and values for a family, where queries have four.
pub fn shared(family: &str) -> usize {
    if family == "gpt2" { 4 } else { 2 }
}

/// `count` made-up tokens.
pub fn tokens(count: usize, vocabulary: usize, seed: u64) -> Vec<u32> {
    let mut random = Stream::new(seed, RandomPurpose::Check, 9);
    (0..count)
        .map(|_| random.below(vocabulary) as u32)
        .collect()
}

/// A recorded decoder.
pub struct Recorded {
    pub graph: Arc<Graph>,
    pub logits: ValueId,
    tokens: ValueId,
    positions: Option<ValueId>,
    targets: ValueId,
    cost: ValueId,
    sequences: usize,
    time: usize,
    micros: usize,
    vocabulary: usize,
}

impl Recorded {
    /// A decoder for `micros` micro-batches of `sequences` sequences of `time` tokens; logits are
    /// held.
    pub fn new(
        shape: &ModelConfig,
        vocabulary: usize,
        (micros, sequences, time): (usize, usize, usize),
        mode: Mode,
    ) -> Recorded {
        let mut d = decoder(shape, vocabulary, (sequences, time), mode).unwrap();
        d.graph.keep(d.logits);
        Recorded {
            graph: Arc::new(d.graph),
            logits: d.logits,
            tokens: d.tokens,
            positions: d.positions,
            targets: d.targets.unwrap(),
            cost: d.cost.unwrap().0,
            sequences,
            time,
            micros,
            vocabulary,
        }
    }

    /// Tokens in a step.
    pub fn rows(&self) -> usize {
        self.micros * self.sequences * self.time
    }

    /// Where a run stands at a step.
    pub fn scalars(&self, step: u64, rate: f64) -> Scalars {
        Scalars {
            seed: 7,
            step,
            rate,
            position: 0,
            loss_weight: 1.0 / self.rows() as f64,
        }
    }

    /// A new store with these weights.
    pub fn fill(&self, device: &mut dyn Device, weights: &[(String, Vec<f32>)]) {
        device.create(&self.graph.rows, Some(ADAMW)).unwrap();
        for (name, numbers) in weights {
            let host = Host::Real(numbers);
            device.write_row(name, Part::Weight, host).unwrap();
        }
    }

    /// Makes a plan ready.
    pub fn prepare(&self, device: &mut dyn Device, purpose: Purpose) -> Ready {
        self.prepare_in(device, purpose, Precision::F32)
    }

    /// Makes a plan ready with products in this precision.
    pub fn prepare_in(
        &self,
        device: &mut dyn Device,
        purpose: Purpose,
        precision: Precision,
    ) -> Ready {
        let plan = Plan::new(&self.graph, self.micros, purpose).unwrap();
        let plan = plan.in_precision(precision);
        device.prepare(self.graph.clone(), plan).unwrap()
    }

    /// Writes a batch.
    pub fn feed(&self, device: &mut dyn Device, ready: Ready, inputs: &[u32], targets: &[u32]) {
        let mut write = |v, tokens: &[u32]| device.write(ready, v, Host::Tokens(tokens)).unwrap();
        write(self.tokens, inputs);
        write(self.targets, targets);
        if let Some(positions) = self.positions {
            let at = |i: usize| (i % self.time) as u32;
            let all: Vec<u32> = (0..self.rows()).map(at).collect();
            write(positions, &all);
        }
    }

    /// Cost of the last run: the shares of all micro-batches.
    pub fn cost(&self, device: &dyn Device, ready: Ready) -> f64 {
        let mut shares = vec![0.0; self.micros];
        let host = HostMut::Double(&mut shares);
        device.read(ready, self.cost, host).unwrap();
        shares.iter().sum()
    }

    /// Logits of the last run.
    pub fn logits(&self, device: &dyn Device, ready: Ready) -> Vec<f64> {
        let mut logits = vec![0.0; self.rows() * self.vocabulary];
        let host = HostMut::Double(&mut logits);
        device.read(ready, self.logits, host).unwrap();
        logits
    }

    /// One part of all parameters, row after row.
    pub fn stored(&self, device: &dyn Device, part: Part) -> Vec<f64> {
        let mut all = Vec::new();
        for row in &self.graph.rows {
            let mut numbers = vec![0.0; row.len()];
            let host = HostMut::Double(&mut numbers);
            device.read_row(&row.name, part, host).unwrap();
            all.extend(numbers);
        }
        all
    }

    /// Weights large enough for every part of the model to matter.
    pub fn weights(&self, seed: u64) -> Vec<(String, Vec<f32>)> {
        let mut random = Stream::new(seed, RandomPurpose::Check, 8);
        let rows = self.graph.rows.iter().map(|row| {
            let middle = if row.shape.len() == 1 { 1.0 } else { 0.0 };
            let mut draw = || (middle + 0.3 * random.normal()) as f32;
            (row.name.clone(), (0..row.len()).map(|_| draw()).collect())
        });
        rows.collect()
    }
}
