//! Follows a file that grows, as the log of a run that trains: whole lines, each once, with the place
//! where it begins, in bounded memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes read at once, and the longest line; of a longer one that much is given.
const CHUNK: usize = 1 << 20;
const LONGEST: usize = 16 << 20;
/// Bytes before the place at hand by which the file is known again: those of a line have its time.
const KNOWN: usize = 64;

/// The lines of a file so far.
pub struct Follow {
    path: PathBuf,
    /// Bytes of lines that were given.
    read: u64,
    /// The last of them.
    known: Vec<u8>,
    /// Whether the line at hand was too long: it was given, and its rest is left out.
    cut: bool,
}

/// What a look at the file found.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// All whole lines that there are.
    All,
    /// Another file than before, or none any more. No line was given; the next look begins anew.
    Replaced,
}

impl Follow {
    /// Follows a file from its beginning; it need not exist yet.
    pub fn new(path: PathBuf) -> Follow {
        Follow {
            path,
            read: 0,
            known: Vec::new(),
            cut: false,
        }
    }

    /// Bytes of lines given so far.
    pub fn read_so_far(&self) -> u64 {
        self.read
    }

    /// Gives every new whole line, with its place, to `line`.
    ///
    /// # Errors
    /// Where the file can't be read; the next look goes on from there.
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

    /// The file at the place reached so far; `None` where it isn't there, or is another one.
    fn open(&self) -> io::Result<Option<File>> {
        let mut file = match File::open(&self.path) {
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

    /// Reads `length` bytes of the file from a place on.
    ///
    /// # Errors
    /// Where the file can't be read, or ends before.
    pub fn read_at(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
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

    /// What a look finds: the lines with their places.
    fn look(follow: &mut Follow) -> (Followed, Vec<(u64, String)>) {
        let mut lines = Vec::new();
        let found = follow.look(|at, line| {
            lines.push((at, String::from_utf8(line.to_vec()).unwrap()));
        });
        (found.unwrap(), lines)
    }

    #[test]
    fn whole_lines_come_once_with_their_place() {
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
    fn another_file_at_its_place_is_noticed_whatever_its_length() {
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
    fn of_an_endless_line_the_beginning_is_given_once() {
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
