//! The engine's errors, each with the operation or value it concerns.

/// An error of the engine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The inputs of an operation don't match.
    #[error("{operation}: {message}")]
    Shape {
        /// The operation that rejected its inputs.
        operation: &'static str,
        /// What doesn't match.
        message: String,
    },
    /// The length of a host buffer doesn't match the value it is copied to or from.
    #[error("value `{value}` has {expected} elements, but the buffer has {found}")]
    Host {
        /// Name of the value.
        value: String,
        /// Elements of the value.
        expected: usize,
        /// Elements of the host's buffer.
        found: usize,
    },
    /// A parameter that the store doesn't have.
    #[error("there is no parameter `{0}` in this model")]
    Parameter(String),
    /// An operation or a rule that the device doesn't know.
    #[error("this device has no kernel for `{0}`")]
    NoKernel(&'static str),
    /// An operation that needs rows of a weight that is stored packed.
    #[error("`{0}` can't read weights that are packed for generation")]
    Packed(&'static str),
    /// A number too large for the form in which weights are stored.
    #[error("`{name}` has the value {value:e}, which is too large for 8-bit weights: use f32")]
    TooLarge {
        /// The weight.
        name: String,
        /// Its value.
        value: f32,
    },
    /// A plan was released, or another plan has overwritten its values in the memory they share.
    #[error("`{0}` is no longer available: it was released or overwritten by another plan")]
    Gone(String),
    /// Memory for a plan or a store could not be allocated.
    #[error("{0} bytes of memory could not be allocated: use a smaller model, batch or context")]
    Memory(usize),
    /// The system didn't start all threads of a team.
    #[error(
        "only {started} of {threads} threads could be started ({reason}): use fewer threads, \
         or raise the limit of processes (ulimit -u)"
    )]
    Thread {
        /// Threads that run, including the caller's.
        started: usize,
        /// Threads that were asked for.
        threads: usize,
        /// The system's error.
        reason: String,
    },
    /// A thread of the team panicked; the device can't go on.
    #[error("a worker thread panicked during a step; the device can no longer be used")]
    Poisoned,
}

/// Result of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// A shape error of `operation`.
pub(crate) fn shape<T>(operation: &'static str, message: impl Into<String>) -> Result<T> {
    Err(Error::Shape {
        operation,
        message: message.into(),
    })
}
