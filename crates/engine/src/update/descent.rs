//! Gradient descent, with or without momentum.
//!
//! g ← scale·∇ + decay·w;  v ← μ·v + g;  w ← w − rate·(g without momentum, v with it, g + μ·v in
//! Nesterov's form). Sutskever et al., "On the importance of initialization and momentum in deep
//! learning", ICML 2013, in the parametrization that PyTorch uses.

use crate::cost::Cost;
use crate::cpu::flat::{BLOCK, blocks_of};
use crate::cpu::kernel::{RuleKernel, Update};
use crate::cpu::lanes::{LANES, lanes};
use crate::cpu::team::Team;
use crate::rule::{Rule, Setting, UpdateF64};

/// Gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// μ: the share of the velocity that is kept (Polyak, 1964); `None` for plain descent, which
    /// has no velocity.
    pub momentum: Option<f64>,
    /// Whether to look ahead (Nesterov, 1983).
    pub nesterov: bool,
}

impl Descent {
    /// Without momentum.
    pub const PLAIN: Descent = Descent {
        momentum: None,
        nesterov: false,
    };
}

impl Rule for Descent {
    fn name(&self) -> &'static str {
        match (self.momentum, self.nesterov) {
            (None, _) => "sgd",
            (Some(_), false) => "momentum",
            (Some(_), true) => "nesterov",
        }
    }

    fn flat(&self) -> bool {
        true
    }

    fn states(&self, [rows, columns]: [usize; 2]) -> Vec<usize> {
        self.momentum.map(|_| rows * columns).into_iter().collect()
    }

    fn is_square(&self, _: usize) -> bool {
        false
    }

    fn scratch(&self, _: [usize; 2]) -> usize {
        0
    }

    fn cost(&self, [rows, columns]: [usize; 2]) -> Cost {
        let (flops, buffers) = if self.momentum.is_some() {
            (6, 5)
        } else {
            (4, 3)
        };
        crate::cost::elementwise(rows * columns, flops, buffers)
    }

    fn update_f64(&self, s: &Setting, a: UpdateF64) {
        for (i, w) in a.w.iter_mut().enumerate() {
            let g = a.g[i] * s.scale + s.decay * *w;
            let by = match self.momentum {
                None => g,
                Some(momentum) => {
                    let velocity = &mut a.states[0][i];
                    *velocity = momentum * *velocity + g;
                    match self.nesterov {
                        true => g + momentum * *velocity,
                        false => *velocity,
                    }
                }
            };
            *w -= s.rate * by;
        }
    }
}

impl RuleKernel for Descent {
    fn update(&self, s: &Setting, a: &Update, team: &Team) {
        let g = |block: usize| &a.g.real()[block * BLOCK..];
        let Some(mu) = self.momentum else {
            return team.each(blocks_of(&a.w), |block, mut w, _| {
                plain(team.isa(), *s, w.slice(), g(block));
            });
        };
        let cuts = (blocks_of(&a.w), blocks_of(&a.states[0]));
        team.each(cuts, |block, (mut w, mut v), _| {
            let (isa, ahead) = (team.isa(), self.nesterov);
            momentum(isa, mu, ahead, *s, w.slice(), g(block), v.slice());
        });
    }
}

lanes! {
    /// A block without momentum.
    fn plain(s: Setting, w: &mut [f32], g: &[f32]) {
        let [rate, scale, decay] = [-s.rate, s.scale, s.decay].map(|x| Lanes::all(x as f32));
        for (w, g) in w.chunks_mut(LANES).zip(g.chunks(LANES)) {
            let old = Lanes::load(w, 0.0);
            let g = Lanes::load(g, 0.0).mul_add(scale, decay * old);
            rate.mul_add(g, old).store(w);
        }
    }
}

lanes! {
    /// A block with momentum.
    fn momentum(mu: f64, ahead: bool, s: Setting, w: &mut [f32], g: &[f32], velocity: &mut [f32]) {
        let [rate, scale, decay, mu] = [-s.rate, s.scale, s.decay, mu].map(|x| Lanes::all(x as f32));
        let both = w.chunks_mut(LANES).zip(velocity.chunks_mut(LANES));
        for ((w, v), g) in both.zip(g.chunks(LANES)) {
            let old = Lanes::load(w, 0.0);
            let g = Lanes::load(g, 0.0).mul_add(scale, decay * old);
            let new = mu.mul_add(Lanes::load(v, 0.0), g);
            new.store(v);
            let by = if ahead { mu.mul_add(new, g) } else { new };
            rate.mul_add(by, old).store(w);
        }
    }
}
