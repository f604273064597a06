//! A trained model, for everything that uses one.
//!
//! ```text
//! Opened    a model from its files, on a device of its own
//! Session   what can be done with it: extend sequences, sample from them, score texts
//! Plans     what stays between calls: prepared plans, sequences, pages of the cache
//! ```
//!
//! Begin with `session`. The trainer lends its own device to a [`Session`] and keeps the
//! [`Plans`]; whoever opens files gets both in [`Opened`].
//!
//! What always holds: weights are held once; many sequences are read together, each with its own
//! length and pages, and each gets the bits that it would get alone; a text is scored in windows
//! that don't overlap, the same for every caller.
#![forbid(unsafe_code)]

mod error;
mod opened;
mod pages;
mod plans;
mod sampling;
mod score;
mod session;
mod write;

pub use error::{Error, Result};
pub use opened::{Opened, TOKENIZER, TOKENIZER_CONFIG, Use, tokenizer};
pub use plans::{Plans, SequenceId};
pub use sampling::Sampling;
pub use score::{Inside, Score};
pub use session::Session;
pub use write::{begin, write_text};
