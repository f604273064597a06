//! What can go wrong with the page.

use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address could be had.
    #[error("no page can be shown: {from} to {to} on 127.0.0.1 can't be used: {error}")]
    Bind {
        /// First port tried.
        from: u16,
        /// Last port tried.
        to: u16,
        /// What the system says of the last.
        error: io::Error,
    },
    /// The thread or the system behind it.
    #[error("no page can be shown: {0}")]
    Start(io::Error),
    /// A run on disk.
    #[error(transparent)]
    Run(#[from] run::Error),
}
