//! Errors of training.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of training.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run on disk.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// The text or its tokenizer.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// The texts, or prepared data.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// From a model in use.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The model's files.
    #[error(transparent)]
    Files(#[from] model::hugging_face::HuggingFaceError),
    /// The config in run.toml.
    #[error("{}: {error}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// All mistakes found.
        error: model::ConfigError,
    },
    /// A number that is not finite.
    #[error("{what}. {advice}")]
    NotFinite {
        /// Which number, after which step, and what was not done therefore.
        what: String,
        /// Where the last checkpoint is, and how to go on from it.
        advice: String,
    },
    /// A file that couldn't be written after a checkpoint had been saved.
    #[error(
        "{error}. The checkpoint of step {step} is intact: downhill train --resume {}",
        run.display()
    )]
    Unsaved {
        /// What failed.
        error: run::Error,
        /// The step of the newest checkpoint.
        step: u64,
        /// The run.
        run: PathBuf,
    },
    /// A run that changed since its last checkpoint.
    #[error("{} can't continue: {what}. {advice}", run.display())]
    Changed {
        /// The run.
        run: PathBuf,
        /// What changed.
        what: String,
        /// How to fix it.
        advice: &'static str,
    },
    /// The loss is below the entropy floor.
    #[error(
        "the validation text has {floor:.0} bits of entropy, but the measured loss is only \
         {found:.0} bits: this is a bug in downhill, please report it"
    )]
    BelowFloor {
        /// Bits of the entropy floor.
        floor: f64,
        /// Bits measured.
        found: f64,
    },
    /// There are no merges to skip.
    #[error(
        "data.merge_dropout = {share} needs a bpe tokenizer, and this text has another kind: set \
         data.tokenizer=bpe:1024, or data.merge_dropout=0"
    )]
    MergeDropout {
        /// The share asked for.
        share: f64,
    },
    /// The time is too short for the text.
    #[error("--time is too short for this text on this machine: take at least {seconds:.0}s")]
    TooShort {
        /// The least that makes sense, in seconds.
        seconds: f64,
    },
    /// Settings that a resumed run can't change.
    #[error("{0}")]
    Fixed(String),
    /// An error specific to a task.
    #[error("{0}")]
    Task(String),
}
