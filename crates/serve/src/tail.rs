//! Follows a file that grows: whole lines, each once, with the place where it begins.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at once, and the longest line that is understood.
const CHUNK: usize = 1 << 20;
const LONGEST: usize = 16 << 20;

/// The lines of a file so far.
pub struct Tail {
    path: PathBuf,
    /// Bytes of whole lines read.
    read: u64,
}

/// What a look at the file found.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// All whole lines that there are.
    All,
    /// The file is shorter than what was read: it is another one.
    Replaced,
}

impl Tail {
    /// Follows a file from its beginning; it need not exist yet.
    pub fn new(path: PathBuf) -> Tail {
        Tail { path, read: 0 }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of whole lines read so far.
    pub fn read_so_far(&self) -> u64 {
        self.read
    }

    /// Gives every new whole line, with its place, to `line`.
    pub fn follow(&mut self, mut line: impl FnMut(u64, &[u8])) -> io::Result<Followed> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(if self.read > 0 {
                    Followed::Replaced
                } else {
                    Followed::All
                });
            }
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if length < self.read {
            return Ok(Followed::Replaced);
        }
        if length == self.read {
            return Ok(Followed::All);
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        loop {
            let kept = bytes.len();
            let got = file.by_ref().take(CHUNK as u64).read_to_end(&mut bytes)?;
            if got == 0 {
                return Ok(Followed::All);
            }
            let mut from = 0;
            while let Some(at) = memchr::memchr(b'\n', &bytes[from.max(kept)..]) {
                let end = from.max(kept) + at;
                line(self.read, &bytes[from..end]);
                self.read += (end + 1 - from) as u64;
                from = end + 1;
            }
            bytes.drain(..from);
            if bytes.len() > LONGEST {
                return Err(io::Error::other("a line is too long to be an event"));
            }
        }
    }
}

/// Reads `length` bytes of a file from a place on.
pub fn read_at(path: &Path, from: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whole_lines_come_once_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut tail = Tail::new(path.clone());
        let look = |tail: &mut Tail| {
            let mut lines = Vec::new();
            let found = tail.follow(|at, line| {
                lines.push((at, String::from_utf8(line.to_vec()).unwrap()));
            });
            (found.unwrap(), lines)
        };
        assert_eq!(look(&mut tail), (Followed::All, vec![]));
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        let first = vec![(0, "one".to_owned()), (4, "two".to_owned())];
        assert_eq!(look(&mut tail), (Followed::All, first));
        assert_eq!(look(&mut tail).1, vec![]);
        file.write_all(b"ee\n\n").unwrap();
        assert_eq!(
            look(&mut tail).1,
            vec![(8, "three".into()), (14, String::new())]
        );
        let long = "x".repeat(3 * CHUNK);
        file.write_all(format!("{long}\nend\n").as_bytes()).unwrap();
        let lines = look(&mut tail).1;
        assert_eq!((lines[0].1.len(), lines[1].1.as_str()), (long.len(), "end"));
        assert_eq!(read_at(&path, lines[1].0, 3).unwrap(), b"end");
        std::fs::write(&path, b"new\n").unwrap();
        assert_eq!(look(&mut tail).0, Followed::Replaced);
    }
}
