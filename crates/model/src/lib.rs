//! What a language model is: its config and its files.
#![forbid(unsafe_code)]

mod config;
pub mod hugging_face;

pub use config::{
    CheckpointConfig, Config, ConfigError, ConfigKey, DataConfig, Difference, EvalConfig, Family,
    Mistake, Mlp, ModelConfig, ModelShape, Norm, OptimConfig, Optimizer, Position, Precision,
    SampleConfig, Schedule, Tokenizer, TrainConfig,
};
