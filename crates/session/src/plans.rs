//! Session state kept between calls: decoder recordings prepared on a device, and sequences with
//! their pages of the cache.

use crate::error::{Error, Result};
use crate::pages::{PagePool, pages_of};
use engine::{Device, Plan, Purpose, Ready};
use model::{Decoder, Mode, ModelConfig, decoder};

/// Tokens of one sequence that are read per pass. A pass over 8 takes about as long as one over a
/// single token, since both read all weights.
const CHUNKS: [usize; 7] = [1, 8, 16, 32, 64, 128, 256];

/// Maximum number of sequences read together, one token each.
pub const TOGETHER: usize = 64;

/// Maximum number of prepared recordings; beyond it, the least recently used one is dropped.
const MOST_READY: usize = 32;

/// The largest pass of a model with this context.
pub(crate) fn largest(context: usize) -> usize {
    let useful = |size: &&usize| **size < 2 * context;
    CHUNKS.iter().rev().find(useful).copied().unwrap_or(1)
}

/// A sequence of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SequenceId(pub(crate) usize);

/// The state of one sequence.
pub(crate) struct Sequence {
    /// Tokens read so far: at most as many as the context has.
    pub tokens: Vec<u32>,
    /// How many of them are in the cache.
    pub position: usize,
    /// Its pages of the cache.
    pub pages: Vec<u32>,
    /// Logits of the next token [V].
    pub logits: Vec<f32>,
}

/// A prepared recording.
pub(crate) struct Recorded {
    mode: Mode,
    /// Number of sequences, and tokens of each.
    size: (usize, usize),
    pub ready: Ready,
    pub decoder: Decoder,
}

/// State that a session keeps between calls.
pub struct Plans {
    pub(crate) model: ModelConfig,
    pub(crate) vocabulary: usize,
    pub(crate) shelf: PagePool,
    /// By number; `None` after release.
    pub(crate) sequences: Vec<Option<Sequence>>,
    /// The most recently used comes last.
    recorded: Vec<Recorded>,
}

impl Plans {
    /// For a model of this shape, with room for the given number of concurrent sequences.
    pub fn new(model: &ModelConfig, vocabulary: usize, sequences: usize) -> Plans {
        let pages = sequences * pages_of(model.context);
        Plans::with_pages(model, vocabulary, sequences, pages)
    }

    /// The same, with a cache of this many pages for all sequences together.
    pub fn with_pages(
        model: &ModelConfig,
        vocabulary: usize,
        sequences: usize,
        pages: usize,
    ) -> Plans {
        Plans {
            model: model.clone(),
            vocabulary,
            shelf: PagePool::new(pages, model.context, largest(model.context) - 1),
            sequences: (0..sequences).map(|_| None).collect(),
            recorded: Vec::new(),
        }
    }

    /// The size of the next pass if this many tokens of a sequence are to be read: one that holds
    /// them all, unless more than a quarter of it would be padding.
    pub(crate) fn chunk(&self, left: usize) -> usize {
        let largest = largest(self.model.context);
        let sizes = CHUNKS.iter().copied().filter(|&size| size <= largest);
        let fits = |size: usize| left >= size || size <= 16 || 4 * left >= 3 * size;
        let holds = sizes.clone().find(|&size| size >= left && fits(size));
        let below = sizes.filter(|&size| size <= left).max();
        holds.or(below).unwrap_or(1)
    }

    /// A recording of this mode and size, prepared now or earlier.
    pub(crate) fn ready(
        &mut self,
        device: &mut dyn Device,
        mode: Mode,
        size: (usize, usize),
    ) -> Result<&Recorded> {
        let same = |r: &Recorded| r.mode == mode && r.size == size;
        let recorded = match self.recorded.iter().position(same) {
            Some(at) => self.recorded.remove(at),
            None => {
                let decoder = decoder(&self.model, self.vocabulary, size, mode)?;
                let plan = Plan::new(decoder.graph.clone(), 1, Purpose::Infer)?;
                let ready = device.prepare(plan)?;
                Recorded {
                    mode,
                    size,
                    ready,
                    decoder,
                }
            }
        };
        if self.recorded.len() >= MOST_READY {
            device.release(self.recorded.remove(0).ready);
        }
        self.recorded.push(recorded);
        Ok(&self.recorded[self.recorded.len() - 1])
    }

    /// The plan for reading one token of one sequence: the cost of generation.
    ///
    /// # Errors
    /// If the memory can't be computed.
    pub fn one_token(&self) -> Result<Plan> {
        let mode = Mode::Generate(self.shelf.pages());
        let decoder = decoder(&self.model, self.vocabulary, (1, 1), mode)?;
        Ok(Plan::new(decoder.graph, 1, Purpose::Infer)?)
    }

    pub(crate) fn sequence(&mut self, id: SequenceId) -> Result<&mut Sequence> {
        let found = self.sequences.get_mut(id.0).and_then(Option::as_mut);
        found.ok_or(Error::NoSequence)
    }
}
