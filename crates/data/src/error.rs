//! Every error of input texts and of prepared data.

use std::io;
use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tokenizer refuses the text.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A file can't be written.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// A path that doesn't exist.
    #[error("{}: no such file or folder", path.display())]
    Missing {
        /// The path as the user wrote it.
        path: PathBuf,
    },
    /// A file or folder that can't be read.
    #[error("{}: can't be read: {reason}", path.display())]
    Unreadable {
        /// The path that failed.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// A file without a single document.
    #[error("{}: it is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A folder, or all paths together, without any text.
    #[error("{}: contains no text{skipped}", path.display())]
    NoText {
        /// The first path.
        path: PathBuf,
        /// What was skipped and why, appended to the message.
        skipped: String,
    },
    /// No path was given.
    #[error("no text was given: name at least one file or folder")]
    NoPaths,
    /// A named file that isn't UTF-8.
    #[error(
        "{}: not UTF-8 text: the byte at offset {offset} is invalid{hint}; \
         --lossy replaces such bytes by U+FFFD, \
         and --set data.tokenizer=bytes trains on raw bytes",
        path.display()
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first invalid byte, after decompression.
        offset: u64,
        /// Which encoding it looks like, appended to the message.
        hint: String,
    },
    /// A text that isn't in the encoding that it is decoded from.
    #[error("{}: {reason}; choose another with --encoding, or replace them by U+FFFD with --lossy", path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// Which bytes, and of which encoding.
        reason: String,
    },
    /// No encoding has this name.
    #[error(
        "--encoding {name}: no such encoding; use gb18030, windows-1252, shift_jis, utf-16le or another name of the Encoding Standard"
    )]
    Encoding {
        /// The name.
        name: String,
    },
    /// A text of which `--lossy` would lose too much.
    #[error("{}: {lost} of {of} characters would be lost{hint}", path.display())]
    TooLossy {
        /// The file.
        path: PathBuf,
        /// Characters replaced by U+FFFD.
        lost: u64,
        /// All characters.
        of: u64,
        /// Which encoding it looks like, appended to the message.
        hint: String,
    },
    /// A bad record.
    #[error("{}, {place}: {reason}; --skip-bad leaves such records out and counts them", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// "line 17" or "row 3".
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Records without the field that holds the text.
    #[error("{}: {reason}; choose one with --field", path.display())]
    NoField {
        /// The file.
        path: PathBuf,
        /// The field that is missing and the fields that exist.
        reason: String,
    },
    /// A file that is truncated, damaged or of an unsupported kind.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file that changed between the two passes.
    #[error("{}: the file changed while it was read: run this again when nothing is writing to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Text that the tokenizer can't encode.
    #[error("{}: {error}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        error: text::Error,
    },
    /// A prepared folder that can't be used.
    #[error("{}: {reason}", path.display())]
    Prepared {
        /// The shard or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The system has no thread to give.
    #[error(
        "a thread can't be started: {0}. Use fewer (train.threads), or raise the limit (ulimit -u)"
    )]
    Thread(std::io::Error),
    /// A disk that is nearly full.
    #[error("{}: only {free} MiB are free, and some are kept as a reserve: free some space, or choose another folder", folder.display())]
    Space {
        /// Where it was to be written.
        folder: PathBuf,
        /// What is free, in MiB.
        free: u64,
    },
    /// A text that doesn't fit into the cache, beside what is in use there.
    #[error(
        "the cache of prepared texts would exceed its limit of {limit} MiB: raise it with --cache-limit, or prepare this text with downhill data prepare"
    )]
    CacheLimit {
        /// The limit in MiB.
        limit: u64,
    },
    /// Folders of which most can't be read.
    #[error("{summary}: more than half of the bytes would be left out; --skip-bad leaves them out")]
    MostSkipped {
        /// What was read and what wasn't.
        summary: String,
    },
    /// Ctrl-C.
    #[error("stopped: finished work is kept; the same command continues from there")]
    Stopped,
}

impl Error {
    /// The error of reading `path`.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Error {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Error::Missing { path },
            _ => Error::Unreadable {
                path,
                reason: error.to_string(),
            },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Error {
        Error::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn prepared(path: &Path, reason: impl Into<String>) -> Error {
        Error::Prepared {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
