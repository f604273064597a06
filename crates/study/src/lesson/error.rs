//! Errors of the lessons: what was asked, and what can be asked instead.

use super::LESSONS;

/// This module's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a lesson.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A lesson that doesn't exist.
    #[error("there is no lesson {0}: choose 1 to {last}", last = LESSONS.len())]
    Unknown(usize),
    /// A value out of bounds: what it must be.
    #[error("{0}")]
    Knob(String),
    /// An answer that is no number.
    #[error("the answer is a number: write it with digits, such as 0.5")]
    NoNumber,
    /// An answer that is none of the choices.
    #[error("the answer is one of the choices: 1 to {0}")]
    Choice(usize),
    /// An unknown language.
    #[error("{0:?} is not a language of the lessons: they are en and zh")]
    Language(String),
    /// A text with characters that the model doesn't know.
    #[error("the model has never seen {0}: it only knows the characters of its stories")]
    Unseen(String),
    /// The training was stopped before its end.
    #[error("stopped")]
    Stopped,
    /// It took too long.
    #[error("the lesson took longer than {0} seconds: this machine is busy; try again later")]
    TooSlow(u64),
    /// A run for a moment on disk.
    #[error("a folder for the lesson's model can't be created: {0}")]
    Folder(std::io::Error),
    /// The settings of a tiny model.
    #[error(transparent)]
    Config(#[from] model::ConfigError),
    /// The mountain.
    #[error(transparent)]
    Fit(#[from] crate::fit::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The trainer.
    #[error(transparent)]
    Train(#[from] train::Error),
    /// A model in use.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The tokenizer.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// The run.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// What the model copied.
    #[error(transparent)]
    Originality(#[from] crate::originality::Error),
}
