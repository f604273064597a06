//! From what people bring to batches: any files to documents, documents to tokens, tokens to
//! batches.
//!
//! ```text
//! paths ─ inputs ─▶ files ─ documents, formats ─▶ batch ─▶ pieces ─┬ scan ─▶ split, report
//!                                                                  └ encode, writer ─▶ shards
//! shards ─ tokens ─▶ windows ─ loader ─▶ batches
//! ```
//!
//! Texts are read twice: [`scan()`] sees which documents there are, which are the same and which
//! characters occur; then the caller chooses a tokenizer, and [`Scan::encode`] makes the tokens. So
//! texts of any size, and documents of any size, need only a bounded memory, but for 25 bytes a
//! document.
//!
//! Begin with [`scan()`]. What always holds: the same text gives the same tokens, split and bytes
//! on the disk for any number of threads; what was trained on never judges later; no record is
//! dropped without being counted.
#![forbid(unsafe_code)]

mod batch;
mod control;
mod destination;
mod document;
mod documents;
mod encode;
mod error;
mod formats;
mod inputs;
mod loader;
mod pipeline;
mod prepare;
mod prepared;
mod report;
mod scan;
mod shard;
mod split;
mod stats;
mod tokens;

mod writer;

pub use control::{JobControl, Progress, Stage};
pub use destination::Destination;
pub use document::CorpusPart;
pub use error::{Error, Result};
pub use inputs::STANDARD_INPUT;
pub use loader::{Batch, Loader};
pub use prepared::{Excerpt, Prepared};
pub use report::{Report, Skipped};
pub use scan::{Scan, scan};
pub use shard::Width;
pub use tokens::Tokens;

/// How texts are read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOptions {
    /// Any bytes are allowed in a named plain file, and it may be cut anywhere.
    pub raw_bytes: bool,
    /// Invalid UTF-8 in a named plain file or a record is replaced with U+FFFD.
    pub lossy: bool,
    /// The field or column that holds the text of a record; else `text`, then `content`.
    pub field: Option<String>,
    /// Bad records are counted and left out.
    pub skip_bad: bool,
    /// What .gitignore files name is left out of folders.
    pub gitignore: bool,
    /// The most bytes that the validation part takes where none is given.
    pub validation_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            raw_bytes: false,
            lossy: false,
            field: None,
            skip_bad: false,
            gitignore: false,
            validation_bytes: 2_000_000,
        }
    }
}
