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
mod state;
mod task;
mod trainer;

pub use corpus::{Corpus, TextSource, prepare, tokens_of};
pub use error::{Error, Result};
pub use language::LanguageTask;
pub use saved::{Settings, check_unchanged};
pub use schedule::rate;
pub use task::{Measured, Recording, Task};
pub use trainer::{Outcome, Trainer, TrainerSettings};
