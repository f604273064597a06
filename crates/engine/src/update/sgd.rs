//! Gradient descent, with or without momentum.
//!
//! g ← scale·∇ + decay·w;  v ← μ·v + g;  w ← w − rate·(g without momentum, v with it, g + μ·v in
//! Nesterov's form). Sutskever et al., "On the importance of initialization and momentum in deep
//! learning", ICML 2013, in the parametrisation that PyTorch uses.

use super::{Rule, Setting};
use crate::lanes::{LANES, lanes};

/// The oracle; `velocity` is empty without momentum.
pub fn plain(rule: Rule, s: &Setting, w: &mut [f64], g: &[f64], velocity: &mut [f64]) {
    for (i, w) in w.iter_mut().enumerate() {
        let g = g[i] * s.scale + s.decay * *w;
        *w -= s.rate
            * match rule {
                Rule::Momentum { momentum, nesterov } => {
                    velocity[i] = momentum * velocity[i] + g;
                    if nesterov {
                        g + momentum * velocity[i]
                    } else {
                        velocity[i]
                    }
                }
                _ => g,
            };
    }
}

lanes! {
    /// A block without momentum.
    pub fn fast(s: Setting, w: &mut [f32], g: &[f32]) {
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
    pub fn momentum(rule: Rule, s: Setting, w: &mut [f32], g: &[f32], velocity: &mut [f32]) {
        let (mu, ahead) = match rule {
            Rule::Momentum { momentum, nesterov } => (momentum, nesterov),
            _ => (0.0, false),
        };
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
