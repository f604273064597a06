//! Files for people, such as reports and pictures, at a path that the user chose.

use crate::{Disk, Error, Result, write_atomic};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The last line of every such file, by which it is known again.
const MARK: &str = "<!-- written by downhill -->\n";

/// Whether this program wrote the file.
pub fn is_output(path: &Path) -> bool {
    let read = || -> std::io::Result<bool> {
        let mut file = File::open(path)?;
        let mut end = Vec::new();
        file.seek(SeekFrom::End(-(MARK.len() as i64)))?;
        file.read_to_end(&mut end)?;
        Ok(end == MARK.as_bytes())
    };
    read().unwrap_or(false)
}

/// The content of such a file: HTML or SVG, with the mark.
pub fn marked(text: &str) -> String {
    format!("{}\n{MARK}", text.trim_end())
}

/// Writes such a file. What this program didn't write is replaced only with `overwrite`.
///
/// # Errors
/// If something else is there, or the file can't be written.
pub fn write_output(path: &Path, text: &str, overwrite: bool) -> Result<()> {
    if path.exists() && !overwrite && !is_output(path) {
        return Err(Error::Taken {
            path: path.to_owned(),
        });
    }
    write_atomic(&Disk, path, marked(text).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_here_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.html");
        write_output(&path, "<p>one</p>", false).unwrap();
        write_output(&path, "<p>two</p>", false).unwrap();
        assert!(is_output(&path));
        std::fs::write(&path, "a novel").unwrap();
        let error = write_output(&path, "<p>three</p>", false).unwrap_err();
        assert!(error.to_string().contains("--overwrite"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"a novel");
        write_output(&path, "<p>three</p>", true).unwrap();
        assert!(is_output(&path));
    }
}
