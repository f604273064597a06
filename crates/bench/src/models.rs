//! The benchmark models: three sizes, each as GPT-2 and as Qwen3.

use crate::error::Result;
use model::{Config, Training};

/// A model to measure.
#[derive(Debug, Clone, Copy)]
pub struct BenchModel {
    /// Its name in this crate.
    pub name: &'static str,
    preset: &'static str,
    sets: &'static [&'static str],
    /// Vocabulary size.
    pub vocabulary: usize,
    /// Whether it is measured by default.
    pub by_default: bool,
}

const fn gpt2(
    name: &'static str,
    preset: &'static str,
    sets: &'static [&'static str],
    vocabulary: usize,
) -> BenchModel {
    BenchModel {
        name,
        preset,
        sets,
        vocabulary,
        by_default: true,
    }
}

/// All models, smallest first.
pub const MODELS: [BenchModel; 9] = [
    BenchModel {
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

impl BenchModel {
    /// Its config.
    ///
    /// # Errors
    /// If the config is invalid.
    pub fn config(&self) -> Result<Config> {
        let sets: Vec<String> = self.sets.iter().map(|&s| s.to_owned()).collect();
        Ok(Config::load(Some(self.preset), None, &sets)?)
    }

    /// Its config and its training step, recorded as in the trainer.
    ///
    /// # Errors
    /// If the config is invalid.
    pub fn record(&self) -> Result<(Config, Training)> {
        let config = self.config()?;
        let training = Training::record(&config, self.vocabulary)?;
        Ok((config, training))
    }
}
