//! Layers on the processor: products in tiles, whose sums start from bias and residual stream.

use super::Linear;
use crate::at::At;
use crate::cpu::arena::{Cut, Patch};
use crate::cpu::gemm::{
    ChainStart, Shared, TOGETHER, View, WeightForm, Whole, cut, cut_few_rows, cut_together,
    product, products,
};
use crate::cpu::kernel::{Backward, Forward};
use crate::cpu::lanes::{LANES, band, lanes};
use crate::cpu::team::Team;
use crate::ops::residual::pass_on;
use crate::write::Write;
use std::array::from_fn;

impl Linear {
    /// Runs `work` on all layers at once, or one by one if they can't be cut together.
    fn groups<'o>(
        &self,
        all: [Option<Whole<'o>>; TOGETHER],
        shared: Shared,
        team: &Team,
        mut work: impl FnMut([Option<Cut<'o>>; TOGETHER]),
    ) {
        let together = cut_together(all, shared, team);
        if together.iter().any(Option::is_some) {
            return work(together);
        }
        for (layer, whole) in all.into_iter().enumerate() {
            let Some((out, m, n)) = whole else { continue };
            let mut alone = [None; TOGETHER];
            alone[layer] = Some(cut(out, m, n, team));
            work(alone);
        }
    }

    /// Initializes a tile of y with what its sums start from: bias and residual stream.
    fn begin(&self, layer: usize, a: &Forward, y: &mut Patch) {
        let (first, count) = (y.first_column, y.columns);
        let bias = self
            .bias_slot(layer)
            .map(|slot| &a.x[slot].real()[first..][..count]);
        let out = self.outs[layer];
        for r in 0..y.rows {
            let at = (y.first_row + r) * out + first;
            let stream = self
                .stream_slot()
                .map(|slot| &a.x[slot].real()[at..][..count]);
            let y = y.row(r);
            match (stream, bias) {
                (Some(stream), Some(bias)) => {
                    let sums = stream.iter().zip(bias).map(|(r, b)| r + b);
                    y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum);
                }
                (Some(start), None) | (None, Some(start)) => y.copy_from_slice(start),
                (None, None) => {}
            }
        }
    }

    /// Every y.
    pub(super) fn fast_forward(&self, a: &Forward, at: &At, team: &Team) {
        let arithmetic = team.arithmetic(at.precision);
        let x = a.x[0].real();
        let n = x.len() / self.inner;
        let x = View::new(x, n, self.inner, self.inner);
        let packed = a.x[1].form() != WeightForm::Rows;
        let begun = self.bias || self.stream;
        let start = if begun {
            ChainStart::Held
        } else {
            ChainStart::Zero
        };
        let all = from_fn(|layer| Some((a.y.get(layer)?, n, self.outs[layer])));
        let work = |cuts: [Option<Cut>; TOGETHER]| {
            team.each(cuts, |_, mut ys, scratch| {
                let mut parts = from_fn(|layer| {
                    let mut y = ys[layer].take()?;
                    self.begin(layer, a, &mut y);
                    if packed {
                        let w = a.x[1 + layer].packed(team.isa(), [self.outs[layer], self.inner]);
                        let x = x.rows(y.first_row, y.rows);
                        w.product(x, &mut y, start, scratch);
                        return None;
                    }
                    let w = View::new(
                        a.x[1 + layer].real(),
                        self.outs[layer],
                        self.inner,
                        self.inner,
                    );
                    let w = w.transposed().columns(y.first_column, y.columns);
                    Some((x.rows(y.first_row, y.rows), w, y))
                });
                products(arithmetic, Shared::Left, &mut parts, start, scratch);
            });
        };
        match cut_few_rows(all, team).filter(|_| packed) {
            Some(cuts) => work(cuts),
            None => self.groups(all, Shared::Left, team, work),
        }
    }

    /// Every gradient.
    pub(super) fn fast_backward(&self, a: &Backward, at: &At, team: &Team) {
        let arithmetic = team.arithmetic(at.precision);
        let x = a.x[0].real();
        let (n, inner) = (x.len() / self.inner, self.inner);
        let x = View::new(x, n, inner, inner);
        // Layers on which nothing depends have no gradient.
        let dy = |layer: usize| {
            let (dy, out) = (a.dy.get(layer)?.real(), self.outs[layer]);
            (!dy.is_empty()).then(|| View::new(dy, n, out, out))
        };
        if let Some((write, dx)) = &a.dx[0] {
            team.each(cut(dx, n, inner, team), |_, mut dx, scratch| {
                let mut from = start(*write);
                for layer in 0..self.outs.len() {
                    let Some(dy) = dy(layer) else { continue };
                    let w = View::new(a.x[1 + layer].real(), self.outs[layer], inner, inner);
                    let w = w.columns(dx.first_column, dx.columns);
                    let dy = dy.rows(dx.first_row, dx.rows);
                    product(arithmetic, dy, w, &mut dx, from, scratch);
                    from = ChainStart::Held;
                }
            });
        }
        for write in [Write::Set, Write::Add] {
            let all = from_fn(|layer| match (dy(layer)?, a.dx.get(1 + layer)?) {
                (_, Some((own, dw))) if *own == write => Some((dw, self.outs[layer], inner)),
                _ => None,
            });
            self.groups(all, Shared::Right, team, |cuts| {
                team.each(cuts, |_, mut dws, scratch| {
                    let mut parts = from_fn(|layer| {
                        let dw = dws[layer].take()?;
                        let dy = dy(layer)?.columns(dw.first_row, dw.rows).transposed();
                        Some((dy, x.columns(dw.first_column, dw.columns), dw))
                    });
                    products(arithmetic, Shared::Right, &mut parts, start(write), scratch);
                });
            });
        }
        self.backward_sums(a, team);
    }

    /// db of each layer, and dr unless it shares dy's place; 0 for layers on which nothing depends.
    fn backward_sums(&self, a: &Backward, team: &Team) {
        for (layer, &out) in self.outs.iter().enumerate() {
            let dy = a.dy[layer].real();
            if dy.is_empty() {
                for slot in [Some(1 + layer), self.bias_slot(layer)]
                    .into_iter()
                    .flatten()
                {
                    if let Some((Write::Set, d)) = &a.dx[slot] {
                        team.each(d.bands(1, band(1)), |_, mut d, _| d.clear());
                    }
                }
                continue;
            }
            let slot = self.bias_slot(layer);
            if let Some((write, db)) = slot.and_then(|slot| a.dx[slot].as_ref()) {
                team.each(db.strips(out, 4 * LANES), |_, mut db, _| {
                    let from = db.first_column;
                    bias_columns(team.isa(), dy, out, from, *write, db.row(0));
                });
            }
        }
        if let Some((write, dr)) = self.stream_slot().and_then(|slot| a.dx[slot].as_ref()) {
            let dy = a.dy[0].real();
            team.each(dr.bands(1, band(1)), |_, mut dr, _| {
                pass_on(team.isa(), &dy[dr.first_row..], *write, dr.slice());
            });
        }
    }
}

/// The initial value of a gradient's sums.
fn start(write: Write) -> ChainStart {
    match write {
        Write::Set | Write::Over => ChainStart::Zero,
        Write::Add => ChainStart::Held,
    }
}

lanes! {
    /// Columns of db starting at `from`: each is one chain over the rows, in order.
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
