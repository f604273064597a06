//! Cross-entropy: how surprised the model is by the next token, in nats.
//!
//! loss = weight · Σ over rows of (log Σⱼ exp(xⱼ) − x[target]), with weight = 1 / counted targets
//! of the whole step; rows whose target is [`UNCOUNTED`] are left out. Backward:
//! dx = weight · (softmax(x) − one-hot(target)).
//! Bishop, "Pattern recognition and machine learning", 2006, section 4.3.4.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes, log_sum_exp, total};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The target of a row that doesn't count: its cost and its gradient are zero.
pub const UNCOUNTED: u32 = u32::MAX;

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

/// log Σ exp(x).
pub(super) fn log_sum_exp_f64(x: &[f64]) -> f64 {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|x| libm::exp(x - most)).sum();
    most + libm::log(sum)
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
            a.kept[0][row] = log_sum_exp_f64(x);
            a.y[1][row] = match targets[row] {
                UNCOUNTED => 0.0,
                target => a.kept[0][row] - x[target as usize],
            };
        }
        a.y[0][0] = a.y[1].iter().sum::<f64>() * a.at.loss_weight;
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, targets) = (a.x[0].real(), a.x[1].tokens());
        let Some(dx) = &mut a.dx[0] else { return };
        for (row, dx) in dx.chunks_mut(self.vocabulary).enumerate() {
            if targets[row] == UNCOUNTED {
                continue;
            }
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
            *kept = log_sum_exp::<Lanes>(x);
            *nats = if target == UNCOUNTED { 0.0 } else { *kept - x[target as usize] };
        }
    }
}

lanes! {
    /// dx, in place if `dx` holds x itself.
    fn backward_rows(x: &[f32], width: usize, targets: &[u32], kept: &[f32], weight: f32, write: Write, dx: &mut [f32]) {
        let rows = targets.iter().zip(kept).zip(dx.chunks_mut(width));
        for (row, ((&target, &kept), dx)) in rows.enumerate() {
            let counted = target != UNCOUNTED;
            let scale = Lanes::all(if counted { weight } else { 0.0 });
            let shift = Lanes::all(kept);
            for (i, dx) in dx.chunks_mut(LANES).enumerate() {
                let at = row * width + i * LANES;
                let x = if write == Write::Over { &*dx } else { &x[at..at + dx.len()] };
                write.to(dx, scale * (Lanes::load(x, 0.0) - shift).exp());
            }
            if counted {
                dx[target as usize] -= weight;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::relative_error;
    use crate::{
        Cpu, CpuSettings, Descent, Device, Field, Host, HostMut, Init, Optimizer, Plan, Purpose,
        Reference, Scalars, Variable,
    };
    use std::sync::Arc;

    /// Cost and gradient of two counted rows, and of others between and behind them.
    fn gradient(device: &mut impl Device, targets: &[u32]) -> (f64, Vec<f64>) {
        const WIDTH: usize = 19;
        let mut g = Graph::new();
        let shape = [targets.len(), WIDTH];
        let x = g.variable(Variable::parameter("x", &shape, Init::Zeros));
        let to = g.tokens("targets", targets.len());
        let (cost, _) = g.cross_entropy(x, to).unwrap();
        let graph = Arc::new(g);
        let rule = Optimizer::uniform(Descent::PLAIN, 0.0, None);
        device.create(graph.variables(), Some(&rule)).unwrap();
        // Counted rows hold the same numbers wherever they are.
        let numbers = targets.iter().flat_map(|&target| {
            (0..WIDTH as u32).map(move |j| f64::from((target % 7) * 3 + j * j % 11) / 5.0)
        });
        let numbers: Vec<f64> = numbers.collect();
        let host = Host::Double(&numbers);
        device.write_variable("x", Field::Weight, host).unwrap();
        let plan = Plan::new(graph, 1, Purpose::Gradients).unwrap();
        let ready = device.prepare(plan).unwrap();
        device.write(ready, to, Host::Tokens(targets)).unwrap();
        let scalars = Scalars {
            loss_weight: 0.5,
            ..Scalars::default()
        };
        device.run(ready, &scalars).unwrap();
        let (mut loss, mut all) = ([0.0], vec![0.0; numbers.len()]);
        device
            .read(ready, cost, HostMut::Double(&mut loss))
            .unwrap();
        let host = HostMut::Double(&mut all);
        device.read_variable("x", Field::Gradient, host).unwrap();
        (loss[0], all)
    }

    #[test]
    fn rows_that_do_not_count_cost_nothing_and_move_nothing() {
        let (cost, counted) = gradient(&mut Reference::new(), &[3, 12]);
        let padded = [3, UNCOUNTED, 12, UNCOUNTED];
        let mut cpu = Cpu::new(CpuSettings::with_threads(2));
        for (found, all) in [
            gradient(&mut Reference::new(), &padded),
            gradient(&mut cpu, &padded),
        ] {
            assert!((found - cost).abs() < 1e-5 * cost, "{found} {cost}");
            let rows: Vec<&[f64]> = all.chunks(19).collect();
            assert!(rows[1].iter().chain(rows[3]).all(|x| *x == 0.0));
            let error = relative_error(&[rows[0], rows[2]].concat(), &counted);
            assert!(error < 1e-5, "{error}");
        }
    }
}
