//! Mean squared error: the cost of regression.
//!
//! loss = weight · Σ over rows of mean over columns of (y − target)², with weight = 1 / rows of the
//! whole step. Backward: dy = weight · 2 (y − target) / width.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes, total};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The operation; y [N, C], target [N, C] → loss [1], squared error of each row [N].
#[derive(Debug)]
pub struct Mse {
    /// Columns of y.
    width: usize,
}

impl Graph {
    /// Mean squared error; returns the cost, and each row's squared error. A micro-batch
    /// contributes its share of the cost; the shares sum to the mean.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn mse(&mut self, y: ValueId, target: ValueId) -> Result<(ValueId, ValueId)> {
        let width = self.spec(y).width;
        let out = self.push(Mse { width }, &[y, target])?;
        self.keep(out[0]);
        Ok((out[0], out[1]))
    }
}

impl Operation for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn is_cost(&self) -> bool {
        true
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[0] != x[1] {
            return shape(
                self.name(),
                format!("{:?} and target {:?} differ", x[0], x[1]),
            );
        }
        Ok(Outputs {
            y: vec![Spec::real(1, 1), Spec::real(x[0].rows, 1)],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0, 1], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 3, 2),
            Pass::Backward => elementwise(x[0].len(), 2, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (y, target) = (a.x[0].real(), a.x[1].real());
        let width = self.width;
        for (row, e) in a.y[1].iter_mut().enumerate() {
            let pairs = y[row * width..][..width].iter().zip(&target[row * width..]);
            *e = pairs.map(|(y, t)| (y - t) * (y - t)).sum::<f64>() / width as f64;
        }
        a.y[0][0] = a.y[1].iter().sum::<f64>() * a.at.loss_weight;
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (y, target) = (a.x[0].real(), a.x[1].real());
        let Some(dy) = &mut a.dx[0] else { return };
        let scale = 2.0 * a.at.loss_weight / self.width as f64;
        for ((dy, y), t) in dy.iter_mut().zip(y).zip(target) {
            *dy += scale * (y - t);
        }
    }
}

impl Kernel for Mse {
    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let (y, target) = (a.x[0].real(), a.x[1].real());
        let width = self.width;
        team.each(a.y[1].bands(1, band(width)), |_, mut e, _| {
            let from = e.first_row * width;
            error_rows(team.isa(), &y[from..], &target[from..], width, e.slice());
        });
        team.each_from([&a.y[1]], a.y[0].bands(1, 1), |_, mut loss, [errors], _| {
            loss.row(0)[0] = total(team.isa(), errors) * at.loss_weight as f32;
        });
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        let (y, target) = (a.x[0].real(), a.x[1].real());
        let Some((write, dy)) = &a.dx[0] else { return };
        let scale = (2.0 * at.loss_weight / self.width as f64) as f32;
        team.each(dy.bands(self.width, band(self.width)), |_, mut dy, _| {
            let from = dy.first_row * self.width;
            gradient(
                team.isa(),
                &y[from..],
                &target[from..],
                scale,
                *write,
                dy.slice(),
            );
        });
    }
}

lanes! {
    /// Mean squared error of each row.
    fn error_rows(y: &[f32], target: &[f32], width: usize, errors: &mut [f32]) {
        for ((y, t), e) in y.chunks(width).zip(target.chunks(width)).zip(errors) {
            let mut sum = Lanes::all(0.0);
            for (y, t) in y.chunks(LANES).zip(t.chunks(LANES)) {
                let d = Lanes::load(y, 0.0) - Lanes::load(t, 0.0);
                sum = d.mul_add(d, sum);
            }
            *e = sum.sum() / width as f32;
        }
    }
}

lanes! {
    /// dy.
    fn gradient(y: &[f32], target: &[f32], scale: f32, write: Write, dy: &mut [f32]) {
        let scale = Lanes::all(scale);
        let pairs = y.chunks(LANES).zip(target.chunks(LANES));
        for ((y, t), dy) in pairs.zip(dy.chunks_mut(LANES)) {
            let d = scale * (Lanes::load(y, 0.0) - Lanes::load(t, 0.0));
            write.to(dy, d);
        }
    }
}

/// Random shapes.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(20), d.size(40));
    let (y, target) = (d.parameter(g, rows, width), d.input(g, rows, width));
    Ok(g.mse(y, target)?.0)
}
