//! A language model: its config, the decoder, its initial weights and its files.
//!
//! Start with `decoder` (one function records the model for every use), then `config` and
//! `default.toml` (every setting, declared once). Invariants: `transformers` and llama.cpp load a
//! default model unchanged; the code compares values, never family names.
#![forbid(unsafe_code)]

mod config;
mod decoder;
pub mod gguf;
pub mod hugging_face;
mod init;
mod pace;
mod recorded;
mod tensors;
mod training;

pub use config::{
    CheckpointConfig, Config, ConfigError, ConfigKey, DataConfig, Difference, EvalConfig, Family,
    Mistake, Mlp, ModelConfig, Norm, OptimConfig, OptimizerName, Position, PrecisionSetting,
    SampleConfig, Schedule, TrainConfig,
};
pub use decoder::decoder;
pub use decoder::readout::{Readout, readout};
pub use decoder::teachers::taught_by;
pub use init::initialize;
pub use pace::Pace;
pub use recorded::{Decoder, Mode};
pub use tensors::{TensorFiles, TensorInput, TensorOutput, write_tensors};
pub use training::{Training, micro_tokens};
