//! Bytes to tokens: tokenizers, the built-in corpus and the data order.
//!
//! ```text
//! text, tales ─ Tokenizer ─▶ tokens ─ Windows ─▶ where each batch begins
//! ```
//!
//! Start with [`Tokenizer`], then [`Windows`] and [`tales()`]. Invariants: decoding returns the
//! text that was encoded; no text encodes to a special token; ids and order depend on text and seed
//! alone. Nothing here depends on models or the engine.
#![forbid(unsafe_code)]

mod built_in;
mod choose;
mod error;
mod exercises;
mod kind;
pub mod random;
pub mod tales;
mod tokenizer;
mod utf8;
mod windows;

pub use built_in::BuiltIn;
pub use choose::{choose, is_syllabic};
pub use error::Error;
pub use exercises::{Exercises, Question};
pub use kind::TokenizerKind;
pub use tales::{Text, chinese_tales, tales};
pub use tokenizer::{
    Bpe, ByteLevel, Chars, END_OF_TEXT, Encoder, LONGEST_RUN, MergeDropout, Named, SAMPLE_BYTES,
    Split, Tokenizer,
};
pub use utf8::Utf8Stream;
pub use windows::{Windows, check_length};
