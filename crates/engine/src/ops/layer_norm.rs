//! Layer norm: normalizes each row to mean 0 and variance 1, then applies a learned scale and
//! shift.
//!
//! y = w · (x − m) / σ + b with m = mean(x) and σ = √(mean((x − m)²) + ε), over rows of `C`
//! numbers. Ba, Kiros and Hinton, "Layer normalization", 2016, equation 4.
//!
//! Backward, with g = w·dy and x̂ = (x − m) / σ: dx = (g − mean(g) − x̂·mean(g·x̂)) / σ,
//! dw = Σ over rows of dy·x̂, db = Σ over rows of dy.

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

/// Columns of dw and db that one thread sums at a time.
const STRIP: usize = 4 * LANES;

/// The operation; x [N, C], w [C], optional b [C] → y [N, C]; keeps m and 1/σ for each row.
#[derive(Debug)]
pub struct LayerNorm {
    /// ε.
    epsilon: f64,
}

impl Graph {
    /// y = w · (x − mean(x)) / √(var(x) + ε) (+ b), with the biased variance.
    ///
    /// # Errors
    /// If the length of `w` or `b` differs from the width of `x`.
    pub fn layer_norm(
        &mut self,
        x: ValueId,
        w: ValueId,
        b: Option<ValueId>,
        epsilon: f64,
    ) -> Result<ValueId> {
        let inputs: Vec<ValueId> = [x, w].into_iter().chain(b).collect();
        Ok(self.push(LayerNorm { epsilon }, &inputs)?[0])
    }
}

impl Operation for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        let vector = Spec::real(1, x[0].width);
        if x[1..].iter().any(|v| *v != vector) {
            return shape(
                self.name(),
                format!(
                    "weight and bias {:?} don't match rows of {:?}",
                    &x[1..],
                    x[0]
                ),
            );
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![Spec::real(x[0].rows, 1); 2],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0, 1], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        let bias = u64::from(x.len() > 2);
        match pass {
            Pass::Forward => elementwise(x[0].len(), 7 + bias, 2),
            Pass::Backward => elementwise(x[0].len(), 15 + bias, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let width = w.len();
        for (row, x) in x.chunks(width).enumerate() {
            let mean = x.iter().sum::<f64>() / width as f64;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width as f64;
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            a.kept[0][row] = mean;
            a.kept[1][row] = inverse;
            for i in 0..width {
                let bias = a.x.get(2).map_or(0.0, |b| b.real()[i]);
                a.y[0][row * width + i] = w[i] * (x[i] - mean) * inverse + bias;
            }
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let width = w.len();
        for (row, x) in x.chunks(width).enumerate() {
            let (mean, inverse) = (a.kept[0][row], a.kept[1][row]);
            let dy = &a.dy[0][row * width..][..width];
            let unit: Vec<f64> = x.iter().map(|x| (x - mean) * inverse).collect();
            let g: Vec<f64> = w.iter().zip(dy).map(|(w, dy)| w * dy).collect();
            let mean_g = g.iter().sum::<f64>() / width as f64;
            let mean_gx = g.iter().zip(&unit).map(|(g, u)| g * u).sum::<f64>() / width as f64;
            for i in 0..width {
                if let Some(dx) = &mut a.dx[0] {
                    dx[row * width + i] += (g[i] - mean_g - unit[i] * mean_gx) * inverse;
                }
                if let Some(dw) = &mut a.dx[1] {
                    dw[i] += dy[i] * unit[i];
                }
                if let Some(Some(db)) = a.dx.get_mut(2) {
                    db[i] += dy[i];
                }
            }
        }
    }
}

impl Kernel for LayerNorm {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let b = a.x.get(2).map(|b| b.real());
        let (width, rows) = (w.len(), band(w.len()));
        let epsilon = self.epsilon as f32;
        let cuts = (
            a.y[0].bands(width, rows),
            a.kept[0].bands(1, rows),
            a.kept[1].bands(1, rows),
        );
        team.each(cuts, |_, (mut y, mut mean, mut inverse), _| {
            let x = &x[y.first_row * width..];
            let (mean, inverse) = (mean.slice(), inverse.slice());
            forward_rows(team.isa(), x, w, b, epsilon, y.slice(), mean, inverse);
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let (x, w, dy) = (a.x[0].real(), a.x[1].real(), a.dy[0].real());
        let (mean, inverse) = (a.kept[0].real(), a.kept[1].real());
        let width = w.len();
        if let Some((write, dx)) = &a.dx[0] {
            team.each(dx.bands(width, band(width)), |_, mut dx, _| {
                let from = dx.first_row;
                let (x, dy) = (&x[from * width..], &dy[from * width..]);
                let (mean, inverse) = (&mean[from..], &inverse[from..]);
                backward_rows(team.isa(), x, w, mean, inverse, dy, *write, dx.slice());
            });
        }
        let strips = |slot: usize| {
            let dx = a.dx.get(slot).and_then(Option::as_ref);
            dx.map(|(write, d)| (*write, d.strips(width, STRIP)))
                .unzip()
        };
        let ((write_w, dw), (write_b, db)) = (strips(1), strips(2));
        let write = [write_w, write_b].map(|w| w.unwrap_or(Write::Set));
        team.each((dw, db), |tile, (mut dw, mut db), _| {
            let dw = dw.as_mut().map(|p| p.row(0)).unwrap_or_default();
            let db = db.as_mut().map(|p| p.row(0)).unwrap_or_default();
            let from = tile * STRIP;
            parameter_columns(team.isa(), x, mean, inverse, dy, width, from, write, dw, db);
        });
    }
}

lanes! {
    /// Rows of y, and m and 1/σ of each. The variance is summed once the mean is known: the sum of
    /// squares minus the square of the sum would lose precision in rows far from 0.
    fn forward_rows(x: &[f32], w: &[f32], b: Option<&[f32]>, epsilon: f32, y: &mut [f32], means: &mut [f32], inverses: &mut [f32]) {
        let width = w.len();
        let all = x.chunks(width).zip(y.chunks_mut(width));
        for ((x, y), (kept_mean, kept_inverse)) in all.zip(means.iter_mut().zip(inverses)) {
            *kept_mean = sum_by(x, 0.0, |x: Lanes| x) / width as f32;
            let mean = Lanes::all(*kept_mean);
            // Lanes past the end of the row are filled with the mean: they add 0.
            let squares = sum_by(x, *kept_mean, |x: Lanes| (x - mean) * (x - mean));
            *kept_inverse = 1.0 / (squares / width as f32 + epsilon).sqrt();
            let inverse = Lanes::all(*kept_inverse);
            for (i, y) in y.chunks_mut(LANES).enumerate() {
                let at = i * LANES;
                let unit = (Lanes::load(&x[at..], 0.0) - mean) * inverse;
                let bias = b.map_or(Lanes::all(0.0), |b| Lanes::load(&b[at..], 0.0));
                unit.mul_add(Lanes::load(&w[at..], 0.0), bias).store(y);
            }
        }
    }
}

lanes! {
    /// Rows of dx.
    fn backward_rows(x: &[f32], w: &[f32], means: &[f32], inverses: &[f32], dy: &[f32], write: Write, dx: &mut [f32]) {
        let width = w.len();
        let all = x.chunks(width).zip(dy.chunks(width)).zip(means.iter().zip(inverses));
        for (((x, dy), (&mean, &inverse)), dx) in all.zip(dx.chunks_mut(width)) {
            let mean = Lanes::all(mean);
            let (mut sum_g, mut sum_gx) = (Lanes::all(0.0), Lanes::all(0.0));
            for ((x, dy), w) in x.chunks(LANES).zip(dy.chunks(LANES)).zip(w.chunks(LANES)) {
                let g = Lanes::load(dy, 0.0) * Lanes::load(w, 0.0);
                sum_g = sum_g + g;
                sum_gx = g.mul_add(Lanes::load(x, 0.0) - mean, sum_gx);
            }
            let mean_g = Lanes::all(sum_g.sum() / width as f32);
            // mean(g·x̂) / σ = mean(g·(x − m)) / σ².
            let by = Lanes::all(-(sum_gx.sum() / width as f32) * inverse * inverse);
            let inverse = Lanes::all(inverse);
            let parts = x.chunks(LANES).zip(dy.chunks(LANES)).zip(w.chunks(LANES));
            for (((x, dy), w), dx) in parts.zip(dx.chunks_mut(LANES)) {
                let g = Lanes::load(dy, 0.0) * Lanes::load(w, 0.0);
                let d = by.mul_add(Lanes::load(x, 0.0) - mean, g - mean_g) * inverse;
                write.to(dx, d);
            }
        }
    }
}

lanes! {
    /// Columns of dw and db starting at `from`: each is one chain over the rows, in order. One of
    /// them may be empty if it isn't needed.
    fn parameter_columns(x: &[f32], means: &[f32], inverses: &[f32], dy: &[f32], width: usize, from: usize, write: [Write; 2], dw: &mut [f32], db: &mut [f32]) {
        let rows = x.chunks(width).zip(dy.chunks(width));
        let rows = rows.zip(means.iter().zip(inverses));
        if dw.len() == STRIP && db.is_empty() {
            // Several vectors of columns at once: each row is read once, and the chains overlap.
            let mut total = [Lanes::all(0.0); STRIP / LANES];
            for (v, total) in total.iter_mut().enumerate() {
                *total = write[0].start(&dw[v * LANES..]);
            }
            for ((x, dy), (&mean, &inverse)) in rows {
                let (x, dy) = (&x[from..from + STRIP], &dy[from..from + STRIP]);
                let (mean, inverse) = (Lanes::all(mean), Lanes::all(inverse));
                for (v, total) in total.iter_mut().enumerate() {
                    let unit = (Lanes::load(&x[v * LANES..], 0.0) - mean) * inverse;
                    *total = unit.mul_add(Lanes::load(&dy[v * LANES..], 0.0), *total);
                }
            }
            for (v, total) in total.iter().enumerate() {
                total.store(&mut dw[v * LANES..]);
            }
            return;
        }
        let columns = dw.len().max(db.len());
        for first in (0..columns).step_by(LANES) {
            let (at, end) = (from + first, from + (first + LANES).min(columns));
            let dw = dw.get_mut(first..).unwrap_or_default();
            let db = db.get_mut(first..).unwrap_or_default();
            let (mut total_w, mut total_b): (Lanes, Lanes) = (write[0].start(dw), write[1].start(db));
            for ((x, dy), (&mean, &inverse)) in rows.clone() {
                let dy = Lanes::load(&dy[at..end], 0.0);
                let unit = (Lanes::load(&x[at..end], 0.0) - Lanes::all(mean)) * Lanes::all(inverse);
                total_w = unit.mul_add(dy, total_w);
                total_b = total_b + dy;
            }
            total_w.store(dw);
            total_b.store(db);
        }
    }
}

/// Random shapes, with and without bias; sometimes `w` is used twice, so that dw is added to while
/// db is set. ε is large enough to matter, and to keep rows of two or three nearly equal numbers
/// smooth enough for differences.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(9), d.size(90));
    let (x, w) = (d.parameter(g, rows, width), d.vector(g, width));
    let b = if d.size(2) == 1 {
        Some(d.vector(g, width))
    } else {
        None
    };
    let y = g.layer_norm(x, w, b, 0.1)?;
    if d.size(3) == 1 {
        return g.layer_norm(y, w, None, 0.1);
    }
    Ok(y)
}
