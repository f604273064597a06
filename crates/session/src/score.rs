//! Scores a text: one deterministic pass over all of it, in windows that don't overlap.

use crate::error::{Error, Result};
use crate::session::Session;
use engine::{HostMut, Scalars, ValueId};
use model::{Mode, micro_tokens};
use text::Tokenizer;

/// The total score of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Total in nats.
    pub nats: f64,
    /// Tokens predicted: all but the first of the text.
    pub tokens: u64,
    /// Raw bytes of those tokens.
    pub bytes: u64,
}

impl Score {
    /// Mean cross-entropy in nats per token.
    pub fn nats_per_token(&self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// Mean cost in bits per byte of text.
    pub fn bits_per_byte(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.bytes as f64
    }
}

/// What the model computes while it reads passages of equal length.
pub struct Activations {
    /// Logits after each token of each passage [S·T, V].
    pub logits: Vec<f32>,
    /// The residual stream after each half of a block [S·T, C], in order.
    pub stream: Vec<Vec<f32>>,
    /// Queries [S·T, H·D] and keys [S·T, K·D] of each layer, where they were asked for.
    pub attended: Vec<[Vec<f32>; 2]>,
}

impl Session<'_> {
    /// Nats of each token of a text but the first, in windows of one context that don't overlap;
    /// the rest at the end is scored as a shorter window.
    ///
    /// # Errors
    /// If a token doesn't exist or the device fails.
    pub fn nats(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.check(tokens)?;
        let time = self.plans.model.context;
        let predicted = tokens.len().saturating_sub(1);
        let whole = predicted / time;
        let most = self.at_once().min(whole.max(1));
        let mut nats = Vec::with_capacity(predicted);
        while nats.len() < whole * time {
            let from = nats.len();
            let windows = most.min(whole - from / time);
            // A partial last batch is filled up with windows that were already scored.
            let from = if windows < most {
                (whole - most) * time
            } else {
                from
            };
            let all = self.windows(tokens, from, (most, time))?;
            nats.truncate(from);
            nats.extend(all);
        }
        let rest = predicted - nats.len();
        if rest > 0 {
            let from = nats.len();
            nats.extend(self.windows(tokens, from, (1, rest))?);
        }
        Ok(nats)
    }

    /// Number of windows of one context scored together.
    fn at_once(&self) -> usize {
        (micro_tokens(self.plans.vocabulary) / self.plans.model.context).max(1)
    }

    /// Plans the scoring of a text of this many tokens, so that the device's memory is known in
    /// advance.
    ///
    /// # Errors
    /// If memory can't be allocated.
    pub fn expect_text(&mut self, tokens: usize) -> Result<()> {
        let (predicted, time) = (tokens.saturating_sub(1), self.plans.model.context);
        let most = self.at_once().min((predicted / time).max(1));
        let size = if predicted >= time {
            (most, time)
        } else {
            (1, predicted.max(1))
        };
        self.plans.ready(self.device, Mode::Score, size)?;
        Ok(())
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        let vocabulary = self.plans.vocabulary;
        match tokens.iter().find(|&&t| t as usize >= vocabulary) {
            Some(&token) => Err(Error::Token { token, vocabulary }),
            None => Ok(()),
        }
    }

    fn windows(&mut self, tokens: &[u32], from: usize, size: (usize, usize)) -> Result<Vec<f32>> {
        self.check_stop()?;
        let rows = size.0 * size.1;
        let device = &mut *self.device;
        let r = self.plans.ready(device, Mode::Score, size)?;
        let (inputs, next) = (
            &tokens[from..from + rows],
            &tokens[from + 1..from + 1 + rows],
        );
        r.decoder.fill(device, r.ready, inputs, next)?;
        let mut nats = vec![0.0; rows];
        if let Some((_, each)) = r.decoder.cost {
            let scalars = Scalars {
                loss_weight: 1.0 / rows as f64,
                ..Scalars::default()
            };
            device.run(r.ready, &scalars)?;
            device.read(r.ready, each, HostMut::Real(&mut nats))?;
        }
        Ok(nats)
    }

    /// The total score of a text.
    ///
    /// # Errors
    /// If a token doesn't exist or the device fails.
    pub fn score(&mut self, tokenizer: &Tokenizer, tokens: &[u32]) -> Result<Score> {
        let nats = self.nats(tokens)?;
        let bytes = tokens
            .iter()
            .skip(1)
            .map(|&t| tokenizer.token_bytes(t) as u64);
        Ok(Score {
            nats: nats.iter().map(|&n| f64::from(n)).sum(),
            tokens: nats.len() as u64,
            bytes: bytes.sum(),
        })
    }

    /// Returns the logits and the residual stream for `sequences` passages, concatenated in
    /// `tokens` [S·T].
    ///
    /// # Errors
    /// If a token doesn't exist or the device fails.
    pub fn look(&mut self, tokens: &[u32], sequences: usize) -> Result<Activations> {
        self.activations(Mode::Look, tokens, sequences)
    }

    /// The same in `Mode::Look`, and with queries and keys in `Mode::Inspect`.
    pub(crate) fn activations(
        &mut self,
        mode: Mode,
        tokens: &[u32],
        sequences: usize,
    ) -> Result<Activations> {
        self.check(tokens)?;
        self.check_stop()?;
        let size = (sequences, tokens.len() / sequences);
        let device = &mut *self.device;
        let r = self.plans.ready(device, mode, size)?;
        // The targets don't matter: the cost isn't read.
        r.decoder.fill(device, r.ready, tokens, tokens)?;
        device.run(r.ready, &Scalars::default())?;
        let read = |value| -> Result<Vec<f32>> {
            let mut numbers = vec![0.0; r.decoder.graph.spec(value).len()];
            device.read(r.ready, value, HostMut::Real(&mut numbers))?;
            Ok(numbers)
        };
        let all = |values: &[ValueId]| -> Result<Vec<Vec<f32>>> {
            values.iter().map(|&value| read(value)).collect()
        };
        let attended = match mode {
            Mode::Inspect => &r.decoder.attended[..],
            _ => &[],
        };
        Ok(Activations {
            logits: read(r.decoder.logits)?,
            stream: all(&r.decoder.stream)?,
            attended: (attended.iter())
                .map(|&[q, k]| Ok([read(q)?, read(k)?]))
                .collect::<Result<_>>()?,
        })
    }
}
