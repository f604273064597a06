//! How does a weight move? By the optimiser's rule, from its gradient, over flat groups of
//! parameters: the first group decays, the second (vectors: norms and biases) does not.

mod adam;
mod sgd;

use crate::arena::{Out, Read};
use crate::lanes::{lanes, sum_by};
use crate::op::Cost;
use crate::team::Team;

/// The rule by which weights move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Plain gradient descent.
    Sgd,
    /// Gradient descent with momentum (Polyak, 1964), or Nesterov's form of it.
    Momentum {
        /// Share of the velocity that stays.
        momentum: f64,
        /// Whether to look ahead (Nesterov, 1983; in the form of Sutskever et al., 2013).
        nesterov: bool,
    },
    /// Adam (Kingma and Ba, 2015).
    Adam {
        /// Decay rate of the mean of gradients.
        beta1: f64,
        /// Decay rate of the mean of squared gradients.
        beta2: f64,
        /// Keeps the division finite.
        epsilon: f64,
        /// Whether weight decay acts on the weight itself (AdamW: Loshchilov and Hutter, 2019)
        /// and not through the gradient.
        decoupled: bool,
    },
}

/// An optimiser: a rule, weight decay and clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimiser {
    /// The rule.
    pub rule: Rule,
    /// Weight decay on matrices.
    pub weight_decay: f64,
    /// Largest norm of the whole gradient (Pascanu et al., 2013); above it, it is scaled down.
    pub clip: Option<f64>,
}

impl Optimiser {
    /// Numbers of state kept for each parameter.
    pub fn states(&self) -> usize {
        match self.rule {
            Rule::Sgd => 0,
            Rule::Momentum { .. } => 1,
            Rule::Adam { .. } => 2,
        }
    }

    /// Work of an update of `parameters` numbers.
    pub fn cost(&self, parameters: u64) -> Cost {
        let (flops, buffers) = match self.rule {
            Rule::Sgd => (4, 3),
            Rule::Momentum { .. } => (6, 5),
            Rule::Adam { .. } => (14, 7),
        };
        Cost {
            flops: flops * parameters,
            bytes: 4 * buffers * parameters,
        }
    }

    /// What the update of group `group` needs beside the numbers themselves; none where gradient
    /// or cost are not finite, since such a step is never applied.
    pub(crate) fn setting(&self, group: usize, step: u64, rate: f64, norm: f64) -> Option<Setting> {
        let scale = match self.clip {
            Some(clip) if norm > clip => clip / norm,
            _ => 1.0,
        };
        norm.is_finite().then_some(Setting {
            rate,
            scale,
            decay: if group == 0 { self.weight_decay } else { 0.0 },
            updates: step + 1,
        })
    }

    /// One update in f64: the oracle.
    pub(crate) fn update_f64(&self, s: &Setting, w: &mut [f64], g: &[f64], state: &mut [Vec<f64>]) {
        match (self.rule, state) {
            (Rule::Adam { .. }, [m, v, ..]) => adam::plain(self.rule, s, w, g, m, v),
            (Rule::Momentum { .. }, [velocity, ..]) => sgd::plain(self.rule, s, w, g, velocity),
            (_, _) => sgd::plain(self.rule, s, w, g, &mut []),
        }
    }

    /// One update in f32, shared among the team.
    pub(crate) fn update(&self, s: &Setting, w: &Out, g: Read, state: &[Out], team: &Team) {
        let gradient = |block: usize| &g.real()[block * BLOCK..];
        match (self.rule, state) {
            (Rule::Adam { .. }, [m, v, ..]) => {
                let cuts = (w.bands(1, BLOCK), m.bands(1, BLOCK), v.bands(1, BLOCK));
                let fast = adam::Fast::new(self.rule, s);
                team.each(cuts, |block, (mut w, mut m, mut v), _| {
                    let (w, m, v) = (w.slice(), m.slice(), v.slice());
                    adam::fast(team.isa(), fast, w, gradient(block), m, v);
                });
            }
            (Rule::Momentum { .. }, [velocity, ..]) => {
                let cuts = (w.bands(1, BLOCK), velocity.bands(1, BLOCK));
                team.each(cuts, |block, (mut w, mut velocity), _| {
                    let (w, velocity) = (w.slice(), velocity.slice());
                    sgd::momentum(team.isa(), self.rule, *s, w, gradient(block), velocity);
                });
            }
            (_, _) => team.each(w.bands(1, BLOCK), |block, mut w, _| {
                sgd::fast(team.isa(), *s, w.slice(), gradient(block));
            }),
        }
    }
}

/// Numbers in a block of an update or of the norm.
const BLOCK: usize = 16_384;

/// What an update needs beside the numbers themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Learning rate.
    pub rate: f64,
    /// Factor on the gradient, from clipping.
    pub scale: f64,
    /// Weight decay of this group.
    pub decay: f64,
    /// Updates with this one.
    pub updates: u64,
}

/// Blocks of the norm for `len` numbers.
pub(crate) fn blocks(len: usize) -> usize {
    len.div_ceil(BLOCK).max(1)
}

/// Norm of the whole gradient into `norm` [1]; NaN where a cost isn't finite. `partial` has one
/// number a block.
pub(crate) fn norm(g: Read, costs: &[Read], partial: &Out, norm: &Out, team: &Team) {
    team.each(partial.bands(1, 1), |block, mut p, _| {
        let from = block * BLOCK;
        let all = g.real();
        let to = all.len().min(from + BLOCK);
        p.row(0)[0] = squares(team.isa(), &all[from..to]);
    });
    team.each(norm.bands(1, 1), |_, mut p, _| {
        let total: f64 = partial.settled().real().iter().map(|&x| f64::from(x)).sum();
        let finite = costs.iter().all(|c| c.real().iter().all(|x| x.is_finite()));
        p.row(0)[0] = if finite {
            total.sqrt() as f32
        } else {
            f32::NAN
        };
    });
}

lanes! {
    /// Σ x².
    fn squares(x: &[f32]) -> f32 {
        sum_by(x, 0.0, |x: Lanes| x * x)
    }
}
