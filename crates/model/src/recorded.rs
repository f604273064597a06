//! A recorded decoder: its mode, and the values that the host reads and writes.

use engine::{Device, Error, Graph, Host, Pages, Places, Ready, ValueId};
use std::sync::Arc;

/// The purpose of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Training: with dropout and the cost.
    Train,
    /// Training with this many teachers of the same shape, whose predictions the model learns too.
    Distill(usize),
    /// Scoring: the cost, without dropout.
    Score,
    /// Scoring, with the logits and the residual stream held for the host.
    Look,
    /// As `Look`, with the queries and keys of attention held too.
    Inspect,
    /// Generation: keys and values of earlier positions are in caches with these pages.
    Generate(Pages),
}

/// A recorded decoder, with the values that the host reads and writes.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The recording.
    pub graph: Arc<Graph>,
    /// Input tokens [N].
    pub tokens: ValueId,
    /// Positions of the tokens [N], if the family learns them.
    pub positions: Option<ValueId>,
    /// Positions and pages of the sequences, in `Mode::Generate`.
    pub places: Option<Places>,
    /// Rows whose next token is requested, one per sequence [S], in `Mode::Generate`.
    pub asked: Option<ValueId>,
    /// Tokens to predict [N]; not in `Mode::Generate`.
    pub targets: Option<ValueId>,
    /// Share of the cost [1] and nats of each token [N]; not in `Mode::Generate`.
    pub cost: Option<(ValueId, ValueId)>,
    /// Logits of the next token: [N, V], or [S, V] for the requested rows in `Mode::Generate`. Held
    /// only in `Mode::Look`, `Mode::Inspect` and `Mode::Generate`.
    pub logits: ValueId,
    /// The residual stream after each half of a block [N, C], in order; held only in `Mode::Look`
    /// and `Mode::Inspect`.
    pub stream: Vec<ValueId>,
    /// Queries [N, H·D] and keys [N, K·D] of each layer's attention; held only in `Mode::Inspect`.
    pub attended: Vec<[ValueId; 2]>,
    /// T.
    pub(crate) time: usize,
}

impl Decoder {
    /// Writes a batch of whole sequences: their tokens [B·T] and, if the recording has a cost, the
    /// targets [B·T].
    ///
    /// # Errors
    /// If there are more or fewer tokens than recorded.
    pub fn fill(
        &self,
        device: &mut dyn Device,
        ready: Ready,
        tokens: &[u32],
        targets: &[u32],
    ) -> Result<(), Error> {
        device.write(ready, self.tokens, Host::Tokens(tokens))?;
        if let Some(positions) = self.positions {
            let at = (0..tokens.len()).map(|i| (i % self.time) as u32);
            let at: Vec<u32> = at.collect();
            device.write(ready, positions, Host::Tokens(&at))?;
        }
        if let Some(next) = self.targets {
            device.write(ready, next, Host::Tokens(targets))?;
        }
        Ok(())
    }
}
