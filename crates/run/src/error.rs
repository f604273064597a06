//! Everything that can go wrong with a run on disk, said once and clearly.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that touches a disk.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk, or the user's share of it, is full.
    #[error(
        "the disk is full: {action} {path} failed. Free some space and go on; what was saved before is intact"
    )]
    Full {
        /// What was being done, as "writing".
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
    },
    /// The place may not be written to.
    #[error(
        "{path} can't be written to ({error}). Choose a folder that can with --run, or change its permissions"
    )]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process holds the event log.
    #[error(
        "{path} is being written by another process: wait until that run ends, or choose another folder with --run"
    )]
    Busy {
        /// The event log.
        path: PathBuf,
    },
    /// Any other failure of the system.
    #[error("{action} {path} failed: {error}")]
    Io {
        /// What was being done, as "reading".
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line of an event log that isn't an event.
    #[error("{path}, line {line}: not an event ({reason}). Remove that line to read the others")]
    BrokenLine {
        /// The event log.
        path: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// What the JSON reader said.
        reason: String,
    },
    /// A file of a run that can't be understood.
    #[error("{path}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A name that can't be a file of a checkpoint.
    #[error("{name:?} can't be the name of a file in a checkpoint: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// `--run` names something that exists.
    #[error(
        "{path} exists already: choose another folder with --run, or replace it with --overwrite"
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// `--overwrite` would remove something that isn't a run.
    #[error(
        "{path} isn't a run's own folder (one with a run.toml), so --overwrite leaves it alone: remove it yourself or choose another folder with --run"
    )]
    NotReplaced {
        /// The folder or file.
        path: PathBuf,
    },
    /// No run stands at this path.
    #[error("{path} {reason}. {advice}")]
    NoRun {
        /// The path that was asked for.
        path: PathBuf,
        /// "doesn't exist", or what it is instead.
        reason: &'static str,
        /// The runs near it, or how to make one.
        advice: String,
    },
    /// A checkpoint that was asked for doesn't exist.
    #[error("{path} has no checkpoint{asked}. {advice}")]
    NoCheckpoint {
        /// The run's folder of checkpoints.
        path: PathBuf,
        /// " of step 300", or nothing when there is none at all.
        asked: String,
        /// Which checkpoints there are.
        advice: String,
    },
    /// A checkpoint whose content isn't what its manifest says.
    #[error("{path} is damaged: {reason}. {advice}")]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// How it differs.
        reason: String,
        /// Which checkpoint to use instead.
        advice: String,
    },
}

impl Error {
    /// The error of doing `action` ("writing") to `path`, sorted by what the user can do about it.
    pub fn at(action: &'static str, path: &Path, error: io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { action, path },
            // A file that can't be read needs other advice than one that can't be written.
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                if action != "reading" =>
            {
                Self::ReadOnly { path, error }
            }
            _ => Self::Io {
                action,
                path,
                error,
            },
        }
    }
}
