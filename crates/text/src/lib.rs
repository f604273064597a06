//! Bytes to batches: tokenizers, reading files and folders, the built-in corpus and the data order.
//!
//! ```text
//! files or tales ─ read, tales ─▶ Text ─ Tokenizer ─▶ tokens ─ Windows ─▶ inputs, targets
//! ```
//!
//! Read [`Tokenizer`] first, then [`read()`], [`Windows`] and [`tales()`]. Nothing here knows of
//! models or of the engine.
#![forbid(unsafe_code)]

mod choose;
mod error;
mod files;
pub mod random;
pub mod tales;
mod tokenizer;
mod utf8;
mod windows;

pub use choose::{Choice, choose};
pub use error::Error;
pub use files::{ReadOptions, Text, read};
pub use tales::tales;
pub use tokenizer::{Bpe, Chars, END_OF_TEXT, LONGEST_RUN, SAMPLE_BYTES, Split, Tokenizer};
pub use utf8::Utf8Stream;
pub use windows::{Windows, check_length};
