//! The models that are measured: three sizes, each in GPT-2's layout and in Qwen3's.

use crate::error::Result;
use engine::micro_batch;
use model::{Config, Decoder, Mode, decoder};
use train::micro_tokens;

/// A model to measure.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Its name here.
    pub name: &'static str,
    preset: &'static str,
    sets: &'static [&'static str],
    /// V.
    pub vocabulary: usize,
    /// Whether it is measured without being asked for.
    pub by_default: bool,
}

const fn gpt2(
    name: &'static str,
    preset: &'static str,
    sets: &'static [&'static str],
    vocabulary: usize,
) -> Model {
    Model {
        name,
        preset,
        sets,
        vocabulary,
        by_default: true,
    }
}

/// Every model, the smallest first.
pub const MODELS: [Model; 9] = [
    Model {
        by_default: false,
        ..gpt2("tiny", "tiny", &["train.batch=2"], 65)
    },
    gpt2("S", "gpt2-cpu", &[], 65),
    gpt2("M", "gpt2-char", &["model.dropout=0", "train.batch=8"], 65),
    gpt2(
        "M64",
        "gpt2-char",
        &["model.dropout=0", "train.batch=64"],
        65,
    ),
    gpt2(
        "L",
        "gpt2-124m",
        &["model.context=256", "train.batch=4"],
        50_304,
    ),
    gpt2(
        "S-qwen3",
        "gpt2-cpu",
        &["model.family=qwen3", "model.kv_heads=2"],
        65,
    ),
    gpt2(
        "M-qwen3",
        "gpt2-char",
        &[
            "model.family=qwen3",
            "model.kv_heads=3",
            "model.dropout=0",
            "train.batch=8",
        ],
        65,
    ),
    gpt2(
        "M64-qwen3",
        "gpt2-char",
        &[
            "model.family=qwen3",
            "model.kv_heads=3",
            "model.dropout=0",
            "train.batch=64",
        ],
        65,
    ),
    gpt2(
        "L-qwen3",
        "gpt2-124m",
        &[
            "model.family=qwen3",
            "model.kv_heads=4",
            "model.context=256",
            "train.batch=4",
        ],
        50_304,
    ),
];

/// A model's training step, recorded.
pub struct Recorded {
    /// Its config.
    pub config: Config,
    /// The recording.
    pub decoder: Decoder,
    /// Micro-batches of a step.
    pub micros: usize,
}

impl Model {
    /// Its config.
    ///
    /// # Errors
    /// Where the config is refused.
    pub fn config(&self) -> Result<Config> {
        let sets: Vec<String> = self.sets.iter().map(|&s| s.to_owned()).collect();
        Ok(Config::load(Some(self.preset), None, &sets)?)
    }

    /// Records its training step as the trainer does.
    ///
    /// # Errors
    /// Where the config is refused.
    pub fn record(&self) -> Result<Recorded> {
        let config = self.config()?;
        let (shape, batch) = (config.shape(), config.train.batch);
        let sequences = micro_batch(batch, shape.context, micro_tokens(self.vocabulary));
        let of = (sequences, shape.context);
        Ok(Recorded {
            decoder: decoder(&shape, self.vocabulary, of, Mode::Train)?,
            micros: batch / sequences,
            config,
        })
    }
}
