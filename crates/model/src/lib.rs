//! What a language model is: its config, the decoder, its first weights and its files.
//!
//! Begin with `decoder` (one function records the model for everything), then `config` and
//! `default.toml` (every setting, declared once). What always holds: a default model is one that
//! `transformers` and llama.cpp load unchanged; families differ by values, never by names.
#![forbid(unsafe_code)]

mod config;
mod decoder;
pub mod hugging_face;
mod init;
mod recorded;
mod tensors;
mod training;

pub use config::{
    CheckpointConfig, Config, ConfigError, ConfigKey, DataConfig, Difference, EvalConfig, Family,
    Mistake, Mlp, ModelConfig, Norm, OptimConfig, OptimizerName, Position, PrecisionSetting,
    SampleConfig, Schedule, TrainConfig,
};
pub use decoder::decoder;
pub use init::initialize;
pub use recorded::{Decoder, Mode};
pub use tensors::{TensorFiles, TensorInput, TensorOutput, write_tensors};
pub use training::{Training, micro_tokens};
