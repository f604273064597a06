//! Adam and AdamW.
//!
//! m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;
//! w ← w − rate·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
//! with g = scale·∇ (+ decay·w in Adam); in AdamW w is first multiplied by 1 − rate·decay.
//! Kingma and Ba, "Adam", ICLR 2015, algorithm 1; Loshchilov and Hutter, "Decoupled weight decay
//! regularization", ICLR 2019, algorithm 2.

use crate::cost::{Cost, elementwise};
use crate::cpu::flat::{BLOCK, blocks_of};
use crate::cpu::kernel::{RuleKernel, Update};
use crate::cpu::lanes::{LANES, lanes};
use crate::cpu::team::Team;
use crate::rule::{Rule, Setting, UpdateF64};

/// Adam (Kingma and Ba, 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay rate of the mean of gradients.
    pub beta1: f64,
    /// Decay rate of the mean of squared gradients.
    pub beta2: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
    /// Whether weight decay acts on the weight itself (AdamW: Loshchilov and Hutter, 2019) instead
    /// of the gradient.
    pub decoupled: bool,
}

/// Constants of one update.
#[derive(Clone, Copy)]
struct Constants {
    /// Decay through the gradient.
    coupled: f64,
    /// Factor on the weight.
    shrink: f64,
    /// rate / (1 − β₁ᵗ).
    rate: f64,
    /// 1 / √(1 − β₂ᵗ).
    correction: f64,
}

impl Adam {
    fn constants(&self, s: &Setting) -> Constants {
        let t = s.updates as f64;
        let (coupled, shrink) = match self.decoupled {
            true => (0.0, 1.0 - s.rate * s.decay),
            false => (s.decay, 1.0),
        };
        Constants {
            coupled,
            shrink,
            rate: s.rate / (1.0 - libm::pow(self.beta1, t)),
            correction: 1.0 / (1.0 - libm::pow(self.beta2, t)).sqrt(),
        }
    }
}

impl Rule for Adam {
    fn name(&self) -> &'static str {
        if self.decoupled { "adamw" } else { "adam" }
    }

    fn flat(&self) -> bool {
        true
    }

    fn states(&self, [rows, columns]: [usize; 2]) -> Vec<usize> {
        vec![rows * columns; 2]
    }

    fn is_square(&self, state: usize) -> bool {
        state == 1
    }

    fn scratch(&self, _: [usize; 2]) -> usize {
        0
    }

    fn cost(&self, [rows, columns]: [usize; 2]) -> Cost {
        elementwise(rows * columns, 14, 7)
    }

    fn update_f64(&self, s: &Setting, a: UpdateF64) {
        let c = self.constants(s);
        let [m, v] = a.states else { return };
        for i in 0..a.w.len() {
            let g = a.g[i] * s.scale + c.coupled * a.w[i];
            m[i] = self.beta1 * m[i] + (1.0 - self.beta1) * g;
            v[i] = self.beta2 * v[i] + (1.0 - self.beta2) * g * g;
            a.w[i] =
                a.w[i] * c.shrink - c.rate * m[i] / (v[i].sqrt() * c.correction + self.epsilon);
        }
    }
}

impl RuleKernel for Adam {
    fn update(&self, s: &Setting, a: &Update, team: &Team) {
        let fast = Fast::new(self, s);
        let [m, v] = &a.states[..] else { return };
        let cuts = (blocks_of(&a.w), blocks_of(m), blocks_of(v));
        team.each(cuts, |block, (mut w, mut m, mut v), _| {
            let g = &a.g.real()[block * BLOCK..];
            step(team.isa(), fast, w.slice(), g, m.slice(), v.slice());
        });
    }
}

/// Constants of one update, in f32.
#[derive(Clone, Copy)]
struct Fast {
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    epsilon: f32,
    coupled: f32,
    shrink: f32,
    rate: f32,
    correction: f32,
    scale: f32,
}

impl Fast {
    /// Rounds the constants once.
    fn new(rule: &Adam, s: &Setting) -> Fast {
        let c = rule.constants(s);
        Fast {
            beta1: rule.beta1 as f32,
            beta2: rule.beta2 as f32,
            rest1: (1.0 - rule.beta1) as f32,
            rest2: (1.0 - rule.beta2) as f32,
            epsilon: rule.epsilon as f32,
            coupled: c.coupled as f32,
            shrink: c.shrink as f32,
            rate: (-c.rate) as f32,
            correction: c.correction as f32,
            scale: s.scale as f32,
        }
    }
}

lanes! {
    /// A block.
    fn step(c: Fast, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        let [beta1, beta2, rest1, rest2, epsilon] =
            [c.beta1, c.beta2, c.rest1, c.rest2, c.epsilon].map(Lanes::all);
        let [coupled, shrink, rate, correction, scale] =
            [c.coupled, c.shrink, c.rate, c.correction, c.scale].map(Lanes::all);
        let state = m.chunks_mut(LANES).zip(v.chunks_mut(LANES));
        for ((w, g), (m, v)) in w.chunks_mut(LANES).zip(g.chunks(LANES)).zip(state) {
            let old = Lanes::load(w, 0.0);
            let g = Lanes::load(g, 0.0).mul_add(scale, coupled * old);
            let mean = beta1.mul_add(Lanes::load(m, 0.0), rest1 * g);
            let square = beta2.mul_add(Lanes::load(v, 0.0), rest2 * g * g);
            mean.store(m);
            square.store(v);
            let by = mean / square.sqrt().mul_add(correction, epsilon);
            rate.mul_add(by, old * shrink).store(w);
        }
    }
}
