//! What models predict, compared: how often two find the same token most likely, how far their
//! distributions are apart, and how well all do together.

use super::CrowdEnd;
use crate::plane::{Error, ModelCost, Result};
use engine::UNCOUNTED;
use session::{Opened, Use};
use std::sync::atomic::{AtomicBool, Ordering};

/// Tokens that are predicted together, as few windows as hold them.
const TOGETHER: usize = 256;

/// Sums over the tokens that count.
pub(super) struct Predictions {
    models: usize,
    tokens: u64,
    /// By pair: same most likely token, and divergence.
    pairs: Vec<(u64, f64)>,
    /// Nats of the mean prediction.
    nats: f64,
}

impl Predictions {
    /// Compares the ends of runs on the tokens of a cost.
    pub fn of(
        ends: &[CrowdEnd],
        cost: &ModelCost,
        threads: usize,
        stop: &AtomicBool,
    ) -> Result<Predictions> {
        let how = Use {
            threads,
            ..Use::default()
        };
        let opened = ends.iter().map(|end| Opened::of(&end.checkpoint, how));
        let mut opened = opened.collect::<session::Result<Vec<Opened>>>()?;
        let models = opened.len();
        let mut all = Predictions {
            models,
            tokens: 0,
            pairs: vec![(0, 0.0); models * models],
            nats: 0.0,
        };
        let (time, vocabulary) = (opened[0].model.context, opened[0].vocabulary());
        let (inputs, targets) = cost.text();
        let size = TOGETHER.div_ceil(time) * time;
        for (inputs, targets) in inputs.chunks(size).zip(targets.chunks(size)) {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let windows = (inputs.len() / time).max(1);
            let mut logits = Vec::new();
            for model in &mut opened {
                logits.push(model.session().look(inputs, windows)?.logits);
            }
            for (row, &target) in targets.iter().enumerate() {
                if target != UNCOUNTED {
                    let rows = logits
                        .iter()
                        .map(|all| &all[row * vocabulary..][..vocabulary]);
                    all.add(&rows.collect::<Vec<_>>(), target);
                }
            }
        }
        Ok(all)
    }

    /// Adds what the models predict, as logits, for one token.
    fn add(&mut self, logits: &[&[f32]], target: u32) {
        let each: Vec<Vec<f64>> = logits.iter().map(|logits| softmax(logits)).collect();
        let own: Vec<f64> = each.iter().map(|p| entropy(p.iter().copied())).collect();
        let likely: Vec<usize> = each.iter().map(|p| most_likely(p)).collect();
        for b in 0..self.models {
            for a in 0..b {
                let (same, divergence) = &mut self.pairs[a * self.models + b];
                let mean = each[a]
                    .iter()
                    .zip(&each[b])
                    .map(|(p, q)| f64::midpoint(*p, *q));
                *divergence += entropy(mean) - f64::midpoint(own[a], own[b]);
                *same += u64::from(likely[a] == likely[b]);
            }
        }
        let sum: f64 = each.iter().map(|p| p[target as usize]).sum();
        self.nats -= (sum / self.models as f64).ln();
        self.tokens += 1;
    }

    /// Of two models: the share of tokens for which they agree, and the mean divergence.
    pub fn pair(&self, a: usize, b: usize) -> (f64, f64) {
        let (same, divergence) = self.pairs[a * self.models + b];
        let tokens = self.tokens as f64;
        // Rounding of equal predictions may be below 0.
        (same as f64 / tokens, (divergence / tokens).max(0.0))
    }

    /// The cost of the mean prediction.
    pub fn ensemble(&self) -> f64 {
        self.nats / self.tokens as f64
    }
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut all: Vec<f64> = logits.iter().map(|x| f64::from(x - most)).collect();
    all.iter_mut().for_each(|x| *x = libm::exp(*x));
    let sum: f64 = all.iter().sum();
    all.iter_mut().for_each(|x| *x /= sum);
    all
}

fn entropy(all: impl Iterator<Item = f64>) -> f64 {
    all.filter(|p| *p > 0.0).map(|p| -p * libm::log(p)).sum()
}

fn most_likely(all: &[f64]) -> usize {
    let best = all.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_compared_token_by_token() {
        let mut all = Predictions {
            models: 2,
            tokens: 0,
            pairs: vec![(0, 0.0); 4],
            nats: 0.0,
        };
        // Equal; then certain of different tokens, of which one is right.
        all.add(&[&[1.0, 2.0], &[1.0, 2.0]], 1);
        let alone = -softmax(&[1.0, 2.0])[1].ln();
        assert_eq!(all.pair(0, 1), (1.0, 0.0));
        assert!((all.ensemble() - alone).abs() < 1e-12);
        all.add(&[&[1000.0, 0.0], &[0.0, 1000.0]], 1);
        let half = std::f64::consts::LN_2 / 2.0;
        let (agreement, divergence) = all.pair(0, 1);
        assert_eq!(agreement, 0.5);
        assert!((divergence - half).abs() < 1e-12);
        assert!((all.ensemble() - (alone / 2.0 + half)).abs() < 1e-12);
    }
}
