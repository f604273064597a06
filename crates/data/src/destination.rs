//! Where prepared data goes.

use crate::cache::{self, SPOOL};
use crate::shard::DATA;
use crate::writer::{JOURNAL, WORK};
use crate::{Error, Result};
use run::{Disk, Files};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Texts up to this size are prepared in memory unless the caller wants them on disk.
const IN_MEMORY: u64 = 8 << 20;

/// Where prepared data goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// A given folder.
    Folder(PathBuf),
    /// Memory, however large the data is.
    Memory,
    /// Memory for a small text; for a large one a folder of its own in this cache folder, where
    /// later runs find it.
    Cache(Option<PathBuf>),
}

impl Destination {
    /// Refuses a folder that contains something else, before anything is read.
    pub(crate) fn check(&self) -> Result<()> {
        let Destination::Folder(folder) = self else {
            return Ok(());
        };
        let Ok(mut entries) = std::fs::read_dir(folder) else {
            return match folder.exists() {
                true => Err(Error::prepared(folder, "is not a folder")),
                false => Ok(()),
            };
        };
        let ours = folder.join(DATA).exists() || folder.join(WORK).join(JOURNAL).exists();
        match !ours && entries.any(|e| e.is_ok_and(|e| e.file_name() != WORK)) {
            true => Err(Error::prepared(
                folder,
                "contains something other than prepared data: choose another folder with --out",
            )),
            false => Ok(()),
        }
    }

    /// Adds to an error of writing how another place is chosen.
    pub(crate) fn blame(&self, error: Error) -> Error {
        let flag = match self {
            Destination::Folder(_) => "--out",
            Destination::Cache(_) | Destination::Memory => "XDG_CACHE_HOME",
        };
        match error {
            Error::Run(error) => Error::Run(error.chosen_with(flag)),
            other => other,
        }
    }

    /// The folder that contains everything written.
    pub(crate) fn root(&self) -> Option<&Path> {
        match self {
            Destination::Folder(folder) | Destination::Cache(Some(folder)) => Some(folder),
            Destination::Memory | Destination::Cache(None) => None,
        }
    }

    /// Where to keep input that can be read only once.
    pub(crate) fn scratch(&self) -> Option<PathBuf> {
        let name = match self {
            Destination::Folder(_) => WORK.to_owned(),
            _ => format!("{SPOOL}{}", std::process::id()),
        };
        self.root().map(|root| root.join(name))
    }

    /// The same once the text is known: a cache is required only if it is used. `once` means that
    /// the text can't be read again.
    pub(crate) fn settled(self, bytes: u64, once: bool) -> Result<Destination> {
        match self {
            Destination::Cache(_) if bytes <= IN_MEMORY && !once => Ok(Destination::Memory),
            Destination::Cache(None) => Err(Error::damaged(
                Path::new("the cache folder"),
                "can't be found: set XDG_CACHE_HOME to a folder, or prepare the text with \
                 downhill data prepare",
            )),
            other => Ok(other),
        }
    }

    /// The folder of the preparation with this key; none in memory.
    pub(crate) fn folder(&self, key: &str) -> Option<PathBuf> {
        match self {
            Destination::Folder(folder) => Some(folder.clone()),
            _ => self.root().map(|root| root.join(&key[..32])),
        }
    }
}

/// A temporary folder for a preparation, removed on drop. While it is there it is claimed, so that
/// another process doesn't take it for one that was left behind.
#[derive(Default)]
pub(crate) struct Scratch {
    pub folder: Option<PathBuf>,
    claim: Option<File>,
}

impl Scratch {
    /// Makes the folder.
    pub fn new(folder: PathBuf) -> Scratch {
        Scratch {
            claim: cache::claim(&folder),
            folder: Some(folder),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.claim = None;
        if let Some(folder) = self.folder.take().filter(|folder| folder.exists()) {
            // Leftovers are harmless.
            let _ = Disk.remove_folder(&folder);
        }
    }
}
