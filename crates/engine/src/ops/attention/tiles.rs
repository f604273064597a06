//! The heads of one sequence that share keys and values: tiles of queries meet the keys that they
//! see; the scores between them never leave the cache, and what is masked is not computed.
//!
//! Products are in f32 whatever the plan's precision: they are a small part of a model's work, and
//! rounding the scores would cost more than it saves.

use super::{Attention, Heads};
use crate::arena::Patch;
use crate::gemm::{Panels, Start, View};
use crate::lanes::{LANES, Lanes, dot, lanes, log};
use crate::machine::Isa;
use crate::op::Write;
use crate::team::SCRATCH;

/// Queries, and keys, of a tile: a constant of the arithmetic. Every tile begins at a multiple.
const TILE: usize = 12;

/// Queries of a block in the backward pass: tiles of keys gather over it.
const BLOCK: usize = 8 * TILE;

/// Numbers between two rows of scores, beyond the keys: rows a multiple of 4 KB apart would crowd
/// one set of the cache.
const GAP: usize = 16;

/// Widest head that the scratch memory has room for.
pub const WIDEST: usize = 512;

/// Keys that are worked on together: as many as the scratch memory has room for, and at most a
/// number that keeps their panels in the second-level cache. A constant of the shape.
fn keys_at_once(size: usize) -> usize {
    let size = size.next_multiple_of(32);
    let room = SCRATCH - 2 * BLOCK * (size + GAP);
    (room / (3 * size + 2 * BLOCK)).min(10 * BLOCK) / BLOCK * BLOCK
}

/// The heads of one sequence that share one head of keys and values.
pub struct Group {
    heads: Heads,
    isa: Isa,
    /// First row of the sequence in q, k and v.
    first: usize,
    /// Queries.
    time: usize,
    /// Keys before the first query.
    before: usize,
    /// The head of keys and values.
    shared: usize,
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
    /// The heads of sequence `sequence` that share head `shared` of keys and values.
    pub fn group(&self, isa: Isa, sequence: usize, shared: usize, position: usize) -> Group {
        Group {
            heads: self.heads,
            isa,
            first: sequence * self.time,
            time: self.time,
            before: if self.cached { position } else { 0 },
            shared,
            scale: self.scale() as f32,
        }
    }
}

impl Group {
    /// Heads in it.
    fn members(&self) -> usize {
        self.heads.heads / self.heads.kv_heads
    }

    /// A head's part of q, y or dy, for the sequence.
    fn queries<'a>(&self, q: &'a [f32], member: usize) -> View<'a> {
        let size = self.heads.head_size;
        let width = self.heads.heads * size;
        let all = View::new(q, q.len() / width, width, width);
        let head = self.shared * self.members() + member;
        all.rows(self.first, self.time).columns(head * size, size)
    }

    /// The shared part of k or v, for the sequence.
    fn keys<'a>(&self, k: &'a [f32]) -> View<'a> {
        let size = self.heads.head_size;
        let width = self.heads.kv_heads * size;
        let all = View::new(k, k.len() / width, width, width);
        all.rows(self.first, self.before + self.time)
            .columns(self.shared * size, size)
    }

    /// Blocks of keys: first and number.
    fn key_blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (all, most) = (self.before + self.time, keys_at_once(self.heads.head_size));
        (0..all)
            .step_by(most)
            .map(move |from| (from, most.min(all - from)))
    }

    /// y and log Σ exp of each query, of every head.
    pub fn forward(
        &self,
        [q, k, v]: [&[f32]; 3],
        y: &mut Patch,
        total: &mut Patch,
        scratch: &mut [f32],
    ) {
        let size = self.heads.head_size;
        let (k, v) = (self.keys(k), self.keys(v));
        for (key, keys) in self.key_blocks() {
            let stride = keys.next_multiple_of(32) + GAP;
            let (scores, rest) = scratch.split_at_mut(TILE * stride);
            let (for_k, for_v) = rest.split_at_mut(Panels::room(size, keys));
            let k = Panels::pack(self.isa, k.rows(key, keys).transposed(), for_k);
            let v = Panels::pack(self.isa, v.rows(key, keys), for_v);
            for member in 0..self.members() {
                let q = self.queries(q, member);
                let mut y = y.strip(member * size, size);
                // Tiles before this one see none of the block's keys.
                let tile = key.saturating_sub(self.before) / TILE * TILE;
                for from in (tile..self.time).step_by(TILE) {
                    let count = TILE.min(self.time - from);
                    // Keys of this block that the tile's first and last query see.
                    let sees =
                        |query: usize| (self.before + query + 1).saturating_sub(key).min(keys);
                    let last = sees(from + count - 1);
                    if last == 0 {
                        continue;
                    }
                    let all = (&mut *scores, stride, last.next_multiple_of(32));
                    k.product_into(q.rows(from, count), 0, all, Start::Zero);
                    let mut y = y.band(from, count);
                    for r in 0..count {
                        let scores = &mut scores[r * stride..][..last];
                        let total = &mut total.row(from + r)[member];
                        let seen = sees(from + r);
                        probabilities(self.isa, scores, seen, self.scale, key > 0, total, y.row(r));
                    }
                    let p = View::new(scores, count, last, stride);
                    let start = if key == 0 { Start::Zero } else { Start::Held };
                    v.product(p, 0, &mut y, start);
                }
            }
        }
    }

    /// Sets, or adds to, dq of every head, dk and dv. There is no cache here: query t sees the keys
    /// 0 … t.
    pub fn backward(
        &self,
        saved: &Saved,
        mut dx: [Option<(Write, Patch)>; 3],
        scratch: &mut [f32],
    ) {
        let size = self.heads.head_size;
        let (k, v) = (self.keys(saved.x[1]), self.keys(saved.x[2]));
        for (key, keys) in self.key_blocks() {
            let (turned, panels) = (Panels::room(size, keys), Panels::room(keys, size));
            let (for_kt, rest) = scratch.split_at_mut(turned);
            let (for_vt, rest) = rest.split_at_mut(turned);
            let (for_k, rest) = rest.split_at_mut(panels);
            let (k, v) = (k.rows(key, keys), v.rows(key, keys));
            let block = Block {
                group: self,
                key,
                keys,
                turned: [
                    Panels::pack(self.isa, k.transposed(), for_kt),
                    Panels::pack(self.isa, v.transposed(), for_vt),
                ],
                k: Panels::pack(self.isa, k, for_k),
            };
            for member in 0..self.members() {
                for from in (key / BLOCK * BLOCK..self.time).step_by(BLOCK) {
                    let count = BLOCK.min(self.time - from);
                    block.backward(saved, (member, from, count), &mut dx, rest);
                }
            }
        }
    }
}

/// A block of keys in the backward pass.
struct Block<'a> {
    group: &'a Group,
    /// First key.
    key: usize,
    keys: usize,
    /// kᵀ and vᵀ.
    turned: [Panels<'a>; 2],
    k: Panels<'a>,
}

impl Block<'_> {
    /// What a block of queries of one head adds.
    fn backward(
        &self,
        saved: &Saved,
        (member, from, count): (usize, usize, usize),
        [dq, dk, dv]: &mut [Option<(Write, Patch)>; 3],
        scratch: &mut [f32],
    ) {
        let g = self.group;
        let (isa, size) = (g.isa, g.heads.head_size);
        let stride = self.keys.next_multiple_of(32) + GAP;
        let (p, rest) = scratch.split_at_mut(BLOCK * stride);
        let (ds, rest) = rest.split_at_mut(BLOCK * stride);
        let (for_q, for_dy) = rest.split_at_mut(Panels::room(count, size));
        let [q, dy, y] =
            [saved.x[0], saved.dy, saved.y].map(|x| g.queries(x, member).rows(from, count));
        let sees = |query: usize| (from + query + 1).saturating_sub(self.key).min(self.keys);
        let head = g.shared * g.members() + member;
        for top in (0..count).step_by(TILE) {
            let rows = TILE.min(count - top);
            let last = sees(top + rows - 1);
            let at = top * stride;
            for ((to, panels), x) in [&mut *p, &mut *ds]
                .into_iter()
                .zip(&self.turned)
                .zip([q, dy])
            {
                let to = (&mut to[at..], stride, last.next_multiple_of(32));
                panels.product_into(x.rows(top, rows), 0, to, Start::Zero);
            }
            for r in top..top + rows {
                let row = g.first + from + r;
                let total = saved.total[row * g.heads.heads + head];
                let of = [&mut *p, &mut *ds].map(|x| &mut x[r * stride..][..last]);
                score_gradient(isa, of, sees(r), g.scale, total, y.line(r), dy.line(r));
            }
            if let Some((write, dq)) = dq {
                let ds = View::new(&ds[at..], rows, last, stride);
                let start = start(*write, self.key == 0);
                let mut dq = dq.strip(member * size, size);
                self.k.product(ds, 0, &mut dq.band(from + top, rows), start);
            }
        }
        let q = Panels::pack(isa, q, for_q);
        let dy = Panels::pack(isa, dy, for_dy);
        for tile in (0..sees(count - 1)).step_by(TILE) {
            let rows = TILE.min(sees(count - 1) - tile);
            // Queries from the first tile on that sees any of these keys.
            let first = (self.key + tile).saturating_sub(from);
            for (to, x, panels) in [(&mut *dk, &*ds, &q), (&mut *dv, &*p, &dy)] {
                let Some((write, to)) = to else { continue };
                let x = View::new(x, count, self.keys, stride);
                let x = x.rows(first, count - first).columns(tile, rows);
                // The first block of queries that sees these keys is the one that holds them.
                let start = start(*write, member == 0 && from <= self.key + tile);
                let mut to = to.band(self.key + tile, rows);
                panels.product(x.transposed(), first, &mut to, start);
            }
        }
    }
}

/// What a chain starts from: the first one of a gradient that is set starts from 0.
fn start(write: Write, first: bool) -> Start {
    match write {
        Write::Set if first => Start::Zero,
        _ => Start::Held,
    }
}

lanes! {
    /// One row of the softmax: of the keys seen, scores become probabilities; the others become 0.
    /// `total` becomes log Σ exp. Where keys came `before`, it holds theirs, and y, which they made,
    /// is brought to the new total.
    fn probabilities(scores: &mut [f32], seen: usize, scale: f32, before: bool, total: &mut f32, y: &mut [f32]) {
        let by = Lanes::all(scale);
        let (visible, hidden) = scores.split_at_mut(seen);
        hidden.fill(0.0);
        if visible.is_empty() {
            return;
        }
        let mut greatest = Lanes::all(f32::NEG_INFINITY);
        for s in visible.chunks(LANES) {
            greatest = greatest.max(Lanes::load(s, f32::NEG_INFINITY));
        }
        let most = greatest.greatest() * scale;
        let shift = Lanes::all(-most);
        let mut sum = Lanes::all(0.0);
        for s in visible.chunks_mut(LANES) {
            let p = Lanes::load(s, f32::NEG_INFINITY).mul_add(by, shift).exp();
            p.store(s);
            sum = sum + p;
        }
        let sum = sum.sum();
        let here = most + log(sum);
        let (mut new, mut factor) = (here, 1.0 / sum);
        if before {
            let (low, high) = if here < *total { (here, *total) } else { (*total, here) };
            new = high + log(1.0 + Lanes::all(low - high).exp().0[0]);
            factor = factor * Lanes::all(here - new).exp().0[0];
            let old = Lanes::all(*total - new).exp();
            y.chunks_mut(LANES).for_each(|y| (Lanes::load(y, 0.0) * old).store(y));
        }
        *total = new;
        let factor = Lanes::all(factor);
        for s in visible.chunks_mut(LANES) {
            (Lanes::load(s, 0.0) * factor).store(s);
        }
    }
}

lanes! {
    /// One row: scores become p, and dp becomes ds = p∘(dp − δ)·scale.
    fn score_gradient(of: [&mut [f32]; 2], seen: usize, scale: f32, total: f32, y: &[f32], dy: &[f32]) {
        let [p, ds] = of;
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
