//! A training step, recorded as micro-batches whose size depends on the shape alone.

use crate::config::Config;
use crate::decoder::decoder;
use crate::recorded::{Decoder, Mode};
use engine::{Device, Error, Plan, Purpose, Ready, UNCOUNTED, micro_batch};

/// The most tokens in a micro-batch: keeps a layer's activations close to the cache size and limits
/// memory for any batch size. A constant, so that the bits don't depend on the machine.
const MICRO_TOKENS: usize = 2048;

/// The most logits in a micro-batch: they, and then in their place their gradient, take 256 MiB.
const MICRO_LOGITS: usize = 1 << 26;

/// The most tokens in a micro-batch for this vocabulary: a function of the shape alone.
pub fn micro_tokens(vocabulary: usize) -> usize {
    MICRO_TOKENS.min(MICRO_LOGITS / vocabulary.max(1))
}

/// A training step of a language model, recorded.
pub struct Training {
    /// One micro-batch.
    pub decoder: Decoder,
    /// Sequences of a micro-batch.
    pub sequences: usize,
    /// Micro-batches of a step; the last may have fewer sequences that count.
    pub micros: usize,
    /// 1 / number of targets in the whole step.
    pub loss_weight: f64,
}

impl Training {
    /// Records the step of a config for a vocabulary.
    ///
    /// # Errors
    /// If the model's numbers don't fit together.
    pub fn record(config: &Config, vocabulary: usize) -> Result<Training, Error> {
        let (batch, time) = (config.train.batch, config.model.context);
        let sequences = micro_batch(batch, time, micro_tokens(vocabulary));
        let mode = match config.train.members {
            1 => Mode::Train,
            members => Mode::Distill(members),
        };
        Ok(Training {
            decoder: decoder(&config.model, vocabulary, (sequences, time), mode)?,
            sequences,
            micros: batch.div_ceil(sequences),
            loss_weight: 1.0 / (batch * time) as f64,
        })
    }

    /// Writes a batch [B·T]: tokens and targets. What is missing in the last micro-batch is filled
    /// up with tokens that don't count.
    ///
    /// # Errors
    /// If the device fails.
    pub fn fill(
        &self,
        device: &mut dyn Device,
        ready: Ready,
        tokens: &[u32],
        targets: &[u32],
    ) -> Result<(), Error> {
        let rows = self.micros * self.sequences * self.decoder.time;
        let filled = |numbers: &[u32], with: u32| {
            let mut numbers = numbers.to_vec();
            numbers.resize(rows, with);
            numbers
        };
        let (tokens, targets) = (filled(tokens, 0), filled(targets, UNCOUNTED));
        self.decoder.fill(device, ready, &tokens, &targets)
    }

    /// Plans the whole step, with the config's optimizer and precision.
    ///
    /// # Errors
    /// If the memory can't be computed.
    pub fn plan(&self, config: &Config) -> Result<Plan, Error> {
        let purpose = Purpose::Train(config.optimizer());
        let plan = Plan::new(self.decoder.graph.clone(), self.micros, purpose)?;
        Ok(plan.in_precision(config.train.precision.of_products()))
    }
}
