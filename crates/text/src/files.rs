//! Files and folders to one text with a training and a validation part.

use crate::Error;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// A short name, good for a folder: letters, digits, `.`, `_` and `-`, no leading `.`.
    pub name: String,
    /// The paths that it was read from, as given but absolute.
    pub sources: Vec<PathBuf>,
    /// What is learnt from.
    pub train: Vec<u8>,
    /// What the model is judged on.
    pub validation: Vec<u8>,
    /// Entropy floor of the validation text after its first byte, in bits, where it is known.
    pub floor_bits: Option<f64>,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Any bytes are allowed in a named file, and the cut may fall anywhere.
    pub raw_bytes: bool,
    /// Invalid UTF-8 in a named file is replaced with U+FFFD.
    pub lossy: bool,
    /// The most bytes that the validation part takes.
    pub validation_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            raw_bytes: false,
            lossy: false,
            validation_bytes: 2_000_000,
        }
    }
}

/// Reads files in the order given, and folders sorted by path, and joins them byte to byte.
///
/// Within folders, hidden files and folders and files that aren't UTF-8 are skipped. The last 10%
/// of the whole, at most `validation_bytes`, is the validation part; unless bytes are raw, the cut
/// moves back to the beginning of a character. A `validation` path replaces that: then all of
/// `paths` trains.
pub fn read(paths: &[PathBuf], validation: Option<&Path>, o: &ReadOptions) -> Result<Text, Error> {
    let first = paths.first().ok_or(Error::NoPaths)?;
    let mut train = Vec::new();
    for path in paths {
        read_path(path, o, &mut train)?;
    }
    let mut held_out = Vec::new();
    match validation {
        Some(path) => read_path(path, o, &mut held_out)?,
        None => held_out = train.split_off(cut(&train, o)),
    }
    let absolute = |path: &PathBuf| std::path::absolute(path).map_err(|e| unreadable(path, &e));
    let sources = paths.iter().map(absolute).collect::<Result<_, _>>()?;
    Ok(Text {
        name: name(first),
        sources,
        train,
        validation: held_out,
        floor_bits: None,
    })
}

/// Where the validation part begins.
fn cut(text: &[u8], o: &ReadOptions) -> usize {
    let ninth = (text.len() as u128 * 9 / 10) as usize;
    let mut cut = ninth.max(text.len().saturating_sub(o.validation_bytes));
    let inside = |cut: usize| text.get(cut).is_some_and(|&byte| byte & 0xC0 == 0x80);
    while !o.raw_bytes && cut > 0 && inside(cut) {
        cut -= 1;
    }
    cut
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let path = path.to_owned();
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::Missing { path },
        _ => Error::Unreadable {
            path,
            reason: error.to_string(),
        },
    }
}

/// Appends one file or folder to `text`.
fn read_path(path: &Path, o: &ReadOptions, text: &mut Vec<u8>) -> Result<(), Error> {
    if std::fs::metadata(path)
        .map_err(|e| unreadable(path, &e))?
        .is_dir()
    {
        return read_folder(path, text);
    }
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, &e))?;
    if bytes.is_empty() {
        return Err(Error::Empty {
            path: path.to_owned(),
        });
    }
    match std::str::from_utf8(&bytes) {
        Err(_) if !o.raw_bytes && o.lossy => {
            text.extend_from_slice(String::from_utf8_lossy(&bytes).as_bytes());
        }
        Err(e) if !o.raw_bytes => {
            return Err(Error::FileNotUtf8 {
                path: path.to_owned(),
                offset: e.valid_up_to(),
            });
        }
        _ => text.extend_from_slice(&bytes),
    }
    Ok(())
}

/// Appends the text files of a folder, in the order of their paths.
fn read_folder(folder: &Path, text: &mut Vec<u8>) -> Result<(), Error> {
    let before = text.len();
    let hidden = |entry: &walkdir::DirEntry| {
        entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|entry| !hidden(entry)) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => match error.io_error() {
                // A link to a folder around it, or to nothing.
                None => continue,
                Some(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Some(e) => return Err(unreadable(error.path().unwrap_or(folder), e)),
            },
        };
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).map_err(|e| unreadable(entry.path(), &e))?;
            if std::str::from_utf8(&bytes).is_ok() {
                text.extend_from_slice(&bytes);
            }
        }
    }
    if text.len() == before {
        return Err(Error::NoText {
            path: folder.to_owned(),
        });
    }
    Ok(())
}

/// A name for the corpus after the first path.
fn name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stem = if real.is_dir() {
        path.file_name().or(real.file_name())
    } else {
        path.file_stem()
    };
    let stem = stem.map(|s| s.to_string_lossy()).unwrap_or_default();
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = stem.chars().map(allowed).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() {
        "text".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn put(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn message(path: &Path, o: &ReadOptions) -> String {
        read(&[path.to_owned()], None, o).unwrap_err().to_string()
    }

    #[test]
    fn the_last_tenth_validates_and_no_character_is_cut() {
        let dir = folder();
        let path = put(&dir, "My novel!.txt", "\u{4F60}".repeat(33).as_bytes());
        let o = ReadOptions::default();
        let text = read(std::slice::from_ref(&path), None, &o).unwrap();
        assert_eq!((text.train.len(), text.validation.len()), (87, 12));
        assert_eq!(text.name, "My-novel-");
        let raw = ReadOptions {
            raw_bytes: true,
            ..o
        };
        assert_eq!(
            read(std::slice::from_ref(&path), None, &raw)
                .unwrap()
                .validation
                .len(),
            10
        );
        let few = ReadOptions {
            validation_bytes: 3,
            ..o
        };
        assert_eq!(
            read(std::slice::from_ref(&path), None, &few)
                .unwrap()
                .validation
                .len(),
            3
        );
        let other = put(&dir, "val.txt", b"held out");
        let text = read(&[path], Some(&other), &o).unwrap();
        assert_eq!(
            (text.train.len(), &text.validation[..]),
            (99, &b"held out"[..])
        );
    }

    #[test]
    fn files_in_order_folders_by_path_without_hidden_and_binary_files() {
        let dir = folder();
        put(&dir, "d/b.txt", b"[b]");
        put(&dir, "d/a/z.md", b"[az]");
        put(&dir, "d/.git/x.txt", b"[hidden]");
        put(&dir, "d/.x", b"[hidden]");
        put(&dir, "d/c.png", b"\x89PNG\xFF");
        put(&dir, "d/e", b"");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path().join("d"), dir.path().join("d/loop")).unwrap();
            std::os::unix::fs::symlink("nowhere", dir.path().join("d/gone")).unwrap();
        }
        let first = put(&dir, "first.txt", b"[first]");
        let paths = [first, dir.path().join("d")];
        let text = read(&paths, None, &ReadOptions::default()).unwrap();
        assert_eq!([text.train, text.validation].concat(), b"[first][az][b]");
        assert!(text.sources.iter().all(|s| s.is_absolute()) && text.sources.len() == 2);
    }

    #[test]
    fn each_bad_input_has_its_message() {
        let dir = folder();
        let o = ReadOptions::default();
        assert!(message(&dir.path().join("none"), &o).contains("no such file"));
        assert!(message(&put(&dir, "empty.txt", b""), &o).contains("empty"));
        fs::create_dir(dir.path().join("void")).unwrap();
        assert!(message(&dir.path().join("void"), &o).contains("no UTF-8 text"));
        assert!(read(&[], None, &o).is_err());
        let bad = put(&dir, "bad.txt", b"abc\xFFdef");
        let error = message(&bad, &o);
        for part in [
            "bad.txt",
            "offset 3",
            "--lossy",
            "--set data.tokenizer=bytes",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let all = |o| {
            read(std::slice::from_ref(&bad), None, &o).map(|t| [t.train, t.validation].concat())
        };
        let lossy = all(ReadOptions { lossy: true, ..o }).unwrap();
        assert_eq!(lossy, "abc\u{FFFD}def".as_bytes());
        assert_eq!(
            all(ReadOptions {
                raw_bytes: true,
                ..o
            })
            .unwrap(),
            b"abc\xFFdef"
        );
    }

    #[test]
    fn names_are_safe_for_folders() {
        for (path, expected) in [
            ("..", None),
            ("a/.hidden", Some("hidden")),
            ("\u{4F60}.txt", Some("text")),
        ] {
            let name = name(Path::new(path));
            assert!(!name.is_empty() && !name.starts_with('.'), "{name}");
            assert!(expected.is_none_or(|e| e == name), "{name}");
        }
    }
}
