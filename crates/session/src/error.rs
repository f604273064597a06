//! What can go wrong when a finished model is opened or used.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// From the engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// From a run's folder or a checkpoint.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// From a tokenizer.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// From a model's files.
    #[error("{folder}: {error}")]
    Files {
        /// The model's folder.
        folder: PathBuf,
        /// What is wrong with a file in it.
        error: model::hugging_face::HuggingFaceError,
    },
    /// A file that can't be read.
    #[error("{path} can't be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A sampling setting out of range.
    #[error("{name} = {value} is not allowed; it must be {allowed}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The allowed values.
        allowed: &'static str,
    },
    /// The caller's flag was set.
    #[error("stopped")]
    Stopped,
    /// A sequence that was released or never existed.
    #[error("no such sequence in this session")]
    NoSequence,
    /// The session has no room for another sequence.
    #[error("the session has room for {0} sequences, and all are taken: release one")]
    Full(usize),
    /// The cache has no free page left.
    #[error("the cache is full: release a sequence")]
    NoPages,
    /// More tokens than the rest of a context.
    #[error("{tokens} tokens don't fit into the rest of the context, {left}")]
    Context {
        /// How many there are.
        tokens: usize,
        /// How many fit.
        left: usize,
    },
    /// A passage that is too short or too long to be inspected.
    #[error("the passage has {tokens} tokens; from 2 to {most} can be shown")]
    Passage {
        /// How many it has.
        tokens: usize,
        /// How many it may have.
        most: usize,
    },
    /// A token that the model doesn't have.
    #[error("token {token} isn't in the model's vocabulary of {vocabulary}")]
    Token {
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
