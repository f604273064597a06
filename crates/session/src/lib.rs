//! A trained model in use.
//!
//! ```text
//! ModelFiles  a model's files, found and checked
//! Opened    a model from its files, on a device of its own
//! Session   what can be done with it: extend sequences, sample from them, score texts
//! Plans     what stays between calls: prepared plans, sequences, pages of the cache
//! ```
//!
//! Start with `session`. The trainer lends its own device to a [`Session`] and keeps the [`Plans`];
//! callers that open files get both in [`Opened`].
//!
//! Invariants: weights exist once; many sequences are read together, each with its own length and
//! pages, and each gets the same bits as it would alone; a text is scored in windows that don't
//! overlap, the same for every caller.
#![forbid(unsafe_code)]

mod answers;
mod embeddings;
mod error;
mod files;
mod fork;
mod heads;
mod inspect;
mod opened;
mod pages;
mod plans;
mod rows;
mod sampling;
mod score;
mod session;
mod stop;
mod write;

pub use answers::{Answers, Asked};
pub use error::{Error, Result};
pub use files::{ModelFiles, TOKENIZER, TOKENIZER_CONFIG, check_sound, tokenizer};
pub use heads::Passages;
pub use inspect::{most_inspected, token_text};
pub use opened::{Opened, Use};
pub use pages::{in_whole_pages, page_bytes, pages_of};
pub use plans::{Plans, SequenceId};
pub use sampling::{LogProbability, Sampling, TokenSampler};
pub use score::{Activations, Score};
pub use session::Session;
pub use stop::StopTexts;
pub use write::{Ending, Piece, Writing, begin, known_only, write, write_text};
