//! Distillation: a model learns from the next token and from other models' predictions of it.
//!
//! With teachers' probabilities p and their share α, the target is the distribution
//! q = (1 − α)·one-hot(target) + α·p, and the loss is the cross-entropy with it:
//! loss = weight · Σ over rows of (log Σⱼ exp(xⱼ) − (1 − α)·x[target] − α·Σⱼ pⱼ·xⱼ); rows whose
//! target is [`UNCOUNTED`] are left out. Backward: dx = weight · (softmax(x) − q),
//! dp = −weight·α·x. Hinton et al., "Distilling the knowledge in a neural network", 2015, section
//! 2, at a temperature of 1.

use super::cross_entropy::{UNCOUNTED, log_sum_exp_f64};
use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, dot, lanes, log_sum_exp, total};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The operation; logits x [N, V], targets [N], probabilities p [N, V] → loss [1], nats of each row
/// [N]; keeps the log of the sum of exponentials of each row [N].
#[derive(Debug)]
pub struct Distillation {
    /// V.
    vocabulary: usize,
    /// α.
    share: f64,
}

impl Graph {
    /// Cross-entropy of logits with targets and, with weight `share`, with the probabilities of
    /// teachers; returns the cost, and each row's nats.
    ///
    /// # Errors
    /// If the shapes don't match.
    pub fn distillation(
        &mut self,
        x: ValueId,
        targets: ValueId,
        teachers: ValueId,
        share: f64,
    ) -> Result<(ValueId, ValueId)> {
        let vocabulary = self.spec(x).width;
        let op = Distillation { vocabulary, share };
        let out = self.push(op, &[x, targets, teachers])?;
        self.keep(out[0]);
        Ok((out[0], out[1]))
    }
}

impl Operation for Distillation {
    fn name(&self) -> &'static str {
        "distillation"
    }

    fn is_cost(&self) -> bool {
        true
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[1].element != Element::Tokens || x[0].rows != x[1].rows || x[2] != x[0] {
            let found = format!("{:?} and {:?} don't match {:?}", x[1], x[2], x[0]);
            return shape(self.name(), found);
        }
        let column = Spec::real(x[0].rows, 1);
        Ok(Outputs {
            y: vec![Spec::real(1, 1), column],
            kept: vec![column],
        })
    }

    fn reads(&self) -> Reads {
        Reads {
            x: &[0, 1, 2],
            y: &[],
        }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 6, 2),
            Pass::Backward => elementwise(x[0].len(), 6, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, targets, p) = (a.x[0].real(), a.x[1].tokens(), a.x[2].real());
        let rows = x.chunks(self.vocabulary).zip(p.chunks(self.vocabulary));
        for (row, (x, p)) in rows.enumerate() {
            a.kept[0][row] = log_sum_exp_f64(x);
            let taught: f64 = x.iter().zip(p).map(|(x, p)| x * p).sum();
            a.y[1][row] = match targets[row] {
                UNCOUNTED => 0.0,
                target => {
                    let told = (1.0 - self.share) * x[target as usize];
                    a.kept[0][row] - told - self.share * taught
                }
            };
        }
        a.y[0][0] = a.y[1].iter().sum::<f64>() * a.at.loss_weight;
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, targets, p) = (a.x[0].real(), a.x[1].tokens(), a.x[2].real());
        let weight = a.at.loss_weight;
        for row in (0..targets.len()).filter(|&row| targets[row] != UNCOUNTED) {
            for j in 0..self.vocabulary {
                let at = row * self.vocabulary + j;
                if let Some(dx) = &mut a.dx[0] {
                    let hit = if j == targets[row] as usize { 1.0 } else { 0.0 };
                    let target = (1.0 - self.share) * hit + self.share * p[at];
                    dx[at] += weight * (libm::exp(x[at] - a.kept[0][row]) - target);
                }
                if let Some(dp) = &mut a.dx[2] {
                    dp[at] -= weight * self.share * x[at];
                }
            }
        }
    }
}

impl Kernel for Distillation {
    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let (x, targets, p) = (a.x[0].real(), a.x[1].tokens(), a.x[2].real());
        let (width, rows) = (self.vocabulary, band(self.vocabulary));
        let cuts = (a.y[1].bands(1, rows), a.kept[0].bands(1, rows));
        team.each(cuts, |_, (mut nats, mut kept), _| {
            let from = nats.first_row;
            let (x, p) = (&x[from * width..], &p[from * width..]);
            let (targets, share) = (&targets[from..], self.share as f32);
            let (nats, kept) = (nats.slice(), kept.slice());
            forward_rows(team.isa(), x, p, width, targets, share, nats, kept);
        });
        team.each_from([&a.y[1]], a.y[0].bands(1, 1), |_, mut loss, [nats], _| {
            loss.row(0)[0] = total(team.isa(), nats) * at.loss_weight as f32;
        });
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        let (x, targets, p) = (a.x[0].real(), a.x[1].tokens(), a.x[2].real());
        let (width, kept) = (self.vocabulary, a.kept[0].real());
        let (weight, share) = (at.loss_weight as f32, self.share as f32);
        if let Some((write, dx)) = &a.dx[0] {
            team.each(dx.bands(width, band(width)), |_, mut dx, _| {
                let from = dx.first_row;
                let (x, p) = (&x[from * width..], &p[from * width..]);
                let rows = (&targets[from..], &kept[from..]);
                let dx = dx.slice();
                backward_rows(team.isa(), x, p, width, rows, (weight, share), *write, dx);
            });
        }
        if let Some((write, dp)) = &a.dx[2] {
            team.each(dp.bands(width, band(width)), |_, mut dp, _| {
                let from = dp.first_row;
                let (x, targets) = (&x[from * width..], &targets[from..]);
                let by = -weight * share;
                teachers_rows(team.isa(), x, width, targets, by, *write, dp.slice());
            });
        }
    }
}

lanes! {
    /// Nats and the log of the sum of exponentials of each row.
    fn forward_rows(x: &[f32], p: &[f32], width: usize, targets: &[u32], share: f32, nats: &mut [f32], kept: &mut [f32]) {
        let rows = x.chunks(width).zip(p.chunks(width)).zip(targets);
        for (((x, p), &target), (nats, kept)) in rows.zip(nats.iter_mut().zip(kept)) {
            *kept = log_sum_exp::<Lanes>(x);
            *nats = match target {
                UNCOUNTED => 0.0,
                target => {
                    let told = (1.0 - share) * x[target as usize];
                    *kept - told - share * dot::<Lanes>(x, p)
                }
            };
        }
    }
}

lanes! {
    /// Rows of dx.
    fn backward_rows(x: &[f32], p: &[f32], width: usize, rows: (&[u32], &[f32]), by: (f32, f32), write: Write, dx: &mut [f32]) {
        let (weight, share) = by;
        let each = rows.0.iter().zip(rows.1).zip(dx.chunks_mut(width));
        for (row, ((&target, &kept), dx)) in each.enumerate() {
            let counted = target != UNCOUNTED;
            let scale = Lanes::all(if counted { weight } else { 0.0 });
            let (shift, share) = (Lanes::all(kept), Lanes::all(share));
            for (i, dx) in dx.chunks_mut(LANES).enumerate() {
                let at = row * width + i * LANES;
                let (x, p) = (&x[at..at + dx.len()], &p[at..at + dx.len()]);
                let s = (Lanes::load(x, 0.0) - shift).exp();
                write.to(dx, scale * (s - share * Lanes::load(p, 0.0)));
            }
            if counted {
                dx[target as usize] -= weight * (1.0 - by.1);
            }
        }
    }
}

lanes! {
    /// Rows of dp.
    fn teachers_rows(x: &[f32], width: usize, targets: &[u32], by: f32, write: Write, dp: &mut [f32]) {
        for ((x, dp), &target) in x.chunks(width).zip(dp.chunks_mut(width)).zip(targets) {
            let by = Lanes::all(if target == UNCOUNTED { 0.0 } else { by });
            for (x, dp) in x.chunks(LANES).zip(dp.chunks_mut(LANES)) {
                write.to(dp, by * Lanes::load(x, 0.0));
            }
        }
    }
}

/// Random shapes; some rows don't count.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, vocabulary) = (d.size(12), d.size(70));
    let x = d.parameter(g, rows, vocabulary);
    let targets = (0..rows).map(|row| match row % 4 {
        3 => UNCOUNTED,
        _ => (row * 5 % vocabulary) as u32,
    });
    let targets = targets.collect();
    let targets = d.tokens_of(g, targets);
    let teachers = d.parameter(g, rows, vocabulary);
    Ok(g.distillation(x, targets, teachers, 0.7)?.0)
}
