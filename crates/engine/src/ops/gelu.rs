//! Gaussian error linear unit: x times the probability that a standard normal number is below it.
//!
//! y = ½·x·(1 + tanh u) with u = √(2/π)·(x + 0.044715·x³), the tanh form that GPT-2 uses.
//! Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016, section 2.
//!
//! Backward: dx = dy·(½·(1 + tanh u) + ½·x·(1 − tanh² u)·u′) with u′ = √(2/π)·(1 + 3·0.044715·x²).
//!
//! The fast path uses ½·(1 + tanh u) = s with s = 1 / (1 + e⁻²ᵘ): one exponential, and no loss of
//! precision where tanh u is near −1. Then dx = dy·(s + 2·x·s·(1 − s)·u′).

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, Vector, band, lanes};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// √(2/π).
const SCALE: f64 = 0.797_884_560_802_865_4;

/// Coefficient of the cubic term.
const CUBE: f64 = 0.044_715;

/// The operation; x [N, C] → y [N, C].
#[derive(Debug)]
pub struct Gelu;

impl Graph {
    /// y = ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    ///
    /// # Errors
    /// If `x` is empty.
    pub fn gelu(&mut self, x: ValueId) -> Result<ValueId> {
        Ok(self.push(Gelu, &[x])?[0])
    }
}

impl Operation for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0], y: &[] }
    }

    fn overwrites(&self) -> Option<usize> {
        Some(0)
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 8, 2),
            Pass::Backward => elementwise(x[0].len(), 16, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        for (y, x) in a.y[0].iter_mut().zip(a.x[0].real()) {
            let u = SCALE * (x + CUBE * x * x * x);
            *y = 0.5 * x * (1.0 + libm::tanh(u));
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let Some(dx) = &mut a.dx[0] else { return };
        for ((dx, x), dy) in dx.iter_mut().zip(a.x[0].real()).zip(a.dy[0]) {
            let t = libm::tanh(SCALE * (x + CUBE * x * x * x));
            let slope = SCALE * (1.0 + 3.0 * CUBE * x * x);
            *dx += dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope);
        }
    }
}

impl Kernel for Gelu {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let x = a.x[0].real();
        team.each(a.y[0].bands(1, band(1)), |_, mut y, _| {
            forward_numbers(team.isa(), &x[y.first_row..], y.slice());
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let (x, dy) = (a.x[0].real(), a.dy[0].real());
        let Some((write, dx)) = &a.dx[0] else { return };
        team.each(dx.bands(1, band(1)), |_, mut dx, _| {
            let from = dx.first_row;
            let x = x.get(from..).unwrap_or_default();
            backward_numbers(team.isa(), x, &dy[from..], *write, dx.slice());
        });
    }
}

/// s = 1 / (1 + e⁻²ᵘ), where `square` is x².
#[inline(always)]
fn gate<Lanes: Vector>(x: Lanes, square: Lanes) -> Lanes {
    let linear = Lanes::all((-2.0 * SCALE) as f32);
    let cubic = Lanes::all((-2.0 * SCALE * CUBE) as f32);
    let one = Lanes::all(1.0);
    one / (one + (square.mul_add(cubic, linear) * x).exp())
}

lanes! {
    /// Numbers of y.
    fn forward_numbers(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            let x = Lanes::load(x, 0.0);
            (x * gate(x, x * x)).store(y);
        }
    }
}

lanes! {
    /// Numbers of dx, in place if `dx` holds x itself.
    fn backward_numbers(x: &[f32], dy: &[f32], write: Write, dx: &mut [f32]) {
        let linear = Lanes::all((2.0 * SCALE) as f32);
        let cubic = Lanes::all((6.0 * SCALE * CUBE) as f32);
        for (i, (dy, dx)) in dy.chunks(LANES).zip(dx.chunks_mut(LANES)).enumerate() {
            let at = i * LANES;
            let x = if write == Write::Over { &*dx } else { &x[at..at + dx.len()] };
            let x = Lanes::load(x, 0.0);
            let square = x * x;
            let s = gate(x, square);
            let slope = square.mul_add(cubic, linear);
            let d = (x * s * (Lanes::all(1.0) - s)).mul_add(slope, s);
            write.to(dx, Lanes::load(dy, 0.0) * d);
        }
    }
}

/// Random shapes.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(9), d.size(40));
    let x = d.parameter(g, rows, width);
    g.gelu(x)
}
