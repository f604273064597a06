//! Errors of a run on disk.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every function in this crate that touches a disk.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, where, and what the user can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk or the user's quota is full, or a file is as large as it may be.
    #[error("{limit}: {action} {path} failed. {advice} and try again")]
    Full {
        /// Which limit was reached.
        limit: &'static str,
        /// What makes room.
        advice: &'static str,
        /// What was being done, such as "writing".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// No permission to write.
    #[error(
        "{path} can't be written to ({error}). Change its permissions{}", elsewhere.map_or(String::new(), |flag| format!(", or choose another place with {flag}"))
    )]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
        /// What chooses another place, such as `--run`, if the place was chosen.
        elsewhere: Option<&'static str>,
    },
    /// A file that this program didn't write is where an output should go.
    #[error(
        "{path} exists and wasn't written by downhill: choose another name, or replace it with --overwrite"
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Another process is writing there.
    #[error(
        "{path} is busy: {writer} is writing to it. Wait until that run ends{}", elsewhere.map_or(String::new(), |flag| format!(", or choose another place with {flag}"))
    )]
    Busy {
        /// The run folder or file.
        path: PathBuf,
        /// "process 4711", or "another process".
        writer: String,
        /// As in [`Error::ReadOnly`].
        elsewhere: Option<&'static str>,
    },
    /// The run's folder was moved or removed while it was trained.
    #[error("the folder {path} was moved or removed while the run was training. {advice}")]
    Moved {
        /// Where it was.
        path: PathBuf,
        /// Where the run was saved instead.
        advice: String,
    },
    /// Any other system error.
    #[error("{action} {path} failed: {error}")]
    Io {
        /// What was being done, such as "reading".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A file of a run that can't be parsed.
    #[error("{path}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Not a valid name for a file in a checkpoint.
    #[error("{name:?} can't be the name of a file in a checkpoint: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// `--run` names something that exists.
    #[error(
        "{path} already exists: choose another folder with --run, or replace it with --overwrite"
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// `--out` names something that exists.
    #[error("{path} already exists: choose another folder with --out")]
    RaceExists {
        /// The folder.
        path: PathBuf,
    },
    /// `--overwrite` would remove something that isn't a run.
    #[error(
        "{path} isn't a run folder (a folder with a run.toml), so --overwrite won't replace it: remove it yourself, or choose another folder with --run"
    )]
    NotReplaced {
        /// The folder or file.
        path: PathBuf,
    },
    /// There is no run at this path.
    #[error("{path} {reason}. {advice}")]
    NoRun {
        /// The path that was asked for.
        path: PathBuf,
        /// "doesn't exist", or what it is instead.
        reason: &'static str,
        /// Runs found nearby, or how to start one.
        advice: String,
    },
    /// The requested checkpoint doesn't exist.
    #[error("{path} has no checkpoint{asked}. {advice}")]
    NoCheckpoint {
        /// The run's folder of checkpoints.
        path: PathBuf,
        /// " at step 300", or empty if there are no checkpoints.
        asked: String,
        /// Which checkpoints exist.
        advice: String,
    },
    /// A checkpoint that doesn't match its manifest.
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
    /// What is wrong, without the advice.
    pub fn what(&self) -> String {
        match self {
            Self::Damaged { path, reason, .. } => {
                format!("{} is damaged: {reason}", path.display())
            }
            other => other.to_string(),
        }
    }

    /// The same error of a place that the user can choose with this flag.
    #[must_use]
    pub fn chosen_with(mut self, flag: &'static str) -> Self {
        if let Self::ReadOnly { elsewhere, .. } | Self::Busy { elsewhere, .. } = &mut self {
            *elsewhere = Some(flag);
        }
        self
    }

    /// The error of an `action` (such as "writing") on `path`, classified by what the user can do.
    pub fn at(action: &'static str, path: &Path, error: io::Error) -> Self {
        let path = path.to_path_buf();
        let full = |limit, advice| Self::Full {
            limit,
            advice,
            action,
            path: path.clone(),
        };
        match error.kind() {
            io::ErrorKind::StorageFull => full("the disk is full", "Free some space"),
            io::ErrorKind::QuotaExceeded => full("the disk quota is used up", "Free some space"),
            io::ErrorKind::FileTooLarge => full(
                "a file is as large as the system allows (ulimit -f)",
                "Raise the limit",
            ),
            // The advice for writing doesn't help where reading fails.
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                if action != "reading" =>
            {
                Self::ReadOnly {
                    path,
                    error,
                    elsewhere: None,
                }
            }
            _ => Self::Io {
                action,
                path,
                error,
            },
        }
    }
}
