//! What is a layer? A matrix product with learnt weights; nearly all of a model's work.
//!
//! y = x·wᵀ + b with x [N, in], w [out, in], b [out] → y [N, out].
//! Backward: dx = dy·w, dw = dyᵀ·x, db = Σ over rows of dy.

use crate::error::{Result, shape};
use crate::gemm::{Start, View, cut, product};
use crate::graph::{Graph, ValueId};
use crate::lanes::{LANES, lanes};
use crate::op::{
    At, Backward, BackwardF64, Cost, Forward, ForwardF64, Operation, Outputs, Pass, Reads, Spec,
    Write,
};
use crate::ops::Op;
use crate::team::Team;
use crate::verify::Draw;

/// The operation; x [N, in], w [out, in], perhaps b [out] → y [N, out].
#[derive(Debug)]
pub struct Linear {
    /// Width of x.
    inner: usize,
    /// Width of y.
    out: usize,
}

impl Graph {
    /// y = x·wᵀ (+ b).
    ///
    /// # Errors
    /// Where the widths of `x` and `w`, or the length of `b` and the rows of `w`, differ.
    pub fn linear(&mut self, x: ValueId, w: ValueId, b: Option<ValueId>) -> Result<ValueId> {
        let inputs: Vec<ValueId> = [x, w].into_iter().chain(b).collect();
        let Spec {
            rows: out,
            width: inner,
            ..
        } = self.spec(w);
        Ok(self.push(Op::Linear(Linear { inner, out }), &inputs)?[0])
    }
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn is_cost(&self) -> bool {
        false
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[0].width != x[1].width || x.get(2).is_some_and(|b| b.len() != x[1].rows) {
            return shape(self.name(), format!("inputs {x:?} do not fit"));
        }
        Ok(Outputs {
            y: vec![Spec::real(x[0].rows, x[1].rows)],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0, 1], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        let (n, inner, out) = (x[0].rows as u64, x[0].width as u64, x[1].rows as u64);
        let bias = if x.len() > 2 { n * out } else { 0 };
        let operands = 4 * (n * inner + inner * out + n * out);
        match pass {
            Pass::Forward => Cost {
                flops: 2 * n * inner * out + bias,
                bytes: operands,
            },
            Pass::Backward => Cost {
                flops: 4 * n * inner * out + bias,
                bytes: 2 * operands,
            },
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let (inner, out) = (self.inner, self.out);
        for row in 0..x.len() / inner {
            for o in 0..out {
                let bias = a.x.get(2).map_or(0.0, |b| b.real()[o]);
                let pairs = x[row * inner..][..inner].iter().zip(&w[o * inner..]);
                a.y[0][row * out + o] = pairs.fold(bias, |sum, (x, w)| sum + x * w);
            }
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, w, dy) = (a.x[0].real(), a.x[1].real(), a.dy[0]);
        let (inner, out) = (self.inner, self.out);
        for row in 0..x.len() / inner {
            for o in 0..out {
                let d = dy[row * out + o];
                if let Some(dx) = &mut a.dx[0] {
                    let pairs = dx[row * inner..][..inner].iter_mut().zip(&w[o * inner..]);
                    pairs.for_each(|(dx, w)| *dx += d * w);
                }
                if let Some(dw) = &mut a.dx[1] {
                    let pairs = dw[o * inner..][..inner].iter_mut().zip(&x[row * inner..]);
                    pairs.for_each(|(dw, x)| *dw += d * x);
                }
                if let Some(Some(db)) = a.dx.get_mut(2) {
                    db[o] += d;
                }
            }
        }
    }

    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let arithmetic = team.arithmetic(at.precision);
        let (x, w) = (a.x[0].real(), a.x[1].real());
        let (inner, out) = (self.inner, self.out);
        let n = x.len() / inner;
        let x = View::new(x, n, inner, inner);
        let w = View::new(w, out, inner, inner).transposed();
        team.each(cut(&a.y[0], n, out, team), |_, mut y, scratch| {
            let mut start = Start::Zero;
            if let Some(bias) = a.x.get(2) {
                let bias = &bias.real()[y.first_column..][..y.columns];
                (0..y.rows).for_each(|r| y.row(r).copy_from_slice(bias));
                start = Start::Held;
            }
            let x = x.rows(y.first_row, y.rows);
            let w = w.columns(y.first_column, y.columns);
            product(arithmetic, x, w, &mut y, start, scratch);
        });
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        let arithmetic = team.arithmetic(at.precision);
        let (x, w, dy) = (a.x[0].real(), a.x[1].real(), a.dy[0].real());
        let (inner, out) = (self.inner, self.out);
        let n = x.len() / inner;
        let x = View::new(x, n, inner, inner);
        let w = View::new(w, out, inner, inner);
        let dy = View::new(dy, n, out, out);
        let start = |write: Write| match write {
            Write::Set => Start::Zero,
            Write::Add => Start::Held,
        };
        if let Some((write, dx)) = &a.dx[0] {
            team.each(cut(dx, n, inner, team), |_, mut dx, scratch| {
                let dy = dy.rows(dx.first_row, dx.rows);
                let w = w.columns(dx.first_column, dx.columns);
                product(arithmetic, dy, w, &mut dx, start(*write), scratch);
            });
        }
        if let Some((write, dw)) = &a.dx[1] {
            team.each(cut(dw, out, inner, team), |_, mut dw, scratch| {
                let dy = dy.columns(dw.first_row, dw.rows).transposed();
                let x = x.columns(dw.first_column, dw.columns);
                product(arithmetic, dy, x, &mut dw, start(*write), scratch);
            });
        }
        if let Some(Some((write, db))) = a.dx.get(2) {
            let dy = a.dy[0].real();
            team.each(db.strips(out, 4 * LANES), |_, mut db, _| {
                let from = db.first_column;
                bias_columns(team.isa(), dy, out, from, *write, db.row(0));
            });
        }
    }
}

lanes! {
    /// Columns `from` … of db: each one chain over the rows, in order.
    fn bias_columns(dy: &[f32], width: usize, from: usize, write: Write, db: &mut [f32]) {
        for (part, db) in db.chunks_mut(LANES).enumerate() {
            let at = from + part * LANES;
            let end = at + db.len();
            let mut total: Lanes = write.start(db);
            for dy in dy.chunks(width) {
                total = total + Lanes::load(&dy[at..end], 0.0);
            }
            total.store(db);
        }
    }
}

/// Random shapes, with and without bias.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, inner, out) = (d.size(14), d.size(35), d.size(35));
    let (x, w) = (d.parameter(g, rows, inner), d.parameter(g, out, inner));
    let b = if d.size(2) == 1 {
        Some(d.vector(g, out))
    } else {
        None
    };
    g.linear(x, w, b)
}
