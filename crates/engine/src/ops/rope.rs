//! Rotary positions: each pair of numbers of a query or key is rotated by an angle proportional to
//! its position, so that the product of query and key depends on their distance alone.
//!
//! With c, s = cos, sin(position / θ^(2i/D)): y[i] = x[i]·c − x[i + D/2]·s and
//! y[i + D/2] = x[i + D/2]·c + x[i]·s, for i < D/2 of each head.
//! Su et al., "RoFormer", 2021, section 3.2, with the halves paired as in Hugging Face's files.
//! Backward: the gradient is rotated back by the same angle.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::arena::{Out, Read};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, In, Operation, Outputs, Reads, Spec};
use crate::write::Write;
use std::sync::Arc;

/// Cosines and sines of every position and pair, shared by all layers.
#[derive(Debug, Clone)]
pub struct Angles(Arc<Table>);

#[derive(Debug)]
struct Table {
    half: usize,
    /// [positions, D/2] each.
    cos: Vec<f64>,
    sin: Vec<f64>,
    cos_f32: Vec<f32>,
    sin_f32: Vec<f32>,
}

impl Angles {
    /// Angles of `positions` positions for heads of size `head_size`.
    pub fn new(positions: usize, head_size: usize, theta: f64) -> Angles {
        let half = head_size / 2;
        let angle = |i: usize| {
            let frequency = libm::pow(theta, -((i % half) as f64) / half as f64);
            (i / half) as f64 * frequency
        };
        let all = 0..positions * half;
        let cos: Vec<f64> = all.clone().map(|i| libm::cos(angle(i))).collect();
        let sin: Vec<f64> = all.map(|i| libm::sin(angle(i))).collect();
        let round = |x: &[f64]| x.iter().map(|&x| x as f32).collect();
        Angles(Arc::new(Table {
            half,
            cos_f32: round(&cos),
            sin_f32: round(&sin),
            cos,
            sin,
        }))
    }
}

/// The operation; x [N, H·D], optional start [N / T] → y [N, H·D], in sequences of T rows.
#[derive(Debug)]
pub struct Rope {
    time: usize,
    width: usize,
    angles: Angles,
    /// Whether sequences may start at positions other than 0.
    starts: bool,
}

impl Graph {
    /// Rotates each head of `x`, in sequences of `time` rows. Their positions count from 0, or from
    /// `start`, tokens [N / T]; the host must keep start + T within the positions of `angles`.
    ///
    /// # Errors
    /// If the width is not a multiple of the head size, the rows are not a multiple of `time`, or
    /// `time` exceeds the positions of `angles`.
    pub fn rope(
        &mut self,
        x: ValueId,
        time: usize,
        angles: &Angles,
        start: Option<ValueId>,
    ) -> Result<ValueId> {
        let rope = Rope {
            time,
            width: self.spec(x).width,
            angles: angles.clone(),
            starts: start.is_some(),
        };
        let inputs: Vec<ValueId> = [x].into_iter().chain(start).collect();
        Ok(self.push(rope, &inputs)?[0])
    }
}

impl Rope {
    /// Offset of a row's angles. `start` is empty if positions count from 0.
    fn angle(&self, row: usize, start: &[u32]) -> usize {
        let before = start
            .get(row / self.time)
            .map_or(0, |&start| start as usize);
        (before + row % self.time) * self.angles.0.half
    }

    fn turn_f64(&self, x: &[f64], start: &[u32], sign: f64, y: &mut [f64]) {
        let table = &self.angles.0;
        let half = table.half;
        for (i, (x, y)) in x.chunks(2 * half).zip(y.chunks_mut(2 * half)).enumerate() {
            let at = self.angle(i * 2 * half / self.width, start);
            for j in 0..half {
                let (c, s) = (table.cos[at + j], sign * table.sin[at + j]);
                y[j] += x[j] * c - x[j + half] * s;
                y[j + half] += x[j + half] * c + x[j] * s;
            }
        }
    }

    fn turn(&self, x: &[f32], start: &[u32], sign: f32, write: Write, y: &Out, team: &Team) {
        let table = &self.angles.0;
        let half = table.half;
        team.each(y.bands(self.width, band(self.width)), |_, mut y, _| {
            for row in 0..y.rows {
                let at = self.angle(y.first_row + row, start);
                let x = &x[(y.first_row + row) * self.width..][..self.width];
                let (cos, sin) = (&table.cos_f32[at..at + half], &table.sin_f32[at..at + half]);
                turn_row(team.isa(), x, cos, sin, sign, write, y.row(row));
            }
        });
    }
}

impl Operation for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        let half = self.angles.0.half;
        let fits = half > 0 && x[0].width.is_multiple_of(2 * half);
        let known = self.time * half <= self.angles.0.cos.len();
        let whole = self.time > 0 && x[0].rows.is_multiple_of(self.time);
        let starts = |s: &Spec| s.element == Element::Tokens && s.rows * self.time == x[0].rows;
        if !fits || !whole || !known || !x.get(1).is_none_or(starts) {
            return shape(
                self.name(),
                format!("{:?} doesn't match T = {}", x[0], self.time),
            );
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads {
            x: if self.starts { &[1] } else { &[] },
            y: &[],
        }
    }

    fn cost(&self, x: &[Spec], _: Pass) -> Cost {
        elementwise(x[0].len(), 3, 2)
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        a.y[0].fill(0.0);
        self.turn_f64(a.x[0].real(), start(&a.x), 1.0, a.y[0]);
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        if let Some(dx) = &mut a.dx[0] {
            self.turn_f64(a.dy[0], start(&a.x), -1.0, dx);
        }
    }
}

impl Kernel for Rope {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let start = a.x.get(1).map_or(&[][..], Read::tokens);
        self.turn(a.x[0].real(), start, 1.0, Write::Set, &a.y[0], team);
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let start = a.x.get(1).map_or(&[][..], Read::tokens);
        if let Some((write, dx)) = &a.dx[0] {
            self.turn(a.dy[0].real(), start, -1.0, *write, dx, team);
        }
    }
}

/// First positions of the sequences; empty if they start at 0.
fn start<'a>(x: &[In<'a>]) -> &'a [u32] {
    x.get(1).map_or(&[], In::tokens)
}

lanes! {
    /// One row of several heads; `sign` −1 rotates back.
    fn turn_row(x: &[f32], cos: &[f32], sin: &[f32], sign: f32, write: Write, y: &mut [f32]) {
        let half = cos.len();
        let sign = Lanes::all(sign);
        for (x, y) in x.chunks(2 * half).zip(y.chunks_mut(2 * half)) {
            let (x1, x2) = x.split_at(half);
            let (y1, y2) = y.split_at_mut(half);
            let angles = cos.chunks(LANES).zip(sin.chunks(LANES));
            let x = x1.chunks(LANES).zip(x2.chunks(LANES));
            let y = y1.chunks_mut(LANES).zip(y2.chunks_mut(LANES));
            for (((c, s), (x1, x2)), (y1, y2)) in angles.zip(x).zip(y) {
                let (c, s) = (Lanes::load(c, 0.0), sign * Lanes::load(s, 0.0));
                let (x1, x2) = (Lanes::load(x1, 0.0), Lanes::load(x2, 0.0));
                write.to(y1, x1 * c - x2 * s);
                write.to(y2, x2 * c + x1 * s);
            }
        }
    }
}

/// Random shapes of several sequences and heads, starting at 0 or elsewhere.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (batch, time, heads, half) = (d.size(3), d.size(7), d.size(3), d.size(20));
    let x = d.parameter(g, batch * time, heads * 2 * half);
    let start = (d.size(2) == 1).then(|| d.tokens(g, batch, 5));
    let angles = Angles::new(time + 5, 2 * half, 10_000.0);
    g.rope(x, time, &angles, start)
}
