//! Training: one trainer for every task, and the task of a language model.
#![forbid(unsafe_code)]

mod cadence;
mod corpus;
mod error;
mod ladder;
mod language;
mod probe;
mod profile;
mod saved;
mod schedule;
mod scorer;
mod state;
mod task;
mod trainer;
mod write;

pub use corpus::{Corpus, Source, prepare, tokens_of};
pub use error::{Error, Result};
pub use language::{LanguageTask, micro_tokens};
pub use saved::{SavedModel, Settings, check_same_text, check_unchanged, tokenizer};
pub use schedule::rate;
pub use scorer::{Score, Scorer};
pub use task::{Measured, Recording, Task};
pub use trainer::{Outcome, Trainer, TrainerSettings, optimiser};
pub use write::{begin, write_text};
