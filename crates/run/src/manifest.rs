//! The manifest of a checkpoint: what belongs to it, with sizes and hashes.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, NamedFile, Result};

/// The manifest's own name, which no file of a checkpoint may have.
pub(crate) const MANIFEST: &str = "manifest.json";

const VERSION: u64 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub version: u64,
    pub step: u64,
    /// Validation loss: nats per token, or mean squared error. `null` where it wasn't measured.
    pub loss: Option<f64>,
    pub files: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    pub(crate) fn new(step: u64, loss: Option<f64>, files: Vec<Entry>) -> Self {
        Self {
            version: VERSION,
            step,
            loss: loss.filter(|loss| loss.is_finite()),
            files,
        }
    }

    /// Reads and checks the manifest in a checkpoint's folder; the error says what is wrong with it.
    pub(crate) fn read(folder: &Path, step: u64) -> std::result::Result<Self, String> {
        let text = fs::read(folder.join(MANIFEST)).map_err(|error| error.to_string())?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        if manifest.version != VERSION {
            return Err(format!(
                "it has version {}, and this program reads version {VERSION}",
                manifest.version
            ));
        }
        if manifest.step != step {
            return Err(format!(
                "it says step {}, its folder says {step}",
                manifest.step
            ));
        }
        match manifest.files.iter().find_map(|e| bad_name(&e.name)) {
            Some(reason) => Err(format!("it names a file wrongly: {reason}")),
            None => Ok(manifest),
        }
    }
}

/// Refuses names that can't be those of files in a checkpoint.
pub(crate) fn check_names(files: &[NamedFile]) -> Result<()> {
    for (at, file) in files.iter().enumerate() {
        let taken = files[..at].iter().any(|other| other.name == file.name);
        let reason = match taken {
            true => Some("it is given twice"),
            false => bad_name(&file.name),
        };
        if let Some(reason) = reason {
            let name = file.name.clone();
            return Err(Error::BadName { name, reason });
        }
    }
    Ok(())
}

/// Why this can't be the name of a file in a checkpoint.
fn bad_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.starts_with('.') {
        Some("it starts with a dot")
    } else if name.chars().any(|c| "/\\:".contains(c) || c.is_control()) {
        Some("only plain file names are allowed, without / \\ : and control characters")
    } else if name == MANIFEST {
        Some("the list of files has this name")
    } else {
        None
    }
}

/// Counts and hashes what passes through it.
pub(crate) struct Hasher<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hasher<W> {
    pub(crate) fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Number of bytes, and their hash in hexadecimal.
    pub(crate) fn finish(self) -> (u64, String) {
        let hash = self.hash.finalize();
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        (self.bytes, hash)
    }
}

impl<W: Write> Write for Hasher<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        // The test vector of FIPS 180 for "abc".
        let golden = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut hasher = Hasher::new(Vec::new());
        hasher.write_all(b"abc").unwrap();
        assert_eq!(hasher.finish(), (3, golden.to_string()));
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in [
            "",
            "..",
            "../x",
            "a/b",
            "a\\b",
            ".hidden",
            "c:x",
            "manifest.json",
            "a\nb",
        ] {
            let error = check_names(&[NamedFile::bytes(name, Vec::new())]);
            assert!(matches!(error, Err(Error::BadName { .. })), "{name:?}");
        }
        let named = |name: &str| NamedFile::bytes(name, Vec::new());
        assert!(check_names(&[named("a"), named("a")]).is_err());
        assert!(check_names(&[named("model.safetensors")]).is_ok());
        assert_eq!(Manifest::new(1, Some(f64::NAN), Vec::new()).loss, None);
    }
}
