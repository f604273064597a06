//! Errors of `plane`: what can't be drawn, and what to do.

use std::path::PathBuf;

/// This module's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of `plane`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A run without a checkpoint that can be read.
    #[error("{}: no checkpoint can be read, so there are no weights to look at", .0.display())]
    NoCheckpoints(PathBuf),
    /// The gradient of a cost that was prepared without gradients.
    #[error("the cost was prepared without gradients")]
    NoGradient,
    /// A run with too few checkpoints for a plane.
    #[error(
        "{} has {found} of the 3 checkpoints that a plane through its path needs: draw one with \
         --axes random, or train a run that keeps more, such as --set checkpoint.keep=20",
        run.display()
    )]
    FewCheckpoints {
        /// The run.
        run: PathBuf,
        /// How many it has.
        found: usize,
    },
    /// A line between models that differ.
    #[error("{} and {} have no line between them: {what}", run.display(), other.display())]
    NoLine {
        /// One run.
        run: PathBuf,
        /// The other.
        other: PathBuf,
        /// How they differ.
        what: String,
    },
    /// Ctrl-C was pressed before there was anything to show.
    #[error("stopped")]
    Stopped,
    /// A cost on a line that isn't a number.
    #[error("the cost on the line between two runs is not finite")]
    NotFinite,
    /// A path without a plane.
    #[error("the checkpoints lie on one line, so they have no plane: draw one with --axes random")]
    OneLine,
    /// The run on disk.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// The run's text.
    #[error(transparent)]
    Train(#[from] train::Error),
    /// The tokenizer of a checkpoint.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}
