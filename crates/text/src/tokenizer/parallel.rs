//! Encodes one text on several threads, with the same ids: cuts fall where every split has a
//! boundary.

use super::{Encoder, Tokenizer};
use crate::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

/// About how much a thread encodes at a time.
const CHUNK_BYTES: usize = 1 << 20;

impl Tokenizer {
    /// The length of the longest prefix of `text`, at most `most` bytes, that can be encoded
    /// separately whatever follows: its ids and the ids of the rest are the ids of the whole.
    /// `None` if there is no such prefix, which happens only in texts shorter than 64 kB.
    pub fn safe_end(&self, text: &[u8], most: usize) -> Option<usize> {
        let most = most.min(text.len());
        match self {
            Tokenizer::Bytes => Some(most),
            Tokenizer::Chars(_) => {
                let begins = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
                (most.saturating_sub(3)..=most).rev().find(begins)
            }
            Tokenizer::Bpe(bpe) => bpe.split().safe_end(text, most),
        }
    }

    /// The ids of a text, equal to those of [`Tokenizer::encode`], computed on `threads` threads.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_on(&self, text: &[u8], threads: usize) -> Result<Vec<u32>, Error> {
        if threads < 2 || text.len() < 2 * CHUNK_BYTES {
            return self.encode(text);
        }
        let mut chunks = Vec::new();
        let (mut from, mut most) = (0, CHUNK_BYTES);
        while from < text.len() {
            let rest = &text[from..];
            let end = if most < rest.len() {
                self.safe_end(rest, most)
            } else {
                Some(rest.len())
            };
            match end.filter(|end| *end > 0) {
                Some(end) => {
                    chunks.push((from, &rest[..end]));
                    (from, most) = (from + end, CHUNK_BYTES);
                }
                None => most *= 2,
            }
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let (mut done, mut encoder) = (Vec::new(), Encoder::new(self));
            while let Some((from, chunk)) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push((*from, encoder.encode(chunk)));
            }
            done
        };
        let mut parts: Vec<(usize, Result<Vec<u32>, Error>)> = std::thread::scope(|scope| {
            // Those that can be started do the work; if none can, this thread does.
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let workers: Vec<_> = (0..threads).map_while(start).collect();
            if workers.is_empty() {
                return work();
            }
            let joined = workers.into_iter().map(|worker| worker.join());
            joined
                .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        parts.sort_by_key(|(from, _)| *from);
        let mut ids = Vec::new();
        for (from, part) in parts {
            ids.append(&mut part.map_err(|error| error.moved(from))?);
        }
        Ok(ids)
    }
}
