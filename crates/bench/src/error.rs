//! Errors of this crate.

/// This crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// Generating text failed.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// A built-in model's config is invalid.
    #[error(transparent)]
    Config(#[from] model::ConfigError),
    /// Unknown model or operation.
    #[error("unknown model or operation {name}\nmodels: {models}\noperations: {operations}")]
    Unknown {
        /// The name given.
        name: String,
        /// The known models.
        models: String,
        /// The known operations.
        operations: String,
    },
    /// Stopped by the user.
    #[error("stopped")]
    Stopped,
    /// Two implementations of the same product differ.
    #[error("{0}")]
    Differs(String),
}
