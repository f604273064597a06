//! What can go wrong.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a measurement ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// From a model in use.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// A built-in model's config is refused.
    #[error(transparent)]
    Config(#[from] model::ConfigError),
    /// There is nothing of this name.
    #[error("there is no model or operation {name}\nmodels: {models}\noperations: {operations}")]
    Unknown {
        /// The name given.
        name: String,
        /// Names of the models.
        models: String,
        /// Names of the operations.
        operations: String,
    },
    /// Stopped by the user.
    #[error("stopped")]
    Stopped,
    /// Two ways to compute the same differ.
    #[error("{0}")]
    Differs(String),
}
