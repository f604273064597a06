//! How is a row normalized? Root mean square norm keeps its direction and fixes its length.
//!
//! y = w · x / r with r = √(mean(x²) + ε), over rows of `C` numbers.
//! Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.
//!
//! Backward, with g = w·dy and x̂ = x / r: dx = (g − x̂·mean(g·x̂)) / r, dw = Σ over rows of dy·x̂.
//!
//! A row of `x` may be longer than `w`: then each part of `C` numbers is normalized separately, as
//! for queries and keys, head by head (`H` parts of `D` numbers).

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes, sum_by};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// Columns of dw that a tile sums.
const STRIP: usize = 4 * LANES;

/// The operation; x [N, …·C], w [C] → y [N, …·C]; keeps 1/r for each row.
#[derive(Debug)]
pub struct RmsNorm {
    /// ε.
    epsilon: f64,
}

impl Graph {
    /// y = w · x / √(mean(x²) + ε).
    ///
    /// # Errors
    /// If the width of `x` is not a multiple of the width of `w`.
    pub fn rms_norm(&mut self, x: ValueId, w: ValueId, epsilon: f64) -> Result<ValueId> {
        Ok(self.push(RmsNorm { epsilon }, &[x, w])?[0])
    }
}

impl Operation for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        let (x, w) = (x[0], x[1]);
        if w.rows != 1 || !x.width.is_multiple_of(w.width) {
            return shape(
                self.name(),
                format!("weight {w:?} doesn't match rows of {x:?}"),
            );
        }
        Ok(Outputs {
            y: vec![x],
            kept: vec![Spec::real(x.rows, x.width / w.width)],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0, 1], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 4, 2),
            Pass::Backward => elementwise(x[0].len(), 9, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let width = w.len();
        for (row, x) in x.chunks(width).enumerate() {
            let mean = x.iter().map(|x| x * x).sum::<f64>() / width as f64;
            let inverse = 1.0 / (mean + self.epsilon).sqrt();
            a.kept[0][row] = inverse;
            for i in 0..width {
                a.y[0][row * width + i] = w[i] * x[i] * inverse;
            }
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let width = w.len();
        for (row, x) in x.chunks(width).enumerate() {
            let inverse = a.kept[0][row];
            let dy = &a.dy[0][row * width..][..width];
            let mean = (0..width)
                .map(|i| w[i] * dy[i] * x[i] * inverse)
                .sum::<f64>()
                / width as f64;
            for i in 0..width {
                let unit = x[i] * inverse;
                if let Some(dx) = &mut a.dx[0] {
                    dx[row * width + i] += (w[i] * dy[i] - unit * mean) * inverse;
                }
                if let Some(dw) = &mut a.dx[1] {
                    dw[i] += dy[i] * unit;
                }
            }
        }
    }
}

impl Kernel for RmsNorm {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let (width, rows) = (w.len(), band(w.len()));
        let epsilon = self.epsilon as f32;
        team.each(
            (a.y[0].bands(width, rows), a.kept[0].bands(1, rows)),
            |_, (mut y, mut k), _| {
                let x = &x[y.first_row * width..];
                forward_rows(team.isa(), x, w, epsilon, y.slice(), k.slice());
            },
        );
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let (x, w, inverse, dy) = (
            a.x[0].real(),
            a.x[1].real(),
            a.kept[0].real(),
            a.dy[0].real(),
        );
        let width = w.len();
        if let Some((write, dx)) = &a.dx[0] {
            team.each(dx.bands(width, band(width)), |_, mut dx, _| {
                let from = dx.first_row;
                let (x, dy) = (&x[from * width..], &dy[from * width..]);
                backward_rows(team.isa(), x, w, &inverse[from..], dy, *write, dx.slice());
            });
        }
        if let Some((write, dw)) = &a.dx[1] {
            team.each(dw.strips(width, STRIP), |_, mut dw, _| {
                let from = dw.first_column;
                weight_columns(team.isa(), x, inverse, dy, width, from, *write, dw.row(0));
            });
        }
    }
}

lanes! {
    /// Rows of y, and 1/r of each.
    fn forward_rows(x: &[f32], w: &[f32], epsilon: f32, y: &mut [f32], kept: &mut [f32]) {
        let width = w.len();
        let all = x.chunks(width).zip(y.chunks_mut(width));
        for ((x, y), kept) in all.zip(kept.iter_mut()) {
            let mean = sum_by(x, 0.0, |x: Lanes| x * x) / width as f32;
            *kept = 1.0 / (mean + epsilon).sqrt();
            let inverse = Lanes::all(*kept);
            for ((x, w), y) in x.chunks(LANES).zip(w.chunks(LANES)).zip(y.chunks_mut(LANES)) {
                (Lanes::load(x, 0.0) * inverse * Lanes::load(w, 0.0)).store(y);
            }
        }
    }
}

lanes! {
    /// Rows of dx.
    fn backward_rows(x: &[f32], w: &[f32], kept: &[f32], dy: &[f32], write: Write, dx: &mut [f32]) {
        let width = w.len();
        let all = x.chunks(width).zip(dy.chunks(width)).zip(kept);
        for (((x, dy), &inverse), dx) in all.zip(dx.chunks_mut(width)) {
            let mut total = Lanes::all(0.0);
            for ((x, dy), w) in x.chunks(LANES).zip(dy.chunks(LANES)).zip(w.chunks(LANES)) {
                let g = Lanes::load(dy, 0.0) * Lanes::load(w, 0.0);
                total = g.mul_add(Lanes::load(x, 0.0), total);
            }
            // mean(g·x̂) / r = mean(g·x) / r².
            let by = Lanes::all(-(total.sum() / width as f32) * inverse * inverse);
            let inverse = Lanes::all(inverse);
            let parts = x.chunks(LANES).zip(dy.chunks(LANES)).zip(w.chunks(LANES));
            for (((x, dy), w), dx) in parts.zip(dx.chunks_mut(LANES)) {
                let g = Lanes::load(dy, 0.0) * Lanes::load(w, 0.0);
                let d = by.mul_add(Lanes::load(x, 0.0), g) * inverse;
                write.to(dx, d);
            }
        }
    }
}

lanes! {
    /// Columns of dw starting at `from`: each is one chain over the rows, in order.
    fn weight_columns(x: &[f32], kept: &[f32], dy: &[f32], width: usize, from: usize, write: Write, dw: &mut [f32]) {
        let rows = x.chunks(width).zip(dy.chunks(width)).zip(kept);
        if dw.len() == STRIP {
            // Several vectors of columns at once: each row is read once, and the chains overlap.
            let mut total = [Lanes::all(0.0); STRIP / LANES];
            for (v, total) in total.iter_mut().enumerate() {
                *total = write.start(&dw[v * LANES..]);
            }
            for ((x, dy), &inverse) in rows {
                let (x, dy) = (&x[from..from + STRIP], &dy[from..from + STRIP]);
                let inverse = Lanes::all(inverse);
                for (v, total) in total.iter_mut().enumerate() {
                    let unit = Lanes::load(&x[v * LANES..], 0.0) * inverse;
                    *total = unit.mul_add(Lanes::load(&dy[v * LANES..], 0.0), *total);
                }
            }
            for (v, total) in total.iter().enumerate() {
                total.store(&mut dw[v * LANES..]);
            }
            return;
        }
        for (part, dw) in dw.chunks_mut(LANES).enumerate() {
            let at = from + part * LANES;
            let end = at + dw.len();
            let mut total = write.start(dw);
            for ((x, dy), &inverse) in rows.clone() {
                let unit = Lanes::load(&x[at..end], 0.0) * Lanes::all(inverse);
                total = unit.mul_add(Lanes::load(&dy[at..end], 0.0), total);
            }
            total.store(dw);
        }
    }
}

/// Random shapes: whole rows, or several heads per row.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, parts, width) = (d.size(9), d.size(3), d.size(40));
    let (x, w) = (d.parameter(g, rows, parts * width), d.vector(g, width));
    g.rms_norm(x, w, 1e-6)
}
