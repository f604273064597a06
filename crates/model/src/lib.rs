//! What a language model is: its config, the decoder, its first weights, its files, and how it
//! writes.
#![forbid(unsafe_code)]

mod config;
mod decoder;
mod generate;
pub mod hugging_face;
mod init;

pub use config::{
    CheckpointConfig, Config, ConfigError, ConfigKey, DataConfig, Difference, EvalConfig, Family,
    Mistake, Mlp, ModelConfig, Norm, OptimConfig, Optimizer, Position, Precision, SampleConfig,
    Schedule, TrainConfig,
};
pub use decoder::{Decoder, Mode, decoder};
pub use generate::{Draw, Generator};
pub use init::initialise;
