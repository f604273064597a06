//! The residual stream: a layer's output is added to its input.
//!
//! y = a + b. Backward: da = dy, db = dy.
//! He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, equation 1.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The operation; a [N, C], b [N, C] → y [N, C].
#[derive(Debug)]
pub struct Residual;

impl Graph {
    /// y = a + b.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn residual(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        Ok(self.push(Residual, &[a, b])?[0])
    }
}

impl Operation for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[0] != x[1] {
            return shape(self.name(), format!("{:?} and {:?} differ", x[0], x[1]));
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[], y: &[] }
    }

    fn passes_on(&self) -> Option<usize> {
        Some(0)
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 1, 3),
            Pass::Backward => elementwise(x[0].len(), 2, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let pairs = a.x[0].real().iter().zip(a.x[1].real());
        for (y, (x0, x1)) in a.y[0].iter_mut().zip(pairs) {
            *y = x0 + x1;
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        for dx in a.dx.iter_mut().flatten() {
            dx.iter_mut().zip(a.dy[0]).for_each(|(dx, dy)| *dx += dy);
        }
    }
}

impl Kernel for Residual {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let (x0, x1) = (a.x[0].real(), a.x[1].real());
        team.each(a.y[0].bands(1, band(1)), |_, mut y, _| {
            let from = y.first_row;
            add(team.isa(), &x0[from..], &x1[from..], y.slice());
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let dy = a.dy[0].real();
        let bands = |slot: usize| {
            let dx = a.dx[slot].as_ref();
            dx.map(|(write, d)| (*write, d.bands(1, band(1)))).unzip()
        };
        let ((write_a, da), (write_b, db)) = (bands(0), bands(1));
        // Tile by tile, so that dy is still cached for the second gradient.
        team.each((da, db), |_, (da, db), _| {
            for (write, dx) in [(write_a, da), (write_b, db)] {
                if let (Some(write), Some(mut dx)) = (write, dx) {
                    pass_on(team.isa(), &dy[dx.first_row..], write, dx.slice());
                }
            }
        });
    }
}

lanes! {
    /// Numbers of y.
    fn add(a: &[f32], b: &[f32], y: &mut [f32]) {
        for ((a, b), y) in a.chunks(LANES).zip(b.chunks(LANES)).zip(y.chunks_mut(LANES)) {
            (Lanes::load(a, 0.0) + Lanes::load(b, 0.0)).store(y);
        }
    }
}

lanes! {
    /// Numbers of a gradient that equals dy.
    pub fn pass_on(dy: &[f32], write: Write, dx: &mut [f32]) {
        for (dy, dx) in dy.chunks(LANES).zip(dx.chunks_mut(LANES)) {
            write.to(dx, Lanes::load(dy, 0.0));
        }
    }
}

/// Random shapes; sometimes `a` is used in two sums, so that its gradient is set and added to.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(9), d.size(40));
    let (a, b) = (d.parameter(g, rows, width), d.parameter(g, rows, width));
    let y = g.residual(a, b)?;
    if d.size(2) == 1 {
        return Ok(y);
    }
    g.residual(a, y)
}
