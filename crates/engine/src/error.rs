//! What can go wrong in the engine, each with the operation or value it concerns.

/// An error of the engine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The inputs of an operation do not fit together.
    #[error("{operation}: {message}")]
    Shape {
        /// The operation that refused its inputs.
        operation: &'static str,
        /// What does not fit.
        message: String,
    },
    /// A host buffer does not fit the value it is copied to or from.
    #[error("value `{value}` holds {expected} numbers, the buffer {found}")]
    Host {
        /// Name of the value.
        value: String,
        /// Numbers that the value holds.
        expected: usize,
        /// Numbers in the host's buffer.
        found: usize,
    },
    /// A parameter that the store doesn't have.
    #[error("there is no parameter `{0}` in this model")]
    Parameter(String),
    /// An operation or a rule that the device doesn't know.
    #[error("this device has no kernel for `{0}`")]
    NoKernel(&'static str),
    /// A value of a plan after another plan used the memory that they share.
    #[error("`{0}` is gone: another plan of the device has run since")]
    Gone(String),
    /// Memory for a plan or a store could not be had.
    #[error("{0} bytes of memory could not be allocated: use a smaller model, batch or context")]
    Memory(usize),
    /// A thread of the team panicked; the device can't go on.
    #[error("a worker thread failed inside a step; the device can't be used any more")]
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
