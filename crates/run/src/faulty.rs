//! A disk for tests on which a chosen operation fails.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::files::Content;
use crate::{AppendFile, Disk, Error, Files, Result};

/// For tests only: the real disk, except that operations are counted and chosen ones fail. A
/// failing write leaves half of its bytes, as a full disk does; a failing removal leaves half of
/// the files.
#[derive(Debug, Clone)]
pub struct Faulty {
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    done: AtomicU64,
    first: u64,
    last: u64,
    kind: io::ErrorKind,
}

impl Faulty {
    /// Only operation `n`, counted from 0, fails, with this kind of error.
    pub fn once(n: u64, kind: io::ErrorKind) -> Self {
        Self::between(n, n, kind)
    }

    /// Operation `n`, counted from 0, and all later ones fail: as if the process died there, or the
    /// disk stayed full.
    pub fn from(n: u64, kind: io::ErrorKind) -> Self {
        Self::between(n, u64::MAX, kind)
    }

    /// How many operations were requested, including failed ones.
    pub fn operations(&self) -> u64 {
        self.plan.done.load(Ordering::SeqCst)
    }

    fn between(first: u64, last: u64, kind: io::ErrorKind) -> Self {
        let done = AtomicU64::new(0);
        let plan = Arc::new(Plan {
            done,
            first,
            last,
            kind,
        });
        Self { plan }
    }
}

impl Plan {
    fn count(&self, action: &'static str, path: &Path) -> Result<()> {
        let index = self.done.fetch_add(1, Ordering::SeqCst);
        if (self.first..=self.last).contains(&index) {
            return Err(Error::at(action, path, self.kind.into()));
        }
        Ok(())
    }
}

impl Files for Faulty {
    fn create_folder(&self, path: &Path) -> Result<bool> {
        self.plan.count("creating the folder", path)?;
        Disk.create_folder(path)
    }

    fn write(&self, path: &Path, content: Content) -> Result<()> {
        if let Err(error) = self.plan.count("writing", path) {
            let mut bytes = Vec::new();
            content(&mut bytes).map_err(|error| Error::at("writing", path, error))?;
            Disk.write(path, &|to| to.write_all(&bytes[..bytes.len() / 2]))?;
            return Err(error);
        }
        Disk.write(path, content)
    }

    fn append(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        self.plan.count("opening", path)?;
        Ok(Box::new(FaultyAppend {
            plan: self.plan.clone(),
            path: path.to_path_buf(),
            inner: Disk.append(path)?,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.plan.count("renaming to", to)?;
        Disk.rename(from, to)
    }

    fn remove_folder(&self, path: &Path) -> Result<()> {
        if let Err(error) = self.plan.count("removing", path) {
            let mut files: Vec<PathBuf> = std::fs::read_dir(path)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect();
            files.sort();
            for file in files.iter().take(files.len().div_ceil(2)) {
                // The test's own folder: leftovers aren't the fault of the code under test.
                let _ = std::fs::remove_file(file);
            }
            return Err(error);
        }
        Disk.remove_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> Result<()> {
        self.plan.count("syncing", path)?;
        Disk.sync_folder(path)
    }
}

struct FaultyAppend {
    plan: Arc<Plan>,
    path: PathBuf,
    inner: Box<dyn AppendFile>,
}

impl AppendFile for FaultyAppend {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.plan.count("writing", &self.path) {
            self.inner.write(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.inner.write(bytes)
    }

    fn cut(&mut self, length: u64) -> Result<()> {
        self.plan.count("shortening", &self.path)?;
        self.inner.cut(length)
    }

    fn sync(&mut self) -> Result<()> {
        self.plan.count("syncing", &self.path)?;
        self.inner.sync()
    }
}
