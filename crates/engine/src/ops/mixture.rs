//! The mean prediction of several models, taken one model after another.
//!
//! y = sum + weight · softmax(x), with weight = 1 / number of models, and the first model's sum 0.
//! Backward: with s = softmax(x), dx = weight · s∘(dy − Σⱼ sⱼ·dyⱼ), and dsum = dy.
//! Averaging probabilities: Lakshminarayanan et al., "Deep ensembles", 2017, section 2.4.

use super::cross_entropy::log_sum_exp_f64;
use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes, log_sum_exp};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, In, Operation, Outputs, Reads, Spec};
use crate::ops::residual::pass_on;
use crate::write::Write;

/// The operation; logits x [N, V], and the sum so far [N, V] except for the first model → y [N, V];
/// keeps the log of the sum of exponentials of each row [N].
#[derive(Debug)]
pub struct Mixture {
    /// V.
    vocabulary: usize,
    /// The weight of this model.
    weight: f64,
}

impl Graph {
    /// The mean of the probabilities of models with these logits.
    ///
    /// # Errors
    /// If there is no model, or their shapes differ.
    pub fn mixture(&mut self, models: &[ValueId]) -> Result<ValueId> {
        let mut sum = None;
        for &x in models {
            let op = Mixture {
                vocabulary: self.spec(x).width,
                weight: 1.0 / models.len() as f64,
            };
            let inputs: Vec<ValueId> = [x].into_iter().chain(sum).collect();
            sum = Some(self.push(op, &inputs)?[0]);
        }
        match sum {
            Some(mean) => Ok(mean),
            None => shape("mixture", "no models"),
        }
    }
}

impl Operation for Mixture {
    fn name(&self) -> &'static str {
        "mixture"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x.get(1).is_some_and(|sum| *sum != x[0]) {
            return shape(self.name(), format!("{:?} doesn't match {:?}", x[0], x[1]));
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![Spec::real(x[0].rows, 1)],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 5, 1 + x.len() as u64),
            Pass::Backward => elementwise(x[0].len(), 6, 2 + x.len() as u64),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, sum) = (a.x[0].real(), a.x.get(1).map(In::real));
        for (row, y) in a.y[0].chunks_mut(self.vocabulary).enumerate() {
            let from = row * self.vocabulary;
            let x = &x[from..][..self.vocabulary];
            a.kept[0][row] = log_sum_exp_f64(x);
            for (j, y) in y.iter_mut().enumerate() {
                let sum = sum.map_or(0.0, |sum| sum[from + j]);
                *y = sum + self.weight * libm::exp(x[j] - a.kept[0][row]);
            }
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, dy) = (a.x[0].real(), a.dy[0]);
        if let Some(dx) = &mut a.dx[0] {
            for (row, dx) in dx.chunks_mut(self.vocabulary).enumerate() {
                let all = row * self.vocabulary..(row + 1) * self.vocabulary;
                let (x, dy) = (&x[all.clone()], &dy[all]);
                let s = |j: usize| libm::exp(x[j] - a.kept[0][row]);
                let mean: f64 = (0..x.len()).map(|j| s(j) * dy[j]).sum();
                for (j, dx) in dx.iter_mut().enumerate() {
                    *dx += self.weight * s(j) * (dy[j] - mean);
                }
            }
        }
        if let Some(Some(sum)) = a.dx.get_mut(1) {
            sum.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
        }
    }
}

impl Kernel for Mixture {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let (x, sum) = (a.x[0].real(), a.x.get(1).map(|sum| sum.real()));
        let (width, rows) = (self.vocabulary, band(self.vocabulary));
        let cuts = (a.y[0].bands(width, rows), a.kept[0].bands(1, rows));
        team.each(cuts, |_, (mut y, mut kept), _| {
            let from = kept.first_row * width;
            let sum = sum.map_or(&[][..], |sum| &sum[from..]);
            let weight = self.weight as f32;
            let (y, kept) = (y.slice(), kept.slice());
            forward_rows(team.isa(), &x[from..], sum, width, weight, y, kept);
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let (x, kept, dy) = (a.x[0].real(), a.kept[0].real(), a.dy[0].real());
        let width = self.vocabulary;
        if let Some((write, dx)) = &a.dx[0] {
            team.each(dx.bands(width, band(width)), |_, mut dx, _| {
                let from = dx.first_row;
                let (x, dy) = (&x[from * width..], &dy[from * width..]);
                let (weight, kept) = (self.weight as f32, &kept[from..]);
                let dx = dx.slice();
                backward_rows(team.isa(), x, dy, width, kept, weight, *write, dx);
            });
        }
        if let Some(Some((write, sum))) = a.dx.get(1) {
            team.each(sum.bands(1, band(1)), |_, mut sum, _| {
                pass_on(team.isa(), &dy[sum.first_row..], *write, sum.slice());
            });
        }
    }
}

lanes! {
    /// Rows of y, and the log of the sum of exponentials of each; `sum` may be empty.
    fn forward_rows(x: &[f32], sum: &[f32], width: usize, weight: f32, y: &mut [f32], kept: &mut [f32]) {
        let weight = Lanes::all(weight);
        for (row, (y, kept)) in y.chunks_mut(width).zip(kept).enumerate() {
            let x = &x[row * width..][..width];
            *kept = log_sum_exp::<Lanes>(x);
            let shift = Lanes::all(*kept);
            for (i, (x, y)) in x.chunks(LANES).zip(y.chunks_mut(LANES)).enumerate() {
                let sum = sum.get(row * width + i * LANES..).unwrap_or_default();
                let sum = Lanes::load(&sum[..y.len().min(sum.len())], 0.0);
                (Lanes::load(x, 0.0) - shift).exp().mul_add(weight, sum).store(y);
            }
        }
    }
}

lanes! {
    /// Rows of dx.
    fn backward_rows(x: &[f32], dy: &[f32], width: usize, kept: &[f32], weight: f32, write: Write, dx: &mut [f32]) {
        for (row, (dx, kept)) in dx.chunks_mut(width).zip(kept).enumerate() {
            let (x, dy) = (&x[row * width..][..width], &dy[row * width..][..width]);
            let shift = Lanes::all(*kept);
            let mut mean = Lanes::all(0.0);
            for (x, dy) in x.chunks(LANES).zip(dy.chunks(LANES)) {
                let s = (Lanes::load(x, f32::NEG_INFINITY) - shift).exp();
                mean = s.mul_add(Lanes::load(dy, 0.0), mean);
            }
            let (mean, by) = (Lanes::all(mean.sum()), Lanes::all(weight));
            let each = x.chunks(LANES).zip(dy.chunks(LANES)).zip(dx.chunks_mut(LANES));
            for ((x, dy), dx) in each {
                let s = (Lanes::load(x, 0.0) - shift).exp();
                write.to(dx, by * s * (Lanes::load(dy, 0.0) - mean));
            }
        }
    }
}

/// Random shapes, of one to three models.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, vocabulary, models) = (d.size(7), d.size(40), d.size(3));
    let models = (0..models).map(|_| d.parameter(g, rows, vocabulary));
    let models: Vec<ValueId> = models.collect();
    g.mixture(&models)
}
