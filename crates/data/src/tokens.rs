//! The tokens of a part, in memory or on disk.

use crate::shard::{self, Layout, SHARD_TOKENS, ShardEntry, Width};
use crate::{Error, Result, cache};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Shards open at a time.
const OPEN: usize = 64;

/// Shards that are fully checked on opening; the others are checked when first read.
pub(crate) const CHECKED_AT_ONCE: usize = 16;

/// The tokens of a part, in memory or in shards.
///
/// Shards are read at the requested position. Only open files are kept: the system's page cache
/// makes this as fast as memory.
#[derive(Debug)]
pub struct Tokens {
    len: u64,
    width: Width,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory(Vec<u8>),
    Shards(Shards),
    /// Other tokens, with passages written over them, in ascending order.
    Planted(Arc<Tokens>, Vec<(usize, Vec<u32>)>),
}

#[derive(Debug)]
struct Shards {
    folder: PathBuf,
    tokenizer_sha256: String,
    entries: Vec<ShardEntry>,
    open: Mutex<Open>,
    /// Keeps a folder of the cache from being removed.
    _claim: Option<File>,
}

#[derive(Debug, Default)]
struct Open {
    files: BTreeMap<usize, (File, Layout)>,
    checked: Vec<bool>,
}

impl Tokens {
    /// Tokens in memory.
    pub fn in_memory(tokens: &[u32]) -> Tokens {
        let width = Width::for_vocabulary(tokens.iter().max().map_or(0, |&t| t as usize + 1));
        let mut stored = Vec::with_capacity(tokens.len() * width.bytes());
        width.store(tokens, &mut stored);
        Tokens::stored(width, stored)
    }

    pub(crate) fn stored(width: Width, stored: Vec<u8>) -> Tokens {
        Tokens {
            len: (stored.len() / width.bytes()) as u64,
            width,
            store: Store::Memory(stored),
        }
    }

    /// The same tokens with passages written over them. Each begins at its position and ends before
    /// the next begins; ids are below the vocabulary of the tokens.
    #[must_use]
    pub fn planted(under: Arc<Tokens>, mut passages: Vec<(usize, Vec<u32>)>) -> Tokens {
        passages.sort();
        Tokens {
            len: under.len,
            width: under.width,
            store: Store::Planted(under, passages),
        }
    }

    /// Tokens of shards in a folder. The first `at_once` shards are checked immediately.
    pub(crate) fn open(
        folder: &Path,
        entries: Vec<ShardEntry>,
        width: Width,
        tokenizer_sha256: &str,
        at_once: usize,
    ) -> Result<Tokens> {
        let full = entries.len().saturating_sub(1);
        let even = entries.iter().take(full).all(|e| e.tokens == SHARD_TOKENS);
        let last = entries
            .last()
            .is_none_or(|e| (1..=SHARD_TOKENS).contains(&e.tokens));
        if !even || !last {
            return Err(Error::prepared(
                folder,
                "data.json is damaged: its shards have inconsistent sizes",
            ));
        }
        let checked = vec![false; entries.len()];
        let shards = Shards {
            folder: folder.to_owned(),
            tokenizer_sha256: tokenizer_sha256.to_owned(),
            open: Mutex::new(Open {
                checked,
                ..Open::default()
            }),
            entries,
            _claim: cache::claim_cached(folder),
        };
        for (number, entry) in shards.entries.iter().enumerate() {
            let path = folder.join(&entry.file);
            let bytes = std::fs::metadata(&path)
                .map_err(|e| Error::reading(&path, &e))?
                .len();
            if bytes != entry.bytes {
                let reason = format!(
                    "the shard is damaged: it has {bytes} bytes, not {}. Prepare the data again",
                    entry.bytes
                );
                return Err(Error::prepared(&path, reason));
            }
            if number < at_once {
                shards.with(number, width, |_, _| Ok(()))?;
            }
        }
        Ok(Tokens {
            len: shards.entries.iter().map(|e| e.tokens).sum(),
            width,
            store: Store::Shards(shards),
        })
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies tokens starting at position `start`, enough to fill `out`, which must not reach past
    /// the end.
    ///
    /// # Errors
    /// If a shard can't be read or is damaged.
    pub fn read(&self, start: usize, out: &mut [u32]) -> Result<()> {
        assert!(start + out.len() <= self.len(), "tokens beyond the end");
        let bytes = self.width.bytes();
        match &self.store {
            Store::Memory(stored) => {
                self.width.load(&stored[start * bytes..], out);
                Ok(())
            }
            Store::Shards(shards) => shards.read(self.width, start as u64, out),
            Store::Planted(under, passages) => {
                under.read(start, out)?;
                let end = start + out.len();
                let first = passages.partition_point(|(at, p)| at + p.len() <= start);
                let inside = passages[first..].iter().take_while(|(at, _)| *at < end);
                for (at, passage) in inside {
                    let (from, to) = (start.max(*at), end.min(at + passage.len()));
                    out[from - start..to - start].copy_from_slice(&passage[from - at..to - at]);
                }
                Ok(())
            }
        }
    }

    /// Copies tokens cyclically: the first follows the last.
    ///
    /// # Errors
    /// If a shard can't be read or is damaged.
    pub fn read_ring(&self, start: usize, out: &mut [u32]) -> Result<()> {
        let mut at = start % self.len().max(1);
        let mut rest = out;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at_mut(rest.len().min(self.len() - at));
            self.read(at, head)?;
            (at, rest) = (0, tail);
        }
        Ok(())
    }

    /// All tokens.
    ///
    /// # Errors
    /// If a shard can't be read or is damaged.
    pub fn all(&self) -> Result<Vec<u32>> {
        let mut all = vec![0; self.len()];
        self.read(0, &mut all)?;
        Ok(all)
    }

    /// The positions, within the part, of the first tokens of documents in shard `shard`.
    pub(crate) fn documents(&self, shard: usize) -> Result<Vec<u64>> {
        let Store::Shards(shards) = &self.store else {
            return Ok(Vec::new());
        };
        let count = shards.entries[shard].documents as usize;
        shards.with(shard, self.width, |file, layout| {
            let mut stored = vec![0; count * 8];
            read_at(file, &mut stored, layout.documents)?;
            let each = stored.as_chunks::<8>().0.iter();
            Ok(each.map(|b| u64::from_le_bytes(*b)).collect())
        })
    }
}

impl Shards {
    fn read(&self, width: Width, mut start: u64, out: &mut [u32]) -> Result<()> {
        let mut rest = out;
        let mut stored = Vec::new();
        while !rest.is_empty() {
            let (shard, at) = ((start / SHARD_TOKENS) as usize, start % SHARD_TOKENS);
            let most = (self.entries[shard].tokens - at).min(rest.len() as u64) as usize;
            let (head, tail) = rest.split_at_mut(most);
            stored.resize(most * width.bytes(), 0);
            self.with(shard, width, |file, layout| {
                read_at(file, &mut stored, layout.tokens + at * width.bytes() as u64)
            })?;
            width.load(&stored, head);
            (start, rest) = (start + most as u64, tail);
        }
        Ok(())
    }

    /// Calls `f` with an open, checked shard.
    fn with<T>(
        &self,
        shard: usize,
        width: Width,
        f: impl FnOnce(&File, Layout) -> io::Result<T>,
    ) -> Result<T> {
        let entry = &self.entries[shard];
        let path = self.folder.join(&entry.file);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.files.contains_key(&shard) {
            let mut file = File::open(&path).map_err(|e| Error::reading(&path, &e))?;
            let layout = shard::layout(&path, &mut file, entry, width, &self.tokenizer_sha256)?;
            if !open.checked[shard] {
                shard::verify(&path, &mut file, entry)?;
                open.checked[shard] = true;
            }
            if open.files.len() >= OPEN {
                open.files.clear();
            }
            open.files.insert(shard, (file, layout));
        }
        let (file, layout) = &open.files[&shard];
        f(file, *layout).map_err(|e| Error::reading(&path, &e))
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => (into, at) = (&mut into[count..], at + count as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_passages_replace_what_is_under_them_in_every_window() {
        let under = Arc::new(Tokens::in_memory(&(0..20).collect::<Vec<_>>()));
        let passages = vec![(12, vec![7; 3]), (4, vec![9, 8])];
        let planted = Tokens::planted(under, passages);
        let mut all: Vec<u32> = (0..20).collect();
        all[4..6].copy_from_slice(&[9, 8]);
        all[12..15].fill(7);
        for start in 0..20 {
            for end in start..=20 {
                let mut window = vec![0; end - start];
                planted.read(start, &mut window).unwrap();
                assert_eq!(window, all[start..end]);
            }
        }
    }
}
