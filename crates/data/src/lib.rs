//! From input files to batches: files of any kind to documents, documents to tokens, tokens to
//! batches.
//!
//! ```text
//! paths ─ inputs ─▶ files ─ documents, formats ─▶ batch ─▶ pieces ─┬ scan ─▶ split, report
//!                                                                  └ encode, writer ─▶ shards
//! shards ─ tokens ─▶ windows ─ loader ─▶ batches
//! ```
//!
//! Texts are read twice: [`scan()`] finds the documents, duplicates and characters; then the caller
//! chooses a tokenizer, and [`Scan::encode`] produces the tokens. Memory stays bounded for texts
//! and documents of any size, except for 25 bytes per document.
//!
//! Start with [`scan()`]. Invariants: the same text gives the same tokens, split and bytes on disk
//! for any number of threads; training data never becomes validation data later; no record is
//! dropped without being counted.
#![forbid(unsafe_code)]

mod batch;
mod cache;
mod charset;
mod control;
mod destination;
mod document;
mod documents;
mod encode;
mod error;
mod formats;
mod inputs;
mod kinds;
mod loader;
mod pipeline;
mod prepare;
mod prepared;
mod report;
mod scan;
mod shard;
mod space;
mod split;
mod stats;
mod tokens;

mod writer;

pub use cache::{Cached, cache_limit, cached};
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

/// Settings for reading texts.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOptions {
    /// A named plain file may contain any bytes and may be split anywhere.
    pub raw_bytes: bool,
    /// Invalid UTF-8 in a named plain file or a record is replaced by U+FFFD.
    pub lossy: bool,
    /// The field or column that contains the text of a record; by default `text`, then `content`.
    pub field: Option<String>,
    /// The encoding of texts that aren't UTF-8.
    pub encoding: Option<String>,
    /// What stands between the fields of a table; by default what its name and header say.
    pub delimiter: Option<u8>,
    /// The fields of .tsv files may be quoted, as those of .csv files.
    pub quotes: bool,
    /// The line between two documents of a plain text.
    pub separator: Option<String>,
    /// The content of every file is one text, whatever its format.
    pub raw: bool,
    /// Bad records are counted and left out.
    pub skip_bad: bool,
    /// Files listed in .gitignore are left out of folders.
    pub gitignore: bool,
    /// The largest validation part, in bytes, when none is given.
    pub validation_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            raw_bytes: false,
            lossy: false,
            field: None,
            encoding: None,
            delimiter: None,
            quotes: false,
            separator: None,
            raw: false,
            skip_bad: false,
            gitignore: false,
            validation_bytes: 2_000_000,
        }
    }
}
