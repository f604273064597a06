//! What can go wrong while training, said once.

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
        /// Every mistake.
        error: model::ConfigError,
    },
    /// Loss or gradient blew up.
    #[error(
        "step {step}: the {what} is not finite, so the step was not applied. {advice} \
         A lower learning rate often helps (--set optim.lr=...)"
    )]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// Loss or gradient.
        what: &'static str,
        /// Where the last checkpoint lies.
        advice: String,
    },
    /// A resumed run is not what it was.
    #[error("{} can't go on: {what}. {advice}", run.display())]
    Changed {
        /// The run.
        run: PathBuf,
        /// What changed.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// The loss is better than possible.
    #[error(
        "the validation text has {floor:.0} bits of entropy, yet the model is said to need only \
         {found:.0}: this is an error in the program, please report it"
    )]
    BelowFloor {
        /// Bits of the entropy floor.
        floor: f64,
        /// Bits measured.
        found: f64,
    },
    /// Merges can't be left out where there are none.
    #[error(
        "data.merge_dropout = {share} leaves out merges of a bpe tokenizer, and this text's has \
         none: set data.tokenizer=bpe:1024, or data.merge_dropout=0"
    )]
    MergeDropout {
        /// The share asked for.
        share: f64,
    },
    /// A task's own error.
    #[error("{0}")]
    Task(String),
}
