//! Follows a growing file, such as the log of a live run: gives each complete line once, with its
//! offset, in bounded memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::files::open_regular;

/// Bytes per read, and the length at which a line is cut.
const CHUNK: usize = 1 << 20;
const LONGEST: usize = 16 << 20;
/// Bytes before the current offset that identify the file: a line contains its time.
const KNOWN: usize = 64;

/// A reader that returns the new lines of a file.
pub struct Follow {
    path: PathBuf,
    /// Bytes of the lines returned so far.
    read: u64,
    /// The last of these bytes.
    known: Vec<u8>,
    /// Whether the current line was too long: its beginning was returned, and the rest is skipped.
    cut: bool,
}

/// What a look at the file found.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// The same file; all complete lines were returned.
    All,
    /// A different file, or none any more. No lines were returned; the next look starts over.
    Replaced,
}

impl Follow {
    /// Follows a file from its beginning; it doesn't have to exist yet.
    pub fn new(path: PathBuf) -> Follow {
        Follow {
            path,
            read: 0,
            known: Vec::new(),
            cut: false,
        }
    }

    /// Bytes of the lines returned so far.
    pub fn read_so_far(&self) -> u64 {
        self.read
    }

    /// Calls `line` with the offset and content of every new complete line.
    ///
    /// # Errors
    /// If the file can't be read; the next look continues from there.
    pub fn look(&mut self, mut line: impl FnMut(u64, &[u8])) -> io::Result<Followed> {
        let Some(mut file) = self.open()? else {
            let found = match self.read {
                0 => Followed::All,
                _ => Followed::Replaced,
            };
            *self = Follow::new(std::mem::take(&mut self.path));
            return Ok(found);
        };
        let mut bytes = Vec::new();
        loop {
            let kept = bytes.len();
            if file.by_ref().take(CHUNK as u64).read_to_end(&mut bytes)? == 0 {
                return Ok(Followed::All);
            }
            let mut from = 0;
            while let Some(at) = memchr::memchr(b'\n', &bytes[from.max(kept)..]) {
                let end = from.max(kept) + at + 1;
                if !std::mem::take(&mut self.cut) {
                    line(self.read, &bytes[from..end - 1]);
                }
                self.advance(&bytes[from..end]);
                from = end;
            }
            bytes.drain(..from);
            if bytes.len() > LONGEST {
                if !std::mem::replace(&mut self.cut, true) {
                    line(self.read, &bytes);
                }
                self.advance(&bytes);
                bytes.clear();
            }
        }
    }

    /// The file at the current offset; `None` if it is missing or a different file.
    fn open(&self) -> io::Result<Option<File>> {
        let mut file = match open_regular(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.read - self.known.len() as u64))?;
        let mut known = Vec::new();
        file.by_ref()
            .take(self.known.len() as u64)
            .read_to_end(&mut known)?;
        Ok((known == self.known).then_some(file))
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.read += bytes.len() as u64;
        self.known
            .extend(&bytes[bytes.len().saturating_sub(KNOWN)..]);
        let old = self.known.len().saturating_sub(KNOWN);
        self.known.drain(..old);
    }

    /// Reads `length` bytes of the file at an offset.
    ///
    /// # Errors
    /// If the file can't be read or is too short.
    pub fn read_at(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = open_regular(&self.path)?;
        file.seek(SeekFrom::Start(place))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The result of a look, and the lines with their offsets.
    fn look(follow: &mut Follow) -> (Followed, Vec<(u64, String)>) {
        let mut lines = Vec::new();
        let found = follow.look(|at, line| {
            lines.push((at, String::from_utf8(line.to_vec()).unwrap()));
        });
        (found.unwrap(), lines)
    }

    #[test]
    fn complete_lines_come_once_with_their_offset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut follow = Follow::new(path.clone());
        assert_eq!(look(&mut follow), (Followed::All, vec![]));
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        let first = vec![(0, "one".to_owned()), (4, "two".to_owned())];
        assert_eq!(look(&mut follow), (Followed::All, first));
        assert_eq!(look(&mut follow).1, vec![]);
        file.write_all(b"ee\n\n").unwrap();
        let rest = vec![(8, "three".into()), (14, String::new())];
        assert_eq!(look(&mut follow).1, rest);
        let long = "x".repeat(3 * CHUNK);
        file.write_all(format!("{long}\nend\n").as_bytes()).unwrap();
        let lines = look(&mut follow).1;
        assert_eq!((lines[0].1.len(), lines[1].1.as_str()), (long.len(), "end"));
        assert_eq!(follow.read_at(lines[1].0, 3).unwrap(), b"end");
    }

    #[test]
    fn a_replaced_file_is_noticed_whatever_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut follow = Follow::new(path.clone());
        let mut text = "old 1\nold 2\n".to_owned();
        std::fs::write(&path, &text).unwrap();
        for other in ["new\n", "new 1\nnew 2\n", "a new one\nand more\nof it\n"] {
            assert_eq!(look(&mut follow).1.len(), text.lines().count());
            std::fs::write(&path, other).unwrap();
            assert_eq!(look(&mut follow), (Followed::Replaced, vec![]), "{other}");
            text = other.to_owned();
        }
        assert_eq!(look(&mut follow).1.len(), 3);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look(&mut follow), (Followed::Replaced, vec![]));
        assert_eq!(look(&mut follow), (Followed::All, vec![]));
    }

    #[test]
    fn only_the_beginning_of_an_endless_line_is_returned_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut follow = Follow::new(path.clone());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"a\n").unwrap();
        file.write_all(&vec![b'x'; 2 * LONGEST + 5 * CHUNK])
            .unwrap();
        let lines = look(&mut follow).1;
        assert_eq!((lines.len(), lines[1].0), (2, 2));
        assert!(lines[1].1.len() <= LONGEST + CHUNK);
        file.write_all(b"yyy\nb\n").unwrap();
        let rest = look(&mut follow).1;
        assert_eq!((rest.len(), rest[0].1.as_str()), (1, "b"));
    }
}
