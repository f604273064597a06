//! Uses a trained model: callers feed sequences and ask for the next token, or score a text.
//! Sequences are read in chunks, then token by token, many together.

use crate::error::{Error, Result};
use crate::plans::{Plans, Sequence, SequenceId, TOGETHER, largest};
use crate::sampling::TokenSampler;
use engine::{Device, Host, HostMut, Scalars};
use model::Mode;
use std::sync::atomic::{AtomicBool, Ordering};

/// A trained model in use, on a device whose store contains its weights.
pub struct Session<'a> {
    pub(crate) device: &'a mut dyn Device,
    pub(crate) plans: &'a mut Plans,
    stop: Option<&'a AtomicBool>,
}

/// Part of a sequence that is read in one pass.
struct Stretch {
    id: SequenceId,
    /// Index of its first token in the sequence's list, and their number.
    from: usize,
    count: usize,
}

/// What is written to a recording before a pass: of S sequences, T tokens each.
#[derive(Default)]
pub(crate) struct Pass {
    /// Tokens and their positions [S·T].
    pub tokens: Vec<u32>,
    pub positions: Vec<u32>,
    /// Position of each sequence's first token [S], and its table of pages.
    pub start: Vec<u32>,
    pub table: Vec<u32>,
    /// The row of each sequence whose next token is requested [S].
    pub asked: Vec<u32>,
}

impl<'a> Session<'a> {
    /// A session on a device, with plans made for it.
    pub fn new(device: &'a mut dyn Device, plans: &'a mut Plans) -> Session<'a> {
        Session {
            device,
            plans,
            stop: None,
        }
    }

    /// A session that gives up with [`Error::Stopped`] before its next pass once the flag is set.
    #[must_use]
    pub fn until(mut self, stop: &'a AtomicBool) -> Session<'a> {
        self.stop = Some(stop);
        self
    }

    pub(crate) fn check_stop(&self) -> Result<()> {
        match self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    /// The context: the most tokens that the model sees.
    pub fn context(&self) -> usize {
        self.plans.model.context
    }

    /// Plans the generation of one text, so that the device's memory is known in advance.
    ///
    /// # Errors
    /// If memory can't be allocated.
    pub fn expect_writing(&mut self) -> Result<()> {
        let mode = Mode::Generate(self.plans.shelf.pages());
        for time in [largest(self.context()), 1] {
            self.plans.ready(self.device, mode, (1, time))?;
        }
        Ok(())
    }

    /// Starts a sequence.
    ///
    /// # Errors
    /// If the session has no room for another one.
    pub fn sequence(&mut self) -> Result<SequenceId> {
        let places = &mut self.plans.sequences;
        let full = Error::Full(places.len());
        let free = places.iter().position(Option::is_none).ok_or(full)?;
        places[free] = Some(Sequence {
            tokens: Vec::new(),
            position: 0,
            pages: Vec::new(),
            logits: vec![0.0; self.plans.vocabulary],
        });
        Ok(SequenceId(free))
    }

    /// Ends a sequence and frees its slot and pages.
    pub fn release(&mut self, id: SequenceId) {
        if let Some(sequence) = self.plans.sequences.get_mut(id.0).and_then(Option::take) {
            self.plans.shelf.give_back(&sequence.pages);
        }
    }

    /// Reads tokens of several sequences. When a context is full, its last half is read again from
    /// position 0, and the sequence continues from there.
    ///
    /// # Errors
    /// If a sequence or a token doesn't exist, or the device fails.
    pub fn feed(&mut self, parts: &[(SequenceId, &[u32])]) -> Result<()> {
        if (1..parts.len()).any(|i| parts[..i].iter().any(|p| p.0 == parts[i].0)) {
            return parts.iter().try_for_each(|&part| self.feed(&[part]));
        }
        let (context, vocabulary) = (self.plans.model.context, self.plans.vocabulary);
        // How many tokens of each are still unread.
        let mut left = Vec::with_capacity(parts.len());
        for &(id, tokens) in parts {
            if let Some(&token) = tokens.iter().find(|&&t| t as usize >= vocabulary) {
                return Err(Error::Token { token, vocabulary });
            }
            let sequence = self.plans.sequence(id)?;
            // Tokens further back than one context would be dropped anyway.
            let near = &tokens[tokens.len().saturating_sub(context)..];
            if near.len() == context {
                sequence.tokens.clear();
                sequence.position = 0;
            }
            sequence.tokens.extend_from_slice(near);
            left.push((id, near.len()));
        }
        loop {
            let mut single = Vec::new();
            for (id, left) in &mut left {
                let sequence = self.plans.sequence(*id)?;
                if *left > 0 && sequence.position == context {
                    // A context of one token has no half: only the new token is read.
                    *left += (context / 2).min(sequence.tokens.len() - *left);
                    sequence.position = 0;
                }
                let (position, from) = (sequence.position, sequence.tokens.len() - *left);
                let whole = (*left).min(context - position);
                let size = self.plans.chunk(whole);
                let stretch = Stretch {
                    id: *id,
                    from,
                    count: whole.min(size),
                };
                match stretch.count {
                    0 => {}
                    1 => single.push(stretch),
                    count => {
                        self.read(&[stretch], size)?;
                        *left -= count;
                    }
                }
            }
            for stretches in single.chunks(TOGETHER) {
                self.read(stretches, 1)?;
            }
            for (id, left) in &mut left {
                *left -= usize::from(single.iter().any(|s| s.id == *id));
            }
            if left.iter().all(|(_, left)| *left == 0) {
                break;
            }
        }
        for &(id, _) in parts {
            // Tokens further back are never read again.
            let tokens = &mut self.plans.sequence(id)?.tokens;
            let keep = tokens.len().saturating_sub(context);
            tokens.drain(..keep);
        }
        Ok(())
    }

    /// Runs one recording over stretches of at most `time` tokens each. The results for padding
    /// rows and padding sequences are unused.
    fn read(&mut self, stretches: &[Stretch], time: usize) -> Result<()> {
        self.check_stop()?;
        let (context, vocabulary) = (self.plans.model.context, self.plans.vocabulary);
        let mut pass = Pass::default();
        for (at, stretch) in stretches.iter().enumerate() {
            let Plans {
                shelf, sequences, ..
            } = &mut *self.plans;
            let sequence = sequences.get_mut(stretch.id.0).and_then(Option::as_mut);
            let sequence = sequence.ok_or(Error::NoSequence)?;
            let (from, to) = (sequence.position, sequence.position + stretch.count);
            if !shelf.reserve(&mut sequence.pages, from, to) {
                return Err(Error::NoPages);
            }
            pass.tokens
                .extend(&sequence.tokens[stretch.from..][..stretch.count]);
            pass.tokens.resize((at + 1) * time, 0);
            let row = |t: usize| (sequence.position + t).min(context - 1) as u32;
            pass.positions.extend((0..time).map(row));
            pass.start.push(sequence.position as u32);
            pass.table.extend(shelf.table(&sequence.pages));
            pass.asked.push((at * time + stretch.count - 1) as u32);
        }
        let all = self.run(pass, time)?;
        for (stretch, logits) in stretches.iter().zip(all.chunks(vocabulary)) {
            let sequence = self.plans.sequence(stretch.id)?;
            sequence.logits.copy_from_slice(logits);
            sequence.position += stretch.count;
        }
        Ok(())
    }

    /// Runs the recording that a pass over `time` tokens of each sequence needs, and returns the
    /// logits of the rows asked for, then those of padding.
    pub(crate) fn run(&mut self, mut pass: Pass, time: usize) -> Result<Vec<f32>> {
        let (sequences, vocabulary) = (pass.start.len().next_power_of_two(), self.plans.vocabulary);
        let pages = self.plans.shelf.pages();
        pass.tokens.resize(sequences * time, 0);
        pass.positions.resize(sequences * time, 0);
        pass.start.resize(sequences, 0);
        pass.table
            .resize(sequences * pages.each, crate::pages::WASTE);
        pass.asked.resize(sequences, 0);
        let device = &mut *self.device;
        let mode = Mode::Generate(pages);
        let r = self.plans.ready(device, mode, (sequences, time))?;
        let mut write =
            |value, numbers: &[u32]| device.write(r.ready, value, Host::Tokens(numbers));
        write(r.decoder.tokens, &pass.tokens)?;
        if let Some(value) = r.decoder.positions {
            write(value, &pass.positions)?;
        }
        if let (Some(places), Some(rows)) = (r.decoder.places, r.decoder.asked) {
            write(places.start, &pass.start)?;
            write(places.table, &pass.table)?;
            write(rows, &pass.asked)?;
        }
        device.run(r.ready, &Scalars::default())?;
        let mut all = vec![0.0; sequences * vocabulary];
        device.read(r.ready, r.decoder.logits, HostMut::Real(&mut all))?;
        Ok(all)
    }

    /// Logits of the token after a sequence [V].
    ///
    /// # Errors
    /// If there is no such sequence.
    pub fn logits(&mut self, id: SequenceId) -> Result<&[f32]> {
        Ok(&self.plans.sequence(id)?.logits)
    }

    /// Draws the next token of a sequence without feeding it.
    ///
    /// # Errors
    /// If there is no such sequence.
    pub fn draw(&mut self, id: SequenceId, sampler: &mut TokenSampler) -> Result<u32> {
        Ok(sampler.draw(&self.plans.sequence(id)?.logits))
    }
}
