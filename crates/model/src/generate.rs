//! How does a model write? Token by token: it says how likely each next token is, one is drawn,
//! and is read in turn. Keys and values of earlier tokens stay in a cache.

use crate::config::ModelConfig;
use crate::decoder::{Mode, decoder};
use engine::{
    Device, Error, Host, HostMut, Plan, Purpose, RandomPurpose, Ready, Scalars, Stream, ValueId,
};
use std::sync::Arc;

type Result<T> = std::result::Result<T, Error>;

/// Prompt tokens that are read at once.
const CHUNK: usize = 32;

/// How the next token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Divides the logits; 0 always takes the likeliest token.
    pub temperature: f64,
    /// Only the so many likeliest tokens may be drawn.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability may be drawn (nucleus
    /// sampling: Holtzman et al., 2020).
    pub top_p: f64,
    /// Seed of the drawing.
    pub seed: u64,
}

/// One recording of the decoder, for `time` tokens at once.
struct Prepared {
    ready: Ready,
    time: usize,
    tokens: ValueId,
    positions: Option<ValueId>,
    logits: ValueId,
}

impl Prepared {
    fn new(
        device: &mut dyn Device,
        s: &ModelConfig,
        vocabulary: usize,
        time: usize,
    ) -> Result<Self> {
        let d = decoder(s, vocabulary, (1, time), Mode::Generate)?;
        let plan = Plan::new(&d.graph, 1, Purpose::Infer)?;
        Ok(Prepared {
            time,
            tokens: d.tokens,
            positions: d.positions,
            logits: d.logits,
            ready: device.prepare(Arc::new(d.graph), plan)?,
        })
    }
}

/// A model that writes one text.
pub struct Generator {
    chunk: Prepared,
    one: Prepared,
    context: usize,
    vocabulary: usize,
    /// Everything read so far.
    tokens: Vec<u32>,
    /// How many of them the caches hold.
    position: usize,
    /// Tokens drawn so far.
    drawn: u64,
    /// What was said of the next token, for every row of the last chunk.
    logits: Vec<f32>,
}

impl Generator {
    /// Prepares a device, whose store has the model's weights, to write.
    ///
    /// # Errors
    /// Where memory can't be had.
    pub fn new(
        device: &mut dyn Device,
        shape: &ModelConfig,
        vocabulary: usize,
    ) -> Result<Generator> {
        let chunk = CHUNK.min(shape.context);
        Ok(Generator {
            chunk: Prepared::new(device, shape, vocabulary, chunk)?,
            one: Prepared::new(device, shape, vocabulary, 1)?,
            context: shape.context,
            vocabulary,
            tokens: Vec::new(),
            position: 0,
            drawn: 0,
            logits: vec![0.0; vocabulary],
        })
    }

    /// Forgets what was read and reads a prompt, which may not be empty.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn begin(&mut self, device: &mut dyn Device, prompt: &[u32]) -> Result<()> {
        self.tokens.clear();
        self.position = 0;
        self.drawn = 0;
        // What is further back than one context would be forgotten again.
        let near = &prompt[prompt.len().saturating_sub(self.context)..];
        self.read(device, near)
    }

    /// Logits of the token after what was read [V].
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Reads tokens. When the context is full its last half is read again, from position 0.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn read(&mut self, device: &mut dyn Device, tokens: &[u32]) -> Result<()> {
        self.tokens.extend_from_slice(tokens);
        let mut left = tokens.len();
        while left > 0 {
            if self.position == self.context {
                // Of a context of one token there is no half: only the new one is read.
                let again = (self.context / 2).min(self.tokens.len() - left);
                left += again;
                self.position = 0;
            }
            let room = left.min(self.context - self.position);
            let now = if room >= self.chunk.time {
                self.chunk.time
            } else {
                1
            };
            let from = self.tokens.len() - left;
            self.step(device, from, now)?;
            left -= now;
        }
        // Further back than this nothing is ever read again.
        let keep = self.tokens.len().saturating_sub(self.context);
        self.tokens.drain(..keep);
        Ok(())
    }

    fn step(&mut self, device: &mut dyn Device, from: usize, count: usize) -> Result<()> {
        let p = if count == self.chunk.time {
            &self.chunk
        } else {
            &self.one
        };
        device.write(
            p.ready,
            p.tokens,
            Host::Tokens(&self.tokens[from..from + count]),
        )?;
        if let Some(positions) = p.positions {
            let at: Vec<u32> = (0..count).map(|i| (self.position + i) as u32).collect();
            device.write(p.ready, positions, Host::Tokens(&at))?;
        }
        let scalars = Scalars {
            seed: 0,
            step: 0,
            rate: 0.0,
            position: self.position,
            loss_weight: 0.0,
        };
        device.run(p.ready, &scalars)?;
        let mut all = vec![0.0; count * self.vocabulary];
        device.read(p.ready, p.logits, HostMut::Real(&mut all))?;
        self.logits = all.split_off((count - 1) * self.vocabulary);
        self.position += count;
        Ok(())
    }

    /// Draws the next token; it is not yet read.
    pub fn draw(&mut self, d: &Draw) -> u32 {
        let uniform = Stream::new(d.seed, RandomPurpose::Sample, self.drawn).uniform();
        self.drawn += 1;
        draw(&self.logits, d, uniform)
    }
}

/// Draws a token from logits with a uniform number in (0, 1).
fn draw(logits: &[f32], d: &Draw, uniform: f64) -> u32 {
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let logit = |t: u32| f64::from(logits[t as usize]);
    // Likeliest first; equal ones by number, so that the order is one for all.
    order.sort_by(|&a, &b| logit(b).total_cmp(&logit(a)).then(a.cmp(&b)));
    if d.temperature == 0.0 {
        return order.first().copied().unwrap_or(0);
    }
    order.truncate(d.top_k.unwrap_or(order.len()).max(1));
    let most = order.first().map_or(0.0, |&t| logit(t));
    let weight = |&t: &u32| libm::exp((logit(t) - most) / d.temperature);
    let weights: Vec<f64> = order.iter().map(weight).collect();
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let within = weights.iter().take_while(|&&w| {
        let before = sum;
        sum += w;
        before < d.top_p * total
    });
    let count = within.count().max(1);
    let mut left = uniform * weights[..count].iter().sum::<f64>();
    for (token, w) in order.iter().zip(&weights[..count]) {
        left -= w;
        if left < 0.0 {
            return *token;
        }
    }
    order.get(count - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_honours_temperature_top_k_and_top_p() {
        let logits = [1.0, 3.0, 2.0, -1.0];
        let all = Draw {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            seed: 0,
        };
        assert_eq!(
            draw(
                &logits,
                &Draw {
                    temperature: 0.0,
                    ..all
                },
                0.99
            ),
            1
        );
        assert_eq!(
            draw(
                &logits,
                &Draw {
                    top_k: Some(1),
                    ..all
                },
                0.99
            ),
            1
        );
        assert_eq!(
            draw(
                &logits,
                &Draw {
                    top_k: Some(2),
                    ..all
                },
                0.999
            ),
            2
        );
        // Probabilities: 0.66, 0.24, 0.09, 0.01.
        assert_eq!(draw(&logits, &Draw { top_p: 0.7, ..all }, 0.999), 2);
        assert_eq!(draw(&logits, &Draw { top_p: 0.6, ..all }, 0.999), 1);
        assert_eq!(draw(&logits, &all, 0.5), 1);
        assert_eq!(draw(&logits, &all, 0.999), 3);
        assert_eq!(draw(&[f32::NAN, 0.0], &all, 0.3), 0, "NaN never panics");
    }
}
