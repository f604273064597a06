//! Dropout: zeroes random elements during training, so that the model can't rely on any single one.
//!
//! y = x·k with k = 0 for a share `rate` of all elements, and k = 1 / (1 − rate) for the others, so
//! that the mean is preserved (inverted dropout). Backward: dx = dy·k.
//! Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR
//! 2014.
//!
//! The mask is not kept. Element `i` of the whole batch (all micro-batches concatenated) is dropped
//! if word `i mod 4` of random block `i / 4` is below rate·2³². So the mask depends on seed, site
//! and step, but not on micro-batch, tile or thread.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::random::{RandomPurpose, philox};
use crate::write::Write;
use std::array::from_fn;

/// Elements whose random words are drawn together: one block per lane.
const GROUP: usize = 4 * LANES;

/// The operation; x [N, C] → y [N, C].
#[derive(Debug)]
pub struct Dropout {
    /// Share of the elements that are dropped.
    rate: f64,
    /// Index of the place in the model: each has its own mask.
    site: u32,
}

impl Graph {
    /// y = x · k, where k is 0 with probability `rate` and else 1 / (1 − rate). Places with
    /// different `site` numbers have independent masks.
    ///
    /// # Errors
    /// If `rate` is not in [0, 1).
    pub fn dropout(&mut self, x: ValueId, rate: f64, site: u32) -> Result<ValueId> {
        Ok(self.push(Dropout { rate, site }, &[x])?[0])
    }
}

impl Dropout {
    /// An element is dropped if its random word is below this number.
    fn threshold(&self) -> u32 {
        (self.rate * 4_294_967_296.0).ceil() as u32
    }

    /// What the kept elements are multiplied by.
    fn scale(&self) -> f64 {
        1.0 / (1.0 - self.rate)
    }

    /// k of one element, for the reference.
    fn factor(&self, at: &At, index: usize) -> f64 {
        let (block, word) = (index as u64 / 4, index % 4);
        let words = philox(at.seed, RandomPurpose::Mask(self.site), at.step, block);
        if words[word] < self.threshold() {
            0.0
        } else {
            self.scale()
        }
    }
}

impl Operation for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if !(0.0..1.0).contains(&self.rate) {
            return shape(self.name(), format!("rate {} is not in [0, 1)", self.rate));
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[], y: &[] }
    }

    fn cost(&self, x: &[Spec], _: Pass) -> Cost {
        elementwise(x[0].len(), 1, 2)
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let x = a.x[0].real();
        let first = a.at.micro * x.len();
        for (i, (y, x)) in a.y[0].iter_mut().zip(x).enumerate() {
            *y = x * self.factor(&a.at, first + i);
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let Some(dx) = &mut a.dx[0] else { return };
        let first = a.at.micro * dx.len();
        for (i, (dx, dy)) in dx.iter_mut().zip(a.dy[0]).enumerate() {
            *dx += dy * self.factor(&a.at, first + i);
        }
    }
}

impl Kernel for Dropout {
    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let x = a.x[0].real();
        let first = at.micro * x.len();
        team.each(a.y[0].bands(1, band(1)), |_, mut y, _| {
            let from = y.first_row;
            let x = &x[from..];
            masked(team.isa(), self, at, first + from, x, Write::Set, y.slice());
        });
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        let dy = a.dy[0].real();
        let first = at.micro * dy.len();
        let Some((write, dx)) = &a.dx[0] else { return };
        team.each(dx.bands(1, band(1)), |_, mut dx, _| {
            let from = dx.first_row;
            let dy = &dy[from..];
            masked(team.isa(), self, at, first + from, dy, *write, dx.slice());
        });
    }
}

lanes! {
    /// y (+)= x·k for the elements of the whole batch starting at `first`. Whole groups of random
    /// words are drawn; some at the ends of a tile go unused.
    fn masked(op: &Dropout, at: &At, first: usize, x: &[f32], write: Write, y: &mut [f32]) {
        let (threshold, scale) = (op.threshold(), op.scale() as f32);
        let purpose = RandomPurpose::Mask(op.site);
        let (mut done, len) = (0, y.len());
        while done < len {
            let (group, skip) = ((first + done) / GROUP, (first + done) % GROUP);
            let count = (GROUP - skip).min(len - done);
            let block = (group * LANES) as u64;
            let mut words = [[0; 4]; LANES];
            // A plain loop is vectorized; `from_fn` with a body this large isn't.
            for (i, words) in words.iter_mut().enumerate() {
                *words = philox(at.seed, purpose, at.step, block + i as u64);
            }
            let factors: [f32; GROUP] =
                from_fn(|i| if words[i / 4][i % 4] < threshold { 0.0 } else { scale });
            let (x, y) = (&x[done..done + count], &mut y[done..done + count]);
            let parts = x.chunks(LANES).zip(factors[skip..].chunks(LANES));
            for ((x, k), y) in parts.zip(y.chunks_mut(LANES)) {
                write.to(y, Lanes::load(x, 0.0) * Lanes::load(k, 0.0));
            }
            done += count;
        }
    }
}

/// Random shapes and rates.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(9), d.size(40));
    let x = d.parameter(g, rows, width);
    let (rate, site) = ((d.size(9) - 1) as f64 / 10.0, d.size(5) as u32);
    g.dropout(x, rate, site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cpu, CpuSettings, Device, Host, HostMut, Plan, Reference, Scalars};
    use std::sync::Arc;

    const RATE: f64 = 0.3;
    /// Odd, so that the second micro-batch begins inside a block of random words.
    const WIDTH: usize = 333;

    /// Dropout of ones in `micros` micro-batches of `rows` rows.
    fn dropped(device: &mut impl Device, rows: usize, micros: usize, step: u64) -> Vec<f32> {
        let mut g = Graph::new();
        let x = g.input("x", rows, WIDTH);
        let y = g.dropout(x, RATE, 2).unwrap();
        g.keep(y);
        let plan = Plan::new(Arc::new(g), micros, crate::Purpose::Infer).unwrap();
        device.create(&[], None).unwrap();
        let ready = device.prepare(plan).unwrap();
        let mut numbers = vec![1.0; micros * rows * WIDTH];
        device.write(ready, x, Host::Real(&numbers)).unwrap();
        let scalars = Scalars {
            seed: 5,
            step,
            rate: 0.0,
            loss_weight: 1.0,
        };
        device.run(ready, &scalars).unwrap();
        device.read(ready, y, HostMut::Real(&mut numbers)).unwrap();
        numbers
    }

    #[test]
    fn a_mask_has_its_rate_and_depends_on_the_step_but_not_on_cut_or_device() {
        let mut cpu = Cpu::new(CpuSettings::with_threads(2));
        let whole = dropped(&mut cpu, 150, 1, 7);
        assert_eq!(whole, dropped(&mut cpu, 75, 2, 7));
        assert_eq!(whole, dropped(&mut Reference::new(), 75, 2, 7));
        assert_ne!(whole, dropped(&mut cpu, 150, 1, 8));

        let scale = (1.0 / (1.0 - RATE)) as f32;
        assert!(whole.iter().all(|&y| y == 0.0 || y == scale));
        let share = whole.iter().filter(|&&y| y == 0.0).count() as f64 / whole.len() as f64;
        let deviation = (RATE * (1.0 - RATE) / whole.len() as f64).sqrt();
        assert!((share - RATE).abs() < 4.0 * deviation, "{share}");
    }

    #[test]
    fn a_rate_outside_its_range_is_refused() {
        let mut g = Graph::new();
        let x = g.input("x", 1, 1);
        for rate in [-0.1, 1.0, f64::NAN] {
            assert!(g.dropout(x, rate, 0).is_err());
        }
    }
}
