//! A recorded decoder: what it is recorded for, and the values that the host reads and writes.

use engine::{Device, Error, Graph, Host, Pages, Places, Ready, ValueId};
use std::sync::Arc;

/// What a recording is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Learning: with dropout and the cost.
    Train,
    /// Measuring: the cost, without dropout.
    Score,
    /// Measuring, with the logits and the residual stream held for the host.
    Look,
    /// Writing: keys and values of earlier positions lie in caches of these pages.
    Generate(Pages),
}

/// A recorded decoder, with the values that the host reads and writes.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The recording.
    pub graph: Arc<Graph>,
    /// Input tokens [N].
    pub tokens: ValueId,
    /// Positions of the tokens [N], where the family learns them.
    pub positions: Option<ValueId>,
    /// Where the sequences stand, in `Mode::Generate`.
    pub places: Option<Places>,
    /// Rows whose next token is asked for, one a sequence [S], in `Mode::Generate`.
    pub asked: Option<ValueId>,
    /// Tokens to predict [N]; not in `Mode::Generate`.
    pub targets: Option<ValueId>,
    /// Share of the cost [1] and nats of each token [N]; not in `Mode::Generate`.
    pub cost: Option<(ValueId, ValueId)>,
    /// Scores of the next token: [N, V], in `Mode::Generate` of the rows asked for [S, V]. Held
    /// only in `Mode::Look` and `Mode::Generate`.
    pub logits: ValueId,
    /// The residual stream behind each half of a block [N, C], in order; held only in `Mode::Look`.
    pub stream: Vec<ValueId>,
    /// T.
    pub(crate) time: usize,
}

impl Decoder {
    /// Writes a batch of whole sequences: their tokens [B·T] and, where the recording has a cost,
    /// the tokens to predict [B·T].
    ///
    /// # Errors
    /// Where there are more or fewer tokens than recorded.
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
