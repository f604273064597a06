//! How well does a model predict a text? One deterministic pass over all of it.

use crate::error::Result;
use engine::{Device, Host, HostMut, Plan, Purpose, Ready, Scalars};
use model::{Decoder, Mode, ModelConfig, decoder};
use std::sync::Arc;
use text::Tokenizer;

/// Tokens that are scored at once.
const AT_ONCE: usize = 2048;

/// The sum over a text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Nats in all.
    pub nats: f64,
    /// Tokens predicted: all but the first of the text.
    pub tokens: u64,
    /// Raw bytes that they stand for.
    pub bytes: u64,
}

impl Score {
    /// Mean cross-entropy.
    pub fn nats_per_token(&self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// Mean cost in bits of a byte of text.
    pub fn bits_per_byte(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.bytes as f64
    }
}

struct Prepared {
    ready: Ready,
    sequences: usize,
    time: usize,
    decoder: Decoder,
}

/// Scores texts with the model in a device's store; keeps its plans.
pub struct Scorer {
    shape: ModelConfig,
    vocabulary: usize,
    prepared: Vec<Prepared>,
}

impl Scorer {
    /// A scorer of models of this shape.
    pub fn new(shape: ModelConfig, vocabulary: usize) -> Scorer {
        Scorer {
            shape,
            vocabulary,
            prepared: Vec::new(),
        }
    }

    fn plan(
        &mut self,
        device: &mut dyn Device,
        sequences: usize,
        time: usize,
    ) -> Result<&Prepared> {
        let same = |p: &Prepared| p.sequences == sequences && p.time == time;
        if let Some(at) = self.prepared.iter().position(same) {
            return Ok(&self.prepared[at]);
        }
        let mut decoder = decoder(&self.shape, self.vocabulary, (sequences, time), Mode::Score)?;
        let plan = Plan::new(&decoder.graph, 1, Purpose::Infer)?;
        let graph = std::mem::take(&mut decoder.graph);
        let ready = device.prepare(Arc::new(graph), plan)?;
        self.prepared.push(Prepared {
            ready,
            sequences,
            time,
            decoder,
        });
        Ok(&self.prepared[self.prepared.len() - 1])
    }

    /// Nats of each token but the first, by non-overlapping windows of one context; a part shorter
    /// than a window is scored as a short one.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn nats(&mut self, device: &mut dyn Device, tokens: &[u32]) -> Result<Vec<f32>> {
        let time = self.shape.context;
        let predicted = tokens.len().saturating_sub(1);
        let whole = predicted / time;
        let most = (AT_ONCE / time).max(1).min(whole.max(1));
        let mut nats = Vec::with_capacity(predicted);
        while nats.len() < whole * time {
            let from = nats.len();
            let windows = most.min(whole - from / time);
            // A last batch that is not full is filled with what was scored before.
            let from = if windows < most {
                (whole - most) * time
            } else {
                from
            };
            let all = self.score(device, tokens, from, (most, time))?;
            nats.truncate(from);
            nats.extend(all);
        }
        let rest = predicted - nats.len();
        if rest > 0 {
            let from = nats.len();
            nats.extend(self.score(device, tokens, from, (1, rest))?);
        }
        Ok(nats)
    }

    fn score(
        &mut self,
        device: &mut dyn Device,
        tokens: &[u32],
        from: usize,
        (sequences, time): (usize, usize),
    ) -> Result<Vec<f32>> {
        let p = self.plan(device, sequences, time)?;
        let rows = sequences * time;
        device.write(
            p.ready,
            p.decoder.tokens,
            Host::Tokens(&tokens[from..from + rows]),
        )?;
        if let Some(positions) = p.decoder.positions {
            let at: Vec<u32> = (0..rows).map(|i| (i % time) as u32).collect();
            device.write(p.ready, positions, Host::Tokens(&at))?;
        }
        let mut nats = vec![0.0; rows];
        if let (Some(targets), Some((_, each))) = (p.decoder.targets, p.decoder.cost) {
            let next = &tokens[from + 1..from + 1 + rows];
            device.write(p.ready, targets, Host::Tokens(next))?;
            let scalars = Scalars {
                seed: 0,
                step: 0,
                rate: 0.0,
                position: 0,
                loss_weight: 1.0 / rows as f64,
            };
            device.run(p.ready, &scalars)?;
            device.read(p.ready, each, HostMut::Real(&mut nats))?;
        }
        Ok(nats)
    }

    /// The sum over a text.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn score_text(
        &mut self,
        device: &mut dyn Device,
        tokenizer: &Tokenizer,
        tokens: &[u32],
    ) -> Result<Score> {
        let nats = self.nats(device, tokens)?;
        let bytes = tokens
            .iter()
            .skip(1)
            .map(|&t| tokenizer.token_bytes(t) as u64);
        Ok(Score {
            nats: nats.iter().map(|&n| f64::from(n)).sum(),
            tokens: nats.len() as u64,
            bytes: bytes.sum(),
        })
    }
}
