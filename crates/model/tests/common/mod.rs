//! Helpers shared by the tests of whole models: small shapes of the three families, and running
//! them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses some of it; a test may panic"
)]

use engine::{
    Adam, Device, Field, Graph, Host, HostMut, Optimizer, Plan, Precision, Purpose, RandomPurpose,
    Ready, Scalars, Stream, ValueId,
};
use model::{Config, Decoder, Mode, ModelConfig, decoder};
use std::sync::Arc;

/// Every family.
pub const FAMILIES: [&str; 3] = ["gpt2", "llama", "qwen3"];

/// AdamW with clipping.
pub fn adamw() -> Optimizer {
    let adam = Adam {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        decoupled: true,
    };
    Optimizer::uniform(adam, 0.1, Some(1.0))
}

/// A family's shape with some keys of the model set; `sets` are `key=value` with commas between.
pub fn shape(family: &str, sets: &str) -> ModelConfig {
    let mut all = vec![format!("model.family={family}")];
    all.extend(sets.split(',').map(|set| format!("model.{set}")));
    Config::load(None, None, &all).unwrap().model
}

/// Number of key and value heads for a family; there are four query heads.
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
    decoder: Decoder,
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
        Arc::get_mut(&mut d.graph).unwrap().keep(d.logits);
        Recorded {
            graph: d.graph.clone(),
            logits: d.logits,
            cost: d.cost.unwrap().0,
            decoder: d,
            sequences,
            time,
            micros,
            vocabulary,
        }
    }

    /// Tokens per step.
    pub fn rows(&self) -> usize {
        self.micros * self.sequences * self.time
    }

    /// The position of a pass in a run.
    pub fn scalars(&self, step: u64, rate: f64) -> Scalars {
        Scalars {
            seed: 7,
            step,
            rate,
            loss_weight: 1.0 / self.rows() as f64,
        }
    }

    /// A new store with these weights.
    pub fn fill(&self, device: &mut dyn Device, weights: &[(String, Vec<f32>)]) {
        let variables = self.graph.variables();
        device.create(variables, Some(&adamw())).unwrap();
        for (name, numbers) in weights {
            let host = Host::Real(numbers);
            device.write_variable(name, Field::Weight, host).unwrap();
        }
    }

    /// Prepares a plan.
    pub fn prepare(&self, device: &mut dyn Device, purpose: Purpose) -> Ready {
        self.prepare_in(device, purpose, Precision::F32)
    }

    /// Prepares a plan with products in this precision.
    pub fn prepare_in(
        &self,
        device: &mut dyn Device,
        purpose: Purpose,
        precision: Precision,
    ) -> Ready {
        let plan = Plan::new(self.graph.clone(), self.micros, purpose).unwrap();
        device.prepare(plan.in_precision(precision)).unwrap()
    }

    /// Writes a batch.
    pub fn feed(&self, device: &mut dyn Device, ready: Ready, inputs: &[u32], targets: &[u32]) {
        self.decoder.fill(device, ready, inputs, targets).unwrap();
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

    /// One field of all parameters, concatenated.
    pub fn stored(&self, device: &dyn Device, field: Field) -> Vec<f64> {
        let mut all = Vec::new();
        for variable in self.graph.variables().iter().filter(|v| v.is_parameter()) {
            let mut numbers = vec![0.0; variable.len()];
            let host = HostMut::Double(&mut numbers);
            device.read_variable(&variable.name, field, host).unwrap();
            all.extend(numbers);
        }
        all
    }

    /// Weights large enough for every part of the model to matter.
    pub fn weights(&self, seed: u64) -> Vec<(String, Vec<f32>)> {
        let mut random = Stream::new(seed, RandomPurpose::Check, 8);
        let drawn = self.graph.variables().iter().map(|v| {
            let middle = if v.shape.len() == 1 { 1.0 } else { 0.0 };
            let mut draw = || (middle + 0.3 * random.normal()) as f32;
            (v.name.clone(), (0..v.len()).map(|_| draw()).collect())
        });
        drawn.collect()
    }
}
