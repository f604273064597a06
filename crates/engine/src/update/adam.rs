//! Adam and AdamW.
//!
//! m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;
//! w ← w − rate·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
//! with g = scale·∇ (+ decay·w in Adam); in AdamW w is first multiplied by 1 − rate·decay.
//! Kingma and Ba, "Adam", ICLR 2015, algorithm 1; Loshchilov and Hutter, "Decoupled weight decay
//! regularization", ICLR 2019, algorithm 2.

use super::{Rule, Setting};
use crate::lanes::{LANES, lanes};

/// Constants of one update.
#[derive(Clone, Copy)]
struct Constants {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    /// Decay through the gradient.
    coupled: f64,
    /// Factor on the weight.
    shrink: f64,
    /// rate / (1 − β₁ᵗ).
    rate: f64,
    /// 1 / √(1 − β₂ᵗ).
    correction: f64,
    scale: f64,
}

fn constants(rule: Rule, s: &Setting) -> Constants {
    let (beta1, beta2, epsilon, decoupled) = match rule {
        Rule::Adam {
            beta1,
            beta2,
            epsilon,
            decoupled,
        } => (beta1, beta2, epsilon, decoupled),
        _ => (0.0, 0.0, 0.0, false),
    };
    let t = s.updates as f64;
    Constants {
        beta1,
        beta2,
        epsilon,
        coupled: if decoupled { 0.0 } else { s.decay },
        shrink: if decoupled {
            1.0 - s.rate * s.decay
        } else {
            1.0
        },
        rate: s.rate / (1.0 - libm::pow(beta1, t)),
        correction: 1.0 / (1.0 - libm::pow(beta2, t)).sqrt(),
        scale: s.scale,
    }
}

/// The oracle.
pub fn plain(rule: Rule, s: &Setting, w: &mut [f64], g: &[f64], m: &mut [f64], v: &mut [f64]) {
    let c = constants(rule, s);
    for i in 0..w.len() {
        let g = g[i] * c.scale + c.coupled * w[i];
        m[i] = c.beta1 * m[i] + (1.0 - c.beta1) * g;
        v[i] = c.beta2 * v[i] + (1.0 - c.beta2) * g * g;
        w[i] = w[i] * c.shrink - c.rate * m[i] / (v[i].sqrt() * c.correction + c.epsilon);
    }
}

/// Constants of one update, in f32.
#[derive(Clone, Copy)]
pub struct Fast {
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
    pub fn new(rule: Rule, s: &Setting) -> Fast {
        let c = constants(rule, s);
        Fast {
            beta1: c.beta1 as f32,
            beta2: c.beta2 as f32,
            rest1: (1.0 - c.beta1) as f32,
            rest2: (1.0 - c.beta2) as f32,
            epsilon: c.epsilon as f32,
            coupled: c.coupled as f32,
            shrink: c.shrink as f32,
            rate: (-c.rate) as f32,
            correction: c.correction as f32,
            scale: c.scale as f32,
        }
    }
}

lanes! {
    /// A block.
    pub fn fast(c: Fast, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
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
