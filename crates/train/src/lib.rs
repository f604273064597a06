//! Training: one trainer for all tasks, and the language-modeling task.
//!
//! ```text
//! Corpus ─▶ LanguageTask ─▶ Trainer ─▶ events, checkpoints
//! ```
//!
//! Start with `task` (the interface between trainer and task), then `trainer` (the loop),
//! `language` (language modeling) and `cadence` (after which steps the model is evaluated, sampled
//! or saved).
//!
//! Invariants: the trainer emits events and knows nothing of the screen or the command line; a run
//! that was interrupted and resumed ends with the same bits as one that was not; a step that isn't
//! finite is never applied.
#![forbid(unsafe_code)]

mod average;
mod cadence;
mod clock;
mod corpus;
mod error;
mod job;
mod ladder;
mod language;
mod patience;
pub mod planner;
mod planting;
mod probe;
mod profile;
mod questions;
mod resume;
mod saved;
mod schedule;
mod state;
mod task;
mod trainer;

pub use corpus::{Corpus, TextSource, cache_folder, choose, options, prepare, tokens_of};
pub use error::{Error, Result};
pub use job::{Job, memory};
pub use language::LanguageTask;
pub use questions::{Examined, QuestionLine, Questions};
pub use resume::{Extension, Resumed, check_checkpoint};
pub use saved::{Settings, weights};
pub use schedule::rate;
pub use task::{Measured, Recording, Task};
pub use trainer::{Deadline, Outcome, Trainer, TrainerSettings};
