//! The cache of prepared texts: what it holds, and its bound.

use crate::shard::DATA;
use crate::space;
use run::{Disk, Files, folder_bytes};
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file in each folder of the cache. It is locked while the folder is in use, and its time is
/// that of the last use.
const IN_USE: &str = "in-use";

/// Texts that can be read only once are kept in folders whose names begin so.
pub(crate) const SPOOL: &str = "input-";

/// By default the cache takes at most one part in this many of the space that would be free without
/// it.
const SHARE: u64 = 4;

/// A prepared text in the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Cached {
    /// Its folder.
    pub folder: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
    /// Whether a process has it open now.
    pub in_use: bool,
    /// The texts it was made from; none if it isn't finished.
    pub sources: Vec<PathBuf>,
}

/// All prepared texts of a cache, the one used last first.
pub fn cached(root: &Path) -> Vec<Cached> {
    let mut all: Vec<Cached> = folders(root)
        .into_iter()
        .filter(|folder| !is_spool(folder))
        .map(|folder| Cached {
            bytes: folder_bytes(&folder),
            used: used(&folder),
            in_use: OpenOptions::new()
                .read(true)
                .open(folder.join(IN_USE))
                .is_ok_and(|file| file.try_lock().is_err()),
            sources: sources(&folder),
            folder,
        })
        .collect();
    all.sort_by_key(|entry| std::cmp::Reverse(entry.used));
    all
}

/// The default limit of a cache in bytes.
pub fn cache_limit(root: &Path) -> u64 {
    let has: u64 = cached(root).iter().map(|entry| entry.bytes).sum();
    space::free(root).saturating_add(has) / SHARE
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let folders = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    folders.collect()
}

fn is_spool(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(SPOOL)
}

fn used(folder: &Path) -> SystemTime {
    let time = |path: &Path| path.metadata().and_then(|found| found.modified());
    let found = time(&folder.join(IN_USE)).or_else(|_| time(folder));
    found.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What data.json has about them.
#[derive(Deserialize)]
struct Sources {
    sources: Vec<PathBuf>,
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let json = std::fs::read(folder.join(DATA)).unwrap_or_default();
    let index = serde_json::from_slice::<Sources>(&json);
    index.map(|index| index.sources).unwrap_or_default()
}

/// Marks a folder of the cache as used for as long as the file is open. None where it can't be
/// written to.
pub(crate) fn claim(folder: &Path) -> Option<File> {
    std::fs::create_dir_all(folder).ok()?;
    let mut file = OpenOptions::new();
    let file = file.write(true).create(true).truncate(false);
    let file = file.open(folder.join(IN_USE)).ok()?;
    file.lock_shared().ok()?;
    // Only the order of removal would suffer.
    let _ = file.set_modified(SystemTime::now());
    Some(file)
}

/// The same, if the folder is one of a cache.
pub(crate) fn claim_cached(folder: &Path) -> Option<File> {
    let cached = folder.join(IN_USE).is_file();
    cached.then(|| claim(folder)).flatten()
}

/// Removes a folder that nobody uses; returns whether it did.
fn remove(folder: &Path) -> bool {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join(IN_USE));
    let free = lock.is_ok_and(|file| file.try_lock().is_ok());
    free && Disk.remove_folder(folder).is_ok()
}

/// Removes the copies of texts whose processes are gone.
pub(crate) fn sweep(root: &Path) {
    for folder in folders(root).iter().filter(|folder| is_spool(folder)) {
        // One without the file is being made just now.
        if folder.join(IN_USE).is_file() {
            remove(folder);
        }
    }
}

/// Removes what was used longest ago, so that the cache with `bytes` for the folder `keep` stays
/// within its limit. What is in use stays. Returns the bytes of what is left beside `keep`.
pub(crate) fn make_room(root: &Path, keep: &Path, bytes: u64, limit: u64) -> u64 {
    let mut all = cached(root);
    all.retain(|entry| entry.folder != keep);
    let mut has: u64 = all.iter().map(|entry| entry.bytes).sum();
    while has.saturating_add(bytes) > limit
        && let Some(oldest) = all.pop()
    {
        if remove(&oldest.folder) {
            has -= oldest.bytes;
        }
    }
    has
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_goes_first_and_what_is_in_use_stays() {
        let root = tempfile::tempdir().unwrap();
        let entry = |name: &str, age: u64| {
            let folder = root.path().join(name);
            let lock = claim(&folder).unwrap();
            std::fs::write(folder.join("shard"), vec![0; 1000]).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            lock.set_modified(time).unwrap();
            lock
        };
        let held = entry("a", 40);
        drop(entry("b", 30));
        drop(entry("c", 20));
        drop(entry("input-1", 10));
        let spool = entry("input-2", 10);
        sweep(root.path());
        make_room(root.path(), &root.path().join("new"), 500, 2600);
        let names = |what: &[Cached]| -> Vec<String> {
            let name = |c: &Cached| c.folder.file_name().unwrap().to_string_lossy().into_owned();
            what.iter().map(name).collect()
        };
        let left = cached(root.path());
        assert_eq!(names(&left), ["c", "a"]);
        assert_eq!((left[0].in_use, left[1].in_use), (false, true));
        assert!(root.path().join("input-2").exists());
        assert!(!root.path().join("input-1").exists());
        drop((held, spool));
    }
}
