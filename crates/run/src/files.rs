//! The interface through which the program makes every write.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, Result};

/// Further attempts to lock a file, and the pause before each: a reader that asks whether a run is
/// live holds the lock for a moment.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// Writes the bytes of a file, the same each time.
type WriteContent<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

/// The content of a file.
pub type Content<'a> = &'a WriteContent<'a>;

/// A file to be written: its name in a folder, and its content.
pub struct NamedFile<'a> {
    /// A file name without a folder.
    pub name: String,
    /// Its content.
    pub content: Box<WriteContent<'a>>,
}

impl<'a> NamedFile<'a> {
    /// A file with these bytes.
    pub fn bytes(name: impl Into<String>, bytes: Vec<u8>) -> NamedFile<'a> {
        NamedFile::new(name, move |to| to.write_all(&bytes))
    }

    /// A file whose content is generated as it is written.
    pub fn new(
        name: impl Into<String>,
        content: impl Fn(&mut dyn Write) -> io::Result<()> + 'a,
    ) -> NamedFile<'a> {
        NamedFile {
            name: name.into(),
            content: Box::new(content),
        }
    }
}

/// Every way in which the program changes a disk. [`Disk`] is the real one.
pub trait Files: Send + Sync {
    /// Creates a folder and its missing parents; `false` if the folder already existed.
    fn create_folder(&self, path: &Path) -> Result<bool>;
    /// Writes a whole file, replacing any existing one, and syncs it to disk. `content` writes the
    /// bytes.
    fn write(&self, path: &Path, content: Content) -> Result<()>;
    /// Opens a file for appending, creating it if needed. Only one process may have it open.
    fn append(&self, path: &Path) -> Result<Box<dyn AppendFile>>;
    /// Atomically renames a file or folder within one file system.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a folder and everything in it.
    fn remove_folder(&self, path: &Path) -> Result<()>;
    /// Syncs a folder's entries, so that a rename in it survives a power cut.
    fn sync_folder(&self, path: &Path) -> Result<()>;
}

/// A file open for appending.
pub trait AppendFile: Send {
    /// Hands the bytes to the operating system: they survive this process, but not a power cut.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Truncates the file to `length` bytes.
    fn cut(&mut self, length: u64) -> Result<()>;
    /// Syncs everything written so far to disk.
    fn sync(&mut self) -> Result<()>;
}

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn create_folder(&self, path: &Path) -> Result<bool> {
        let fail = |error| Error::at("creating the folder", path, error);
        fs::create_dir_all(parent(path)).map_err(fail)?;
        match fs::create_dir(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
                Ok(false)
            }
            Err(error) => Err(fail(error)),
        }
    }

    fn write(&self, path: &Path, content: Content) -> Result<()> {
        let write = || {
            let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
            content(&mut file)?;
            file.into_inner()?.sync_all()
        };
        write().map_err(|error| Error::at("writing", path, error))
    }

    fn append(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        let mut options = OpenOptions::new();
        let file = regular(path).and_then(|()| options.append(true).create(true).open(path));
        let file = file.map_err(|error| Error::at("opening", path, error))?;
        // A file system without locks is fine: the lock only guards against mistakes.
        for attempt in 0.. {
            let Err(TryLockError::WouldBlock) = file.try_lock() else {
                break;
            };
            if attempt == ATTEMPTS {
                return Err(Error::Busy {
                    path: path.to_path_buf(),
                    writer: "another process".into(),
                    elsewhere: None,
                });
            }
            std::thread::sleep(PAUSE);
        }
        let path = path.to_path_buf();
        Ok(Box::new(DiskAppend { path, file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|error| Error::at("renaming to", to, error))
    }

    fn remove_folder(&self, path: &Path) -> Result<()> {
        fs::remove_dir_all(path).map_err(|error| Error::at("removing", path, error))
    }

    fn sync_folder(&self, path: &Path) -> Result<()> {
        // Other systems neither allow nor need syncing a folder.
        if cfg!(unix) {
            let sync = || File::open(path)?.sync_all();
            sync().map_err(|error| Error::at("syncing", path, error))?;
        }
        Ok(())
    }
}

struct DiskAppend {
    path: PathBuf,
    file: File,
}

impl AppendFile for DiskAppend {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| Error::at("writing", &self.path, error))
    }

    fn cut(&mut self, length: u64) -> Result<()> {
        let cut = self.file.set_len(length);
        cut.map_err(|error| Error::at("shortening", &self.path, error))
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.file.sync_data();
        synced.map_err(|error| Error::at("syncing", &self.path, error))
    }
}

/// Bytes of all files in a folder and its subfolders; those that can't be read count 0.
pub fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => folder_bytes(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The absolute path; unchanged if the working folder no longer exists.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Refuses what exists and isn't a file: a pipe or a device may block whoever opens it.
fn regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it isn't a regular file")),
        _ => Ok(()),
    }
}

/// Opens a regular file for reading.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    regular(path)?;
    File::open(path)
}

/// The parent folder of a path: `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file so that readers see either the old or the new content, never a part. It goes to a
/// temporary file, which is synced and renamed over the old one; then the folder is synced.
pub fn write_atomic(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<()> {
    stream_atomic(files, path, &|to| to.write_all(bytes))
}

/// As [`write_atomic`], with content that is generated as it is written.
pub fn stream_atomic(files: &dyn Files, path: &Path, content: Content) -> Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = files.write(&partial, content);
    if let Err(error) = written.and_then(|()| files.rename(&partial, path)) {
        // A leftover is harmless.
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    files.sync_folder(parent(path))
}
