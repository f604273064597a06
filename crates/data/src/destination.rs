//! Where prepared data goes.

use crate::prepared::DATA;
use crate::writer::{JOURNAL, WORK};
use crate::{Error, Result};
use run::{Disk, Files};
use std::path::{Path, PathBuf};

/// Texts up to this size are prepared in memory where they need not be kept.
const IN_MEMORY: u64 = 8 << 20;

/// Where prepared data goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// Into this folder.
    Folder(PathBuf),
    /// Into memory, however large it is.
    Memory,
    /// A small text into memory, a large one into a folder of its own in this folder of caches,
    /// where it is found again.
    Cache(Option<PathBuf>),
}

impl Destination {
    /// Refuses a folder that holds something else, before anything is read.
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
                "holds something else than prepared data: choose another folder with --out",
            )),
            false => Ok(()),
        }
    }

    /// The folder that all is written in.
    pub(crate) fn root(&self) -> Option<&Path> {
        match self {
            Destination::Folder(folder) | Destination::Cache(Some(folder)) => Some(folder),
            Destination::Memory | Destination::Cache(None) => None,
        }
    }

    /// Where to keep what can be read only once.
    pub(crate) fn scratch(&self) -> Option<PathBuf> {
        let name = match self {
            Destination::Folder(_) => WORK.to_owned(),
            _ => format!("input-{}", std::process::id()),
        };
        self.root().map(|root| root.join(name))
    }

    /// The same once the text is known: a cache only where it is used. `once` says that the text
    /// can't be read again.
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

/// A folder for the time of a preparation: it is removed when this is dropped.
pub(crate) struct Scratch(pub Option<PathBuf>);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take().filter(|folder| folder.exists()) {
            // What is left of it harms nothing.
            let _ = Disk.remove_folder(&folder);
        }
    }
}
