//! How accurate are exp, tanh, log and rsqrt? Each is compared with f64: for all 2³² inputs by
//! `xtask functions`, for a sample in a test.

use crate::cpu::lanes::{LANES, lanes};
use crate::cpu::machine::Isa;

/// A function on 16 lanes, and its f64 reference.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// y = f(x), elementwise.
    pub fast: fn(Isa, &[f32], &mut [f32]),
    /// The reference, accurate to far less than one f32 ulp.
    pub exact: fn(f64) -> f64,
    /// Whether the error bound applies to this input.
    pub holds: fn(f32) -> bool,
}

/// Every function that the engine computes with its own formula.
pub const FUNCTIONS: [Function; 4] = [
    Function {
        name: "exp",
        fast: exp_all,
        exact: libm::exp,
        holds: |_| true,
    },
    Function {
        name: "tanh",
        fast: tanh_all,
        exact: libm::tanh,
        holds: |_| true,
    },
    Function {
        name: "log",
        fast: log_all,
        exact: libm::log,
        holds: |x| x.is_normal() && x > 0.0,
    },
    Function {
        name: "rsqrt",
        fast: rsqrt_all,
        exact: |x| 1.0 / libm::sqrt(x),
        holds: |x| x > 0.0,
    },
];

lanes! {
    fn exp_all(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            Lanes::load(x, 0.0).exp().store(y);
        }
    }
}

lanes! {
    fn tanh_all(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            Lanes::load(x, 0.0).tanh().store(y);
        }
    }
}

lanes! {
    fn log_all(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            Lanes::load(x, 0.0).log().store(y);
        }
    }
}

lanes! {
    fn rsqrt_all(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            Lanes::load(x, 0.0).rsqrt().store(y);
        }
    }
}

/// The largest error found, in units in the last place, and where.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Worst {
    /// The error.
    pub ulp: f64,
    /// The input.
    pub x: f32,
}

impl Function {
    /// Checks the inputs whose bits are `first`, `first + by`, … below `end`, in blocks.
    pub fn worst(&self, isa: Isa, first: u64, end: u64, by: u64) -> Worst {
        const BLOCK: usize = 1 << 12;
        let (mut x, mut y) = (Vec::with_capacity(BLOCK), vec![0.0; BLOCK]);
        let mut worst = Worst::default();
        let mut bits = first;
        while bits < end {
            x.clear();
            while bits < end && x.len() < BLOCK {
                x.push(f32::from_bits(bits as u32));
                bits += by;
            }
            (self.fast)(isa, &x, &mut y[..x.len()]);
            for (&x, &y) in x.iter().zip(&y) {
                let ulp = self.error(x, y);
                if (self.holds)(x) && ulp > worst.ulp {
                    worst = Worst { ulp, x };
                }
            }
        }
        worst
    }

    /// Distance from the exact value, in units in the last place of the f32 nearest to it.
    fn error(&self, x: f32, found: f32) -> f64 {
        let exact = (self.exact)(f64::from(x));
        let near = exact as f32;
        let same = found == near || (found.is_nan() && near.is_nan());
        // exp flushes results below the smallest normal number to 0.
        let flushed = found == 0.0 && near.abs() < f32::MIN_POSITIVE && self.name == "exp";
        if flushed || (same && !near.is_finite()) {
            return 0.0;
        }
        if !near.is_finite() || !found.is_finite() {
            return f64::INFINITY;
        }
        let above = f32::from_bits(near.abs().to_bits() + 1);
        let unit = match above.is_finite() {
            true => f64::from(above) - f64::from(near.abs()),
            false => f64::from(near.abs()) - f64::from(near.abs().next_down()),
        };
        (f64::from(found) - exact).abs() / unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tolerance::FUNCTION_ULP;

    /// 2²⁰ inputs of all magnitudes and both signs, and the same bits on every path.
    #[test]
    fn a_sample_is_within_the_bound_and_every_path_agrees() {
        let all = 1u64 << 32;
        for f in &FUNCTIONS {
            let of = |isa| f.worst(isa, 1117, all, 4096 - 1);
            let worst = of(Isa::detect());
            assert!(worst.ulp <= FUNCTION_ULP, "{}: {worst:?}", f.name);
            let x: Vec<f32> = (0..all)
                .step_by(65_537)
                .map(|b| f32::from_bits(b as u32))
                .collect();
            let bits = |isa| {
                let mut y = vec![0.0; x.len()];
                (f.fast)(isa, &x, &mut y);
                y.iter().map(|y| y.to_bits()).collect::<Vec<u32>>()
            };
            let expected = bits(Isa::PORTABLE);
            for isa in Isa::available() {
                assert!(bits(isa) == expected, "{} differs on {isa:?}", f.name);
            }
        }
    }
}
