//! The lock of a run folder: at most one process writes to a run.
//!
//! The system releases the lock when its process ends, however it ends; the file itself stays, and
//! contains the process's number.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use crate::files::open_regular;
use crate::{AppendFile, Error, Files, Result};

/// The lock's file in a run folder.
pub(crate) const NAME: &str = "writer.lock";

/// The right to write to a run folder, until it is dropped.
pub(crate) struct Lock {
    _file: Mutex<Box<dyn AppendFile>>,
}

impl Lock {
    /// Takes the lock of a run folder.
    pub fn take(files: &dyn Files, folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let busy = || Error::Busy {
            path: folder.to_path_buf(),
            writer: fs::read_to_string(&path)
                .ok()
                .and_then(|text| text.trim().parse::<u32>().ok())
                .map_or("another process".to_owned(), |id| format!("process {id}")),
            elsewhere: None,
        };
        let mut file = files.append(&path).map_err(|error| match error {
            Error::Busy { .. } => busy(),
            other => other,
        })?;
        let own = format!("{}\n", std::process::id());
        file.cut(0)?;
        file.write(own.as_bytes())?;
        // The folder may have been replaced by another one between opening and locking.
        if fs::read_to_string(&path).is_ok_and(|found| found != own) {
            return Err(busy());
        }
        Ok(Self {
            _file: Mutex::new(file),
        })
    }
}

/// Whether no process holds the lock of a run folder. On a file system without locks nobody can
/// tell, and it counts as held.
pub(crate) fn is_free(folder: &Path) -> bool {
    let file = open_regular(&folder.join(NAME));
    // Without a file it was never locked.
    file.map_or(true, |file| file.try_lock_shared().is_ok())
}

/// Which folder this is, whatever its name.
pub(crate) fn identity(folder: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let since = metadata.created()?.duration_since(std::time::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        Ok((since.as_secs(), u64::from(since.subsec_nanos())))
    }
}
