//! Cross-entropy: how surprised the model is by the next token, in nats.
//!
//! loss = weight · Σ over rows of (log Σⱼ exp(xⱼ) − x[target]), with weight = 1 / counted targets
//! of the whole step. Backward: dx = weight · (softmax(x) − one-hot(target)).
//! Bishop, "Pattern recognition and machine learning", 2006, section 4.3.4.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes, sum_by, total};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The operation; logits x [N, V], targets [N] → loss [1], nats of each row [N]; keeps the log of
/// the sum of exponentials of each row.
#[derive(Debug)]
pub struct CrossEntropy {
    /// V.
    vocabulary: usize,
}

impl Graph {
    /// Cross-entropy of logits and targets; returns the cost, and each row's nats. A micro-batch
    /// contributes its share of the cost; the shares sum to the mean.
    ///
    /// # Errors
    /// If the number of targets differs from the rows of logits.
    pub fn cross_entropy(&mut self, x: ValueId, targets: ValueId) -> Result<(ValueId, ValueId)> {
        let vocabulary = self.spec(x).width;
        let op = CrossEntropy { vocabulary };
        let out = self.push(op, &[x, targets])?;
        self.keep(out[0]);
        Ok((out[0], out[1]))
    }
}

impl Operation for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn is_cost(&self) -> bool {
        true
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[1].element != Element::Tokens || x[0].rows != x[1].rows {
            return shape(
                self.name(),
                format!("targets {:?} don't match {:?}", x[1], x[0]),
            );
        }
        let column = Spec::real(x[0].rows, 1);
        Ok(Outputs {
            y: vec![Spec::real(1, 1), column],
            kept: vec![column],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0, 1], y: &[] }
    }

    fn overwrites(&self) -> Option<usize> {
        Some(0)
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 4, 1),
            Pass::Backward => elementwise(x[0].len(), 4, 2),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, targets) = (a.x[0].real(), a.x[1].tokens());
        for (row, x) in x.chunks(self.vocabulary).enumerate() {
            let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = x.iter().map(|x| libm::exp(x - most)).sum();
            a.kept[0][row] = most + libm::log(sum);
            a.y[1][row] = a.kept[0][row] - x[targets[row] as usize];
        }
        a.y[0][0] = a.y[1].iter().sum::<f64>() * a.at.loss_weight;
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, targets) = (a.x[0].real(), a.x[1].tokens());
        let Some(dx) = &mut a.dx[0] else { return };
        for (row, dx) in dx.chunks_mut(self.vocabulary).enumerate() {
            for (j, dx) in dx.iter_mut().enumerate() {
                let p = libm::exp(x[row * self.vocabulary + j] - a.kept[0][row]);
                let hit = if j == targets[row] as usize { 1.0 } else { 0.0 };
                *dx += a.at.loss_weight * (p - hit);
            }
        }
    }
}

impl Kernel for CrossEntropy {
    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let (x, targets) = (a.x[0].real(), a.x[1].tokens());
        let (width, rows) = (self.vocabulary, band(self.vocabulary));
        let cuts = (a.y[1].bands(1, rows), a.kept[0].bands(1, rows));
        team.each(cuts, |_, (mut nats, mut kept), _| {
            let from = nats.first_row;
            let (x, targets) = (&x[from * width..], &targets[from..]);
            forward_rows(team.isa(), x, width, targets, nats.slice(), kept.slice());
        });
        team.each_from([&a.y[1]], a.y[0].bands(1, 1), |_, mut loss, [nats], _| {
            loss.row(0)[0] = total(team.isa(), nats) * at.loss_weight as f32;
        });
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        let (x, targets, kept) = (a.x[0].real(), a.x[1].tokens(), a.kept[0].real());
        let Some((write, dx)) = &a.dx[0] else { return };
        let (width, weight) = (self.vocabulary, at.loss_weight as f32);
        team.each(dx.bands(width, band(width)), |_, mut dx, _| {
            let from = dx.first_row;
            let (targets, kept) = (&targets[from..], &kept[from..]);
            let x = x.get(from * width..).unwrap_or_default();
            backward_rows(
                team.isa(),
                x,
                width,
                targets,
                kept,
                weight,
                *write,
                dx.slice(),
            );
        });
    }
}

lanes! {
    /// Nats and the log of the sum of exponentials of each row.
    fn forward_rows(x: &[f32], width: usize, targets: &[u32], nats: &mut [f32], kept: &mut [f32]) {
        let rows = x.chunks(width).zip(targets).zip(nats.iter_mut().zip(kept));
        for ((x, &target), (nats, kept)) in rows {
            let mut most = Lanes::all(f32::NEG_INFINITY);
            for x in x.chunks(LANES) {
                most = most.max(Lanes::load(x, f32::NEG_INFINITY));
            }
            let most = most.greatest();
            let shift = Lanes::all(most);
            let sum = sum_by(x, f32::NEG_INFINITY, |x: Lanes| (x - shift).exp());
            *kept = most + Lanes::all(sum).log().first();
            *nats = *kept - x[target as usize];
        }
    }
}

lanes! {
    /// dx, in place if `dx` holds x itself.
    fn backward_rows(x: &[f32], width: usize, targets: &[u32], kept: &[f32], weight: f32, write: Write, dx: &mut [f32]) {
        let rows = targets.iter().zip(kept).zip(dx.chunks_mut(width));
        for (row, ((&target, &kept), dx)) in rows.enumerate() {
            let (shift, scale) = (Lanes::all(kept), Lanes::all(weight));
            for (i, dx) in dx.chunks_mut(LANES).enumerate() {
                let at = row * width + i * LANES;
                let x = if write == Write::Over { &*dx } else { &x[at..at + dx.len()] };
                write.to(dx, scale * (Lanes::load(x, 0.0) - shift).exp());
            }
            dx[target as usize] -= weight;
        }
    }
}

/// Random shapes.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, vocabulary) = (d.size(12), d.size(70));
    let x = d.parameter(g, rows, vocabulary);
    let targets = d.tokens(g, rows, vocabulary);
    Ok(g.cross_entropy(x, targets)?.0)
}
