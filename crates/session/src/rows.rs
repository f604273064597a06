//! Reads a text with the logits after each of its tokens.

use crate::error::{Error, Result};
use crate::plans::{Plans, SequenceId, TOGETHER};
use crate::session::{Pass, Session};

impl Session<'_> {
    /// Reads tokens of a sequence and passes on the logits [V] after each of them, in order.
    ///
    /// # Errors
    /// If the sequence or a token doesn't exist, the context has no room for all of them, or the
    /// device fails.
    pub fn feed_each(
        &mut self,
        id: SequenceId,
        tokens: &[u32],
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let (context, vocabulary) = (self.plans.model.context, self.plans.vocabulary);
        if let Some(&token) = tokens.iter().find(|&&t| t as usize >= vocabulary) {
            return Err(Error::Token { token, vocabulary });
        }
        let left = context - self.plans.sequence(id)?.position;
        if tokens.len() > left {
            let tokens = tokens.len();
            return Err(Error::Context { tokens, left });
        }
        for (at, part) in tokens.chunks(TOGETHER).enumerate() {
            let logits = self.read_rows(id, part)?;
            for (row, logits) in logits.chunks(vocabulary).take(part.len()).enumerate() {
                each(at * TOGETHER + row, logits);
            }
        }
        Ok(())
    }

    /// Reads tokens as if each were a sequence of its own, with the same pages and successive
    /// positions: all keys are in the cache before any token looks at them.
    fn read_rows(&mut self, id: SequenceId, tokens: &[u32]) -> Result<Vec<f32>> {
        self.check_stop()?;
        let vocabulary = self.plans.vocabulary;
        let Plans {
            shelf, sequences, ..
        } = &mut *self.plans;
        let sequence = sequences.get_mut(id.0).and_then(Option::as_mut);
        let sequence = sequence.ok_or(Error::NoSequence)?;
        let (from, to) = (sequence.position, sequence.position + tokens.len());
        if !shelf.reserve(&mut sequence.pages, from, to) {
            return Err(Error::NoPages);
        }
        let table: Vec<u32> = shelf.table(&sequence.pages).collect();
        let positions: Vec<u32> = (from as u32..to as u32).collect();
        let pass = Pass {
            tokens: tokens.to_vec(),
            start: positions.clone(),
            positions,
            table: table.repeat(tokens.len()),
            asked: (0..tokens.len() as u32).collect(),
        };
        let logits = self.run(pass, 1)?;
        let sequence = self.plans.sequence(id)?;
        sequence.tokens.extend_from_slice(tokens);
        sequence.position = to;
        let last = &logits[(tokens.len() - 1) * vocabulary..][..vocabulary];
        sequence.logits.copy_from_slice(last);
        Ok(logits)
    }
}
