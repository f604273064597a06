//! Sequences that begin alike share the pages of their beginning.

use crate::error::{Error, Result};
use crate::pages::{ROWS, in_whole_pages};
use crate::plans::{Sequence, SequenceId};
use crate::session::Session;

impl Session<'_> {
    /// How many tokens at the beginning of a text needn't be read again, since a sequence has them
    /// in whole pages. At least one token of the text is always left to read.
    pub fn shared(&self, from: SequenceId, text: &[u32]) -> usize {
        let Some(Some(source)) = self.plans.sequences.get(from.0) else {
            return 0;
        };
        // After a full context, positions in the cache aren't those of the tokens.
        if source.tokens.len() != source.position {
            return 0;
        }
        let pairs = source.tokens.iter().zip(text);
        let same = pairs.take_while(|(a, b)| a == b).count();
        in_whole_pages(same.min(text.len().saturating_sub(1)))
    }

    /// Starts a sequence with the [`shared`](Session::shared) beginning of a text. Returns it with
    /// the number of tokens that it has already.
    ///
    /// # Errors
    /// If there is no such sequence, or no room for another one.
    pub fn fork(&mut self, from: SequenceId, text: &[u32]) -> Result<(SequenceId, usize)> {
        let shared = self.shared(from, text);
        let source = self.plans.sequence(from)?;
        let pages = source.pages[..shared / ROWS].to_vec();
        let id = self.sequence()?;
        self.plans.shelf.share(&pages);
        *self.plans.sequence(id)? = Sequence {
            tokens: text[..shared].to_vec(),
            position: shared,
            pages,
            logits: vec![0.0; self.plans.vocabulary],
        };
        Ok((id, shared))
    }

    /// Number of cache pages that no sequence owns.
    pub fn free_pages(&self) -> usize {
        self.plans.shelf.free()
    }

    /// Number of cache pages that a sequence owns alone.
    ///
    /// # Errors
    /// If there is no such sequence.
    pub fn own_pages(&self, id: SequenceId) -> Result<usize> {
        let sequence = self.plans.sequences.get(id.0).and_then(Option::as_ref);
        let pages = &sequence.ok_or(Error::NoSequence)?.pages;
        let alone = |page: &&u32| self.plans.shelf.is_exclusive(**page);
        Ok(pages.iter().filter(alone).count())
    }
}
