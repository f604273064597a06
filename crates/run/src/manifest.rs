//! The manifest of a checkpoint: its files, with sizes and hashes.

use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::open_regular;
use crate::{Error, NamedFile, Result, sha256};

/// The manifest's own name, which no other file of a checkpoint may have.
pub(crate) const MANIFEST: &str = "manifest.json";

const VERSION: u64 = 2;
/// The version without a hash of its own.
const UNHASHED: u64 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub version: u64,
    pub step: u64,
    /// Validation loss: nats per token, or mean squared error. `null` where it wasn't measured.
    pub loss: Option<f64>,
    pub files: Vec<Entry>,
    /// SHA-256 of this manifest as JSON without this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
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
            sha256: None,
        }
    }

    /// The manifest's own hash.
    fn hash(&self) -> serde_json::Result<String> {
        let bare = Self {
            sha256: None,
            ..self.clone()
        };
        Ok(sha256(&serde_json::to_vec(&bare)?))
    }

    /// The content of its file.
    pub(crate) fn text(&self) -> io::Result<Vec<u8>> {
        let hashed = Self {
            sha256: Some(self.hash()?),
            ..self.clone()
        };
        let mut text = serde_json::to_vec_pretty(&hashed)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads and checks the manifest in a checkpoint's folder; the error says what is wrong.
    pub(crate) fn read(folder: &Path, step: u64) -> std::result::Result<Self, String> {
        let read = || -> io::Result<Self> {
            let mut text = Vec::new();
            open_regular(&folder.join(MANIFEST))?.read_to_end(&mut text)?;
            Ok(serde_json::from_slice(&text)?)
        };
        let manifest = read().map_err(|error| error.to_string())?;
        let hash = manifest.hash().map_err(|error| error.to_string())?;
        let whole = match manifest.version {
            VERSION => manifest.sha256.as_ref() == Some(&hash),
            UNHASHED => manifest.sha256.is_none(),
            version => {
                return Err(format!(
                    "its version is {version}, but this program reads version {VERSION}"
                ));
            }
        };
        if !whole {
            return Err("it doesn't match its own hash".to_string());
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
