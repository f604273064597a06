//! The manifest of a checkpoint: its files, with sizes and hashes.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, NamedFile, Result};

/// The manifest's own name, which no other file of a checkpoint may have.
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

    /// Reads and checks the manifest in a checkpoint's folder; the error says what is wrong.
    pub(crate) fn read(folder: &Path, step: u64) -> std::result::Result<Self, String> {
        let text = fs::read(folder.join(MANIFEST)).map_err(|error| error.to_string())?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        if manifest.version != VERSION {
            return Err(format!(
                "its version is {}, but this program reads version {VERSION}",
                manifest.version
            ));
        }
        if manifest.step != step {
            return Err(format!(
                "it says step {}, but its folder says step {step}",
                manifest.step
            ));
        }
        match manifest.files.iter().find_map(|e| bad_name(&e.name)) {
            Some(reason) => Err(format!("it lists an invalid file name: {reason}")),
            None => Ok(manifest),
        }
    }
}

/// Refuses names that aren't valid for files in a checkpoint.
pub(crate) fn check_names(files: &[NamedFile]) -> Result<()> {
    for (at, file) in files.iter().enumerate() {
        let taken = files[..at].iter().any(|other| other.name == file.name);
        let reason = match taken {
            true => Some("it appears twice"),
            false => bad_name(&file.name),
        };
        if let Some(reason) = reason {
            let name = file.name.clone();
            return Err(Error::BadName { name, reason });
        }
    }
    Ok(())
}

/// Why this isn't a valid name for a file in a checkpoint.
fn bad_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.starts_with('.') {
        Some("it starts with a dot")
    } else if name.chars().any(|c| "/\\:".contains(c) || c.is_control()) {
        Some("it contains a /, a \\, a : or a control character")
    } else if name == MANIFEST {
        Some("it is reserved for the manifest")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
