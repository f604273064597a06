//! Training: one trainer for every task, and the task of a language model.
//!
//! ```text
//! Corpus ─▶ LanguageTask ─▶ Trainer ─▶ events, checkpoints
//! ```
//!
//! Begin with `task` (what the trainer asks of whatever is learned), then `trainer` (the loop),
//! `language` (the task of a language model) and `cadence` (after which steps something is
//! measured, shown or saved).
//!
//! What always holds: the trainer knows no screen and no command line, it emits events; a run that
//! was interrupted and resumed ends with the same bits as one that was not; a step that isn't
//! finite is never applied.
#![forbid(unsafe_code)]

mod average;
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
