//! The end of the decoder: what it says about the next token, given the residual stream. Recorded
//! alone, it tells what the model would say after any layer.

use super::{Recorder, Result};
use crate::config::ModelConfig;
use crate::recorded::Mode;
use engine::{Graph, Group, ValueId};
use std::sync::Arc;

/// The recorded end of a decoder.
#[derive(Debug, Clone)]
pub struct Readout {
    /// The recording.
    pub graph: Arc<Graph>,
    /// The residual stream after a layer [N, C].
    pub stream: ValueId,
    /// Logits of the next token [N, V].
    pub logits: ValueId,
}

/// Records the end of the decoder alone, for `rows` tokens.
///
/// # Errors
/// If the shape's numbers don't fit together.
pub fn readout(shape: &ModelConfig, vocabulary: usize, rows: usize) -> Result<Readout> {
    let mut r = Recorder::new(shape, vocabulary, Mode::Look, rows);
    let stream = r.g.input("stream", rows, shape.width);
    let logits = r.head(stream)?;
    r.g.keep(logits);
    Ok(Readout {
        graph: Arc::new(r.g),
        stream,
        logits,
    })
}

impl Recorder<'_> {
    /// The final norm and the output head.
    pub(super) fn head(&mut self, h: ValueId) -> Result<ValueId> {
        let h = self.norm("norm", h)?;
        let (name, group) = match self.shape.tied {
            true => ("embed_tokens", Group::Embeddings),
            false => ("lm_head", Group::OutputHead),
        };
        let head = self.matrix(name, self.vocabulary, self.shape.width, 0.02, group);
        self.g.linear(h, head, None)
    }
}
