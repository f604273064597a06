//! Gated linear unit: one half of the hidden layer controls how much of the other half passes.
//!
//! y = silu(gate) · up with silu(x) = x·s and s = 1 / (1 + e⁻ˣ).
//! Shazeer, "GLU variants improve transformer", 2020, equation 6.
//!
//! Backward: dgate = dy·up·s·(1 + gate·(1 − s)), dup = dy·silu(gate).

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, Vector, band, lanes};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The operation; gate [N, F], up [N, F] → y [N, F].
#[derive(Debug)]
pub struct Swiglu;

impl Graph {
    /// y = silu(gate) · up.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn swiglu(&mut self, gate: ValueId, up: ValueId) -> Result<ValueId> {
        Ok(self.push(Swiglu, &[gate, up])?[0])
    }
}

impl Operation for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[0] != x[1] {
            return shape(
                self.name(),
                format!("gate {:?} and up {:?} differ", x[0], x[1]),
            );
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0, 1], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 5, 3),
            Pass::Backward => elementwise(x[0].len(), 11, 5),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (gate, up) = (a.x[0].real(), a.x[1].real());
        for ((y, gate), up) in a.y[0].iter_mut().zip(gate).zip(up) {
            *y = gate / (1.0 + libm::exp(-gate)) * up;
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (gate, up) = (a.x[0].real(), a.x[1].real());
        for (i, dy) in a.dy[0].iter().enumerate() {
            let s = 1.0 / (1.0 + libm::exp(-gate[i]));
            if let Some(dgate) = &mut a.dx[0] {
                dgate[i] += dy * up[i] * s * (1.0 + gate[i] * (1.0 - s));
            }
            if let Some(dup) = &mut a.dx[1] {
                dup[i] += dy * gate[i] * s;
            }
        }
    }
}

impl Kernel for Swiglu {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let (gate, up) = (a.x[0].real(), a.x[1].real());
        team.each(a.y[0].bands(1, band(1)), |_, mut y, _| {
            let from = y.first_row;
            forward_numbers(team.isa(), &gate[from..], &up[from..], y.slice());
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let (gate, up, dy) = (a.x[0].real(), a.x[1].real(), a.dy[0].real());
        let bands = |slot: usize| {
            let dx = a.dx[slot].as_ref();
            dx.map(|(write, d)| (*write, d.bands(1, band(1)))).unzip()
        };
        let ((write_gate, dgate), (write_up, dup)) = (bands(0), bands(1));
        let write = [write_gate, write_up].map(|w| w.unwrap_or(Write::Set));
        team.each((dgate, dup), |tile, (mut dgate, mut dup), _| {
            let dgate = dgate.as_mut().map(|p| p.slice()).unwrap_or_default();
            let dup = dup.as_mut().map(|p| p.slice()).unwrap_or_default();
            let from = tile * band(1);
            let (gate, up, dy) = (&gate[from..], &up[from..], &dy[from..]);
            backward_numbers(team.isa(), gate, up, dy, write, dgate, dup);
        });
    }
}

/// s = 1 / (1 + e⁻ˣ).
#[inline(always)]
fn sigmoid<Lanes: Vector>(x: Lanes) -> Lanes {
    let one = Lanes::all(1.0);
    one / (one + (x * Lanes::all(-1.0)).exp())
}

lanes! {
    /// Numbers of y.
    fn forward_numbers(gate: &[f32], up: &[f32], y: &mut [f32]) {
        for ((gate, up), y) in gate.chunks(LANES).zip(up.chunks(LANES)).zip(y.chunks_mut(LANES)) {
            let gate = Lanes::load(gate, 0.0);
            (gate * sigmoid(gate) * Lanes::load(up, 0.0)).store(y);
        }
    }
}

lanes! {
    /// Numbers of dgate and dup. One of them may be empty if it isn't needed.
    fn backward_numbers(gate: &[f32], up: &[f32], dy: &[f32], write: [Write; 2], dgate: &mut [f32], dup: &mut [f32]) {
        for at in (0..dgate.len().max(dup.len())).step_by(LANES) {
            let (gate, dy) = (Lanes::load(&gate[at..], 0.0), Lanes::load(&dy[at..], 0.0));
            let s = sigmoid(gate);
            let slope = s * gate.mul_add(Lanes::all(1.0) - s, Lanes::all(1.0));
            let up = Lanes::load(&up[at..], 0.0);
            write[0].to(dgate.get_mut(at..).unwrap_or_default(), dy * up * slope);
            write[1].to(dup.get_mut(at..).unwrap_or_default(), dy * gate * s);
        }
    }
}

/// Random shapes; sometimes only one of the inputs has a gradient, or `up` is read twice, so that
/// one gradient is set while the other is added to.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(9), d.size(40));
    let case = d.size(4);
    let (gate, up) = match case {
        1 => (d.parameter(g, rows, width), d.input(g, rows, width)),
        2 => (d.input(g, rows, width), d.parameter(g, rows, width)),
        _ => (d.parameter(g, rows, width), d.parameter(g, rows, width)),
    };
    let y = g.swiglu(gate, up)?;
    if case == 3 {
        return g.swiglu(y, up);
    }
    Ok(y)
}
