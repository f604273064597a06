//! Errors of the page's server.

use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No port was available.
    #[error("can't serve the page on 127.0.0.1, ports {from} to {to}: {error}")]
    Bind {
        /// First port tried.
        from: u16,
        /// Last port tried.
        to: u16,
        /// The system's error for the last port.
        error: io::Error,
    },
    /// The server's thread or runtime couldn't start.
    #[error("can't serve the page: {0}")]
    Start(io::Error),
    /// A run on disk.
    #[error(transparent)]
    Run(#[from] run::Error),
}
