//! One head of one sequence, block by block: each block of queries meets each block of keys that
//! it sees; the scores between them never leave the cache.

use super::{Attention, Heads};
use crate::arena::Patch;
use crate::gemm::{Arithmetic, Start, View, product, product_into};
use crate::lanes::{LANES, Lanes, dot, lanes, log};

/// Queries, and keys, of a block: constants of the arithmetic.
const BLOCK: usize = 64;

/// One head of one sequence.
pub struct Head {
    heads: Heads,
    /// First row of the sequence in q, k and v.
    first: usize,
    /// Queries.
    time: usize,
    /// Keys before the first query.
    before: usize,
    head: usize,
    scale: f32,
}

/// What the backward pass reads.
pub struct Saved<'a> {
    pub x: [&'a [f32]; 3],
    pub y: &'a [f32],
    pub total: &'a [f32],
    pub dy: &'a [f32],
}

impl Attention {
    /// Head `head` of sequence `sequence`.
    pub fn head(&self, sequence: usize, head: usize, position: usize) -> Head {
        Head {
            heads: self.heads,
            first: sequence * self.time,
            time: self.time,
            before: if self.cached { position } else { 0 },
            head,
            scale: self.scale() as f32,
        }
    }
}

impl Head {
    /// This head's part of q, y or dy.
    fn queries<'a>(&self, q: &'a [f32]) -> View<'a> {
        let (width, size) = (
            self.heads.heads * self.heads.head_size,
            self.heads.head_size,
        );
        let all = View::new(q, q.len() / width, width, width);
        all.rows(self.first, self.time)
            .columns(self.head * size, size)
    }

    /// This head's part of k or v.
    fn keys<'a>(&self, k: &'a [f32]) -> View<'a> {
        let (width, size) = (
            self.heads.kv_heads * self.heads.head_size,
            self.heads.head_size,
        );
        let shared = self.head * self.heads.kv_heads / self.heads.heads;
        let all = View::new(k, k.len() / width, width, width);
        all.rows(self.first, self.before + self.time)
            .columns(shared * size, size)
    }

    /// Blocks of queries: first query and number.
    fn query_blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let time = self.time;
        (0..time)
            .step_by(BLOCK)
            .map(move |from| (from, BLOCK.min(time - from)))
    }

    /// Blocks of keys that the queries up to `last` see: first key and number.
    fn key_blocks(&self, last: usize) -> impl Iterator<Item = (usize, usize)> {
        let seen = self.before + last + 1;
        (0..seen)
            .step_by(BLOCK)
            .map(move |from| (from, BLOCK.min(seen - from)))
    }

    /// y and log Σ exp of each query.
    pub fn forward(
        &self,
        a: Arithmetic,
        [q, k, v]: [&[f32]; 3],
        y: &mut Patch,
        total: &mut Patch,
        scratch: &mut [f32],
    ) {
        let (q, k, v) = (self.queries(q), self.keys(k), self.keys(v));
        let (scores, rest) = scratch.split_at_mut(BLOCK * BLOCK);
        let (most, rest) = rest.split_at_mut(BLOCK);
        let (sums, scratch) = rest.split_at_mut(BLOCK);
        for (from, count) in self.query_blocks() {
            let mut y = y.band(from, count);
            y.clear();
            most.fill(f32::NEG_INFINITY);
            sums.fill(0.0);
            for (key, keys) in self.key_blocks(from + count - 1) {
                let (q, k) = (q.rows(from, count), k.rows(key, keys).transposed());
                product_into(a, q, k, (scores, BLOCK), Start::Zero, scratch);
                for r in 0..count {
                    let seen = (self.before + from + r + 1).saturating_sub(key).min(keys);
                    let scores = &mut scores[r * BLOCK..][..keys];
                    let (most, sum) = (&mut most[r], &mut sums[r]);
                    online(a.isa, scores, seen, self.scale, most, sum, y.row(r));
                }
                let p = View::new(scores, count, keys, BLOCK);
                product(a, p, v.rows(key, keys), &mut y, Start::Held, scratch);
            }
            for r in 0..count {
                finish(a.isa, sums[r], y.row(r));
                total.row(from + r)[0] = most[r] + log(sums[r]);
            }
        }
    }

    /// Adds this head's share to dq, dk and dv.
    pub fn backward(
        &self,
        a: Arithmetic,
        saved: &Saved,
        mut dq: Option<Patch>,
        mut dk: Option<&mut Patch>,
        mut dv: Option<&mut Patch>,
        scratch: &mut [f32],
    ) {
        let [q, k, v] = saved.x;
        let (q, k, v, dy) = (
            self.queries(q),
            self.keys(k),
            self.keys(v),
            self.queries(saved.dy),
        );
        let (p, rest) = scratch.split_at_mut(BLOCK * BLOCK);
        let (ds, scratch) = rest.split_at_mut(BLOCK * BLOCK);
        for (from, count) in self.query_blocks() {
            let (q, dy) = (q.rows(from, count), dy.rows(from, count));
            for (key, keys) in self.key_blocks(from + count - 1) {
                let (k, v) = (k.rows(key, keys), v.rows(key, keys));
                product_into(a, q, k.transposed(), (p, BLOCK), Start::Zero, scratch);
                product_into(a, dy, v.transposed(), (ds, BLOCK), Start::Zero, scratch);
                for r in 0..count {
                    let seen = (self.before + from + r + 1).saturating_sub(key).min(keys);
                    let row = self.first + from + r;
                    let total = saved.total[row * self.heads.heads + self.head];
                    let at = (row * self.heads.heads + self.head) * self.heads.head_size;
                    let end = at + self.heads.head_size;
                    let (p, ds) = (&mut p[r * BLOCK..][..keys], &mut ds[r * BLOCK..][..keys]);
                    let (y, dy) = (&saved.y[at..end], &saved.dy[at..end]);
                    score_gradient(a.isa, p, ds, seen, self.scale, total, y, dy);
                }
                let (p, ds) = (
                    View::new(p, count, keys, BLOCK),
                    View::new(ds, count, keys, BLOCK),
                );
                if let Some(dq) = &mut dq {
                    product(a, ds, k, &mut dq.band(from, count), Start::Held, scratch);
                }
                if let Some(dk) = &mut dk {
                    product(
                        a,
                        ds.transposed(),
                        q,
                        &mut dk.band(key, keys),
                        Start::Held,
                        scratch,
                    );
                }
                if let Some(dv) = &mut dv {
                    product(
                        a,
                        p.transposed(),
                        dy,
                        &mut dv.band(key, keys),
                        Start::Held,
                        scratch,
                    );
                }
            }
        }
    }
}

lanes! {
    /// One row of the online softmax: scores become exp(s − most), where `most` is the greatest
    /// seen so far; the sum and y so far are brought to it.
    fn online(scores: &mut [f32], seen: usize, scale: f32, most: &mut f32, sum: &mut f32, y: &mut [f32]) {
        let by = Lanes::all(scale);
        let (visible, hidden) = scores.split_at_mut(seen);
        hidden.fill(0.0);
        let mut greatest = Lanes::all(*most);
        for s in visible.chunks_mut(LANES) {
            let x = Lanes::load(s, f32::NEG_INFINITY) * by;
            x.store(s);
            greatest = greatest.max(x);
        }
        let new = greatest.greatest();
        let shift = Lanes::all(new);
        let mut total = Lanes::all(0.0);
        for s in visible.chunks_mut(LANES) {
            let p = (Lanes::load(s, f32::NEG_INFINITY) - shift).exp();
            p.store(s);
            total = total + p;
        }
        let old = (Lanes::all(*most) - shift).exp();
        *sum = sum.mul_add(old.0[0], total.sum());
        if new > *most {
            y.chunks_mut(LANES).for_each(|y| (Lanes::load(y, 0.0) * old).store(y));
        }
        *most = new;
    }
}

lanes! {
    /// y / sum.
    fn finish(sum: f32, y: &mut [f32]) {
        let by = Lanes::all(1.0 / sum);
        y.chunks_mut(LANES).for_each(|y| (Lanes::load(y, 0.0) * by).store(y));
    }
}

lanes! {
    /// One row: scores become p, and dp becomes ds = p∘(dp − δ)·scale.
    fn score_gradient(p: &mut [f32], ds: &mut [f32], seen: usize, scale: f32, total: f32, y: &[f32], dy: &[f32]) {
        let delta = Lanes::all(dot(y, dy));
        let (by, shift) = (Lanes::all(scale), Lanes::all(-total));
        p[seen..].fill(0.0);
        ds[seen..].fill(0.0);
        for (p, ds) in p[..seen].chunks_mut(LANES).zip(ds[..seen].chunks_mut(LANES)) {
            let probability = Lanes::load(p, 0.0).mul_add(by, shift).exp();
            let d = probability * (Lanes::load(ds, 0.0) - delta) * by;
            probability.store(p);
            d.store(ds);
        }
    }
}
