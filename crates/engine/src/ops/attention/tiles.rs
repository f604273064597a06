//! The heads of one sequence that share keys and values: tiles of queries are multiplied by the
//! keys that they attend to. The scores never leave the cache, and fully masked tiles are skipped.
//!
//! In bf16, the operands of every product are rounded, probabilities and their gradients among
//! them; softmax and sums stay in f32.

use super::{Attention, Heads, Rows};
use crate::cpu::arena::Patch;
use crate::cpu::gemm::{Arithmetic, ChainStart, Panels, View};
use crate::cpu::lanes::{LANES, Vector, dot, lanes};
use crate::cpu::team::SCRATCH;
use crate::write::Write;

/// Queries, and keys, per tile: changing it changes bits. Every tile starts at a multiple.
const TILE: usize = 12;

/// Queries per block in the backward pass: tiles of keys sum over it.
const BLOCK: usize = 8 * TILE;

/// Padding between two rows of scores: rows a multiple of 4 KB apart would compete for one set of
/// the cache.
const GAP: usize = 16;

/// Largest head that fits into the scratch memory.
pub const WIDEST: usize = 512;

/// Keys per block: as many as fit into the scratch memory, but few enough that their panels stay in
/// the L2 cache. Depends on the shape alone.
fn keys_at_once(size: usize) -> usize {
    let size = size.next_multiple_of(32);
    let room = SCRATCH - PACKING - 2 * BLOCK * (size + GAP);
    (room / (3 * size + 2 * BLOCK)).min(KEYS) / BLOCK * BLOCK
}

/// The most keys of a block.
const KEYS: usize = 10 * BLOCK;
/// Memory for packing in bf16: the left operand of a product, and columns to be transposed.
const PACKING: usize = 1 << 15;
const _: () = assert!(Panels::left(KEYS) + Panels::spare(WIDEST) <= PACKING);

/// The heads of one sequence that share one head of keys and values.
pub struct HeadGroup<'a> {
    heads: Heads,
    arithmetic: Arithmetic,
    /// First row of the sequence in q.
    first: usize,
    /// Queries.
    time: usize,
    /// Rows of the keys and values.
    rows: Rows<'a>,
    /// The head of keys and values.
    shared: usize,
    scale: f32,
}

/// What the backward pass reads.
pub struct BackwardReads<'a> {
    pub x: [&'a [f32]; 3],
    pub y: &'a [f32],
    pub total: &'a [f32],
    pub dy: &'a [f32],
}

impl Attention {
    /// The heads of sequence `sequence` that share head `shared` of keys and values.
    pub(super) fn group<'a>(
        &self,
        arithmetic: Arithmetic,
        sequence: usize,
        shared: usize,
        rows: Rows<'a>,
    ) -> HeadGroup<'a> {
        HeadGroup {
            heads: self.heads,
            arithmetic,
            first: sequence * self.time,
            time: self.time,
            rows,
            shared,
            scale: self.scale() as f32,
        }
    }
}

impl HeadGroup<'_> {
    /// Number of query heads.
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

    /// The shared part of k or v, for `count` positions starting at `first`. Rows that aren't
    /// contiguous are gathered in `room`.
    fn keys<'k>(&self, k: &'k [f32], first: usize, count: usize, room: &'k mut [f32]) -> View<'k> {
        let size = self.heads.head_size;
        let width = self.heads.kv_heads * size;
        let row = self.rows.row(first);
        if let Rows::Paged(pages, ..) = self.rows
            && !pages_follow(&self.rows, pages.rows, first, count)
        {
            let to = room.chunks_mut(size).take(count).enumerate();
            to.for_each(|(i, to)| {
                let from = self.rows.row(first + i) * width + self.shared * size;
                to.copy_from_slice(&k[from..][..size]);
            });
            return View::new(room, count, size, size);
        }
        let all = View::new(k, k.len() / width, width, width);
        all.rows(row, count).columns(self.shared * size, size)
    }

    /// Number of keys that the last query attends to.
    fn seen(&self) -> usize {
        self.rows.before() + self.time
    }

    /// Blocks of keys: first key and count.
    fn key_blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (all, most) = (self.seen(), keys_at_once(self.heads.head_size));
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
        let (size, isa) = (self.heads.head_size, self.arithmetic.isa);
        let before = self.rows.before();
        for (key, keys) in self.key_blocks() {
            let stride = keys.next_multiple_of(32) + GAP;
            let (scores, rest) = scratch.split_at_mut(TILE * stride);
            let (for_k, rest) = rest.split_at_mut(Panels::room(size, keys));
            let (for_v, rest) = rest.split_at_mut(Panels::room(keys, size));
            let (left, spare, room) = packing(rest);
            let k = self.keys(k, key, keys, room).transposed();
            let k = Panels::pack(self.arithmetic, k, for_k, spare);
            let v = self.keys(v, key, keys, room);
            let v = Panels::pack(self.arithmetic, v, for_v, spare);
            for member in 0..self.members() {
                let q = self.queries(q, member);
                let mut y = y.strip(member * size, size);
                // Tiles before this one attend to none of the block's keys.
                let tile = key.saturating_sub(before) / TILE * TILE;
                for from in (tile..self.time).step_by(TILE) {
                    let count = TILE.min(self.time - from);
                    let tile = Scores {
                        stride,
                        rows: count,
                        first: (before + from + 1) as isize - key as isize,
                        keys,
                        scale: self.scale,
                    };
                    let last = tile.last();
                    if last == 0 {
                        continue;
                    }
                    let all = (&mut *scores, stride, last.next_multiple_of(32));
                    k.product_into(q.rows(from, count), 0, all, ChainStart::Zero, left);
                    let mut y = y.band(from, count);
                    let mut totals = [0.0; LANES];
                    for (r, to) in totals.iter_mut().enumerate().take(count) {
                        *to = total.row(from + r)[member];
                    }
                    let old = probabilities(isa, &tile, scores, key > 0, &mut totals);
                    for (r, new) in totals.iter().enumerate().take(count) {
                        total.row(from + r)[member] = *new;
                        if key > 0 {
                            shrink(isa, old[r], y.row(r));
                        }
                    }
                    let p = View::new(scores, count, last, stride);
                    let start = if key == 0 {
                        ChainStart::Zero
                    } else {
                        ChainStart::Held
                    };
                    v.product(p, 0, &mut y, start, left);
                }
            }
        }
    }

    /// Sets, or adds to, dq of every head, dk and dv. There is no cache here: query t attends to
    /// keys 0 … t.
    pub fn backward(
        &self,
        saved: &BackwardReads,
        mut dx: [Option<(Write, Patch)>; 3],
        scratch: &mut [f32],
    ) {
        let size = self.heads.head_size;
        for (key, keys) in self.key_blocks() {
            let (turned, panels) = (Panels::room(size, keys), Panels::room(keys, size));
            let (for_kt, rest) = scratch.split_at_mut(turned);
            let (for_vt, rest) = rest.split_at_mut(turned);
            let (for_k, rest) = rest.split_at_mut(panels);
            let (left, spare, rest) = packing(rest);
            let [k, v] = [1, 2].map(|i| self.keys(saved.x[i], key, keys, &mut []));
            let block = Block {
                group: self,
                key,
                keys,
                turned: [
                    Panels::pack(self.arithmetic, k.transposed(), for_kt, spare),
                    Panels::pack(self.arithmetic, v.transposed(), for_vt, spare),
                ],
                k: Panels::pack(self.arithmetic, k, for_k, spare),
            };
            for member in 0..self.members() {
                for from in (key / BLOCK * BLOCK..self.time).step_by(BLOCK) {
                    let count = BLOCK.min(self.time - from);
                    block.backward(saved, (member, from, count), &mut dx, (left, rest));
                }
            }
        }
    }
}

/// Memory for a product's left operand, memory for columns to be transposed, and the rest.
fn packing(scratch: &mut [f32]) -> (&mut [f32], &mut [f32], &mut [f32]) {
    let (left, rest) = scratch.split_at_mut(Panels::left(KEYS));
    let (spare, rest) = rest.split_at_mut(Panels::spare(WIDEST));
    (left, spare, rest)
}

/// Whether the rows of `count` positions starting at `first` are contiguous.
fn pages_follow(rows: &Rows, page: usize, first: usize, count: usize) -> bool {
    let last = first + count - 1;
    rows.row(last) == rows.row(first) + count - 1
        && (first / page..last / page)
            .all(|p| rows.row((p + 1) * page) == rows.row(p * page) + page)
}

/// A block of keys in the backward pass.
struct Block<'a> {
    group: &'a HeadGroup<'a>,
    /// First key.
    key: usize,
    keys: usize,
    /// kᵀ and vᵀ.
    turned: [Panels<'a>; 2],
    k: Panels<'a>,
}

impl Block<'_> {
    /// Adds the contribution of a block of queries of one head.
    fn backward(
        &self,
        saved: &BackwardReads,
        (member, from, count): (usize, usize, usize),
        [dq, dk, dv]: &mut [Option<(Write, Patch)>; 3],
        (left, scratch): (&mut [f32], &mut [f32]),
    ) {
        let g = self.group;
        let (arithmetic, size) = (g.arithmetic, g.heads.head_size);
        let isa = arithmetic.isa;
        let stride = self.keys.next_multiple_of(32) + GAP;
        let (p, rest) = scratch.split_at_mut(BLOCK * stride);
        let (ds, rest) = rest.split_at_mut(BLOCK * stride);
        let (for_q, for_dy) = rest.split_at_mut(Panels::room(count, size));
        let [q, dy, y] =
            [saved.x[0], saved.dy, saved.y].map(|x| g.queries(x, member).rows(from, count));
        let head = g.shared * g.members() + member;
        for top in (0..count).step_by(TILE) {
            let rows = TILE.min(count - top);
            let tile = Scores {
                stride,
                rows,
                first: (from + top + 1) as isize - self.key as isize,
                keys: self.keys,
                scale: g.scale,
            };
            let (last, at) = (tile.last(), top * stride);
            for ((to, panels), x) in [&mut *p, &mut *ds]
                .into_iter()
                .zip(&self.turned)
                .zip([q, dy])
            {
                let to = (&mut to[at..], stride, last.next_multiple_of(32));
                panels.product_into(x.rows(top, rows), 0, to, ChainStart::Zero, left);
            }
            let (mut totals, mut deltas) = ([0.0; TILE], [0.0; TILE]);
            for r in 0..rows {
                let row = g.first + from + top + r;
                totals[r] = saved.total[row * g.heads.heads + head];
                deltas[r] = delta(isa, y.line(top + r), dy.line(top + r));
            }
            score_gradients(isa, &tile, &mut p[at..], &mut ds[at..], &totals, &deltas);
            if let Some((write, dq)) = dq {
                let ds = View::new(&ds[at..], rows, last, stride);
                let start = start(*write, self.key == 0);
                let mut dq = dq.strip(member * size, size);
                let mut dq = dq.band(from + top, rows);
                self.k.product(ds, 0, &mut dq, start, left);
            }
        }
        let q = Panels::pack(arithmetic, q, for_q, &mut []);
        let dy = Panels::pack(arithmetic, dy, for_dy, &mut []);
        let seen = (from + count - self.key).min(self.keys);
        for tile in (0..seen).step_by(TILE) {
            let rows = TILE.min(seen - tile);
            // Queries from the first tile that attends to any of these keys.
            let first = (self.key + tile).saturating_sub(from);
            for (to, x, panels) in [(&mut *dk, &*ds, &q), (&mut *dv, &*p, &dy)] {
                let Some((write, to)) = to else { continue };
                let x = View::new(x, count, self.keys, stride);
                let x = x.rows(first, count - first).columns(tile, rows);
                // The first block of queries that attends to these keys contains their positions.
                let start = start(*write, member == 0 && from <= self.key + tile);
                let mut to = to.band(self.key + tile, rows);
                panels.product(x.transposed(), first, &mut to, start, left);
            }
        }
    }
}

/// What a chain starts from: if the gradient is set, its first chain starts from 0.
fn start(write: Write, first: bool) -> ChainStart {
    match write {
        Write::Set if first => ChainStart::Zero,
        _ => ChainStart::Held,
    }
}

/// Scores of a tile of queries, row-major.
struct Scores {
    /// Distance from one row to the next.
    stride: usize,
    /// Rows.
    rows: usize,
    /// Keys that the first row attends to, not clamped to `keys`; each later row has one more.
    first: isize,
    /// Number of keys.
    keys: usize,
    /// Factor on the scores.
    scale: f32,
}

impl Scores {
    /// Number of keys that a row attends to.
    #[inline(always)]
    fn sees(&self, row: usize) -> usize {
        (self.first + row as isize).clamp(0, self.keys as isize) as usize
    }

    /// Number of keys that the last row attends to, the maximum of the tile.
    #[inline(always)]
    fn last(&self) -> usize {
        self.sees(self.rows - 1)
    }

    /// A row, up to the last key that any row of the tile attends to.
    #[inline(always)]
    fn row<'a>(&self, all: &'a mut [f32], row: usize) -> &'a mut [[f32; LANES]] {
        let lanes = self.last().next_multiple_of(LANES);
        all[row * self.stride..][..lanes].as_chunks_mut::<LANES>().0
    }
}

/// Added to scores: 0 for visible keys, then −∞ for masked ones.
const MASK: [f32; 2 * LANES] = {
    let mut mask = [0.0; 2 * LANES];
    let mut i = LANES;
    while i < 2 * LANES {
        mask[i] = f32::NEG_INFINITY;
        i += 1;
    }
    mask
};

/// Scores from key `at` on; −∞ for keys that are not among the first `seen`.
#[inline(always)]
fn masked<Lanes: Vector>(scores: &[f32; LANES], at: usize, seen: usize) -> Lanes {
    let hidden = LANES - seen.saturating_sub(at).min(LANES);
    Lanes::from_array(*scores) + Lanes::load(&MASK[hidden..hidden + LANES], 0.0)
}

lanes! {
    /// The softmax of a tile: scores of visible keys become probabilities; the others become 0.
    /// `totals` become log Σ exp. If blocks of keys came `before`, `totals` hold theirs, and the
    /// result is the factors that rescale y to the new totals.
    fn probabilities(tile: &Scores, scores: &mut [f32], before: bool, totals: &mut [f32; LANES]) -> [f32; LANES] {
        let by = Lanes::all(tile.scale);
        let (mut most, mut sums) = ([0.0; LANES], [1.0; LANES]);
        for r in (0..tile.rows).filter(|&r| tile.sees(r) > 0) {
            let (row, seen) = (tile.row(scores, r), tile.sees(r));
            let mut greatest = Lanes::all(f32::NEG_INFINITY);
            for (c, s) in row.iter().enumerate() {
                greatest = greatest.max(masked(s, c * LANES, seen));
            }
            most[r] = greatest.greatest() * tile.scale;
            let shift = Lanes::all(-most[r]);
            let mut sum = Lanes::all(0.0);
            for (c, s) in row.iter_mut().enumerate() {
                let p = masked::<Lanes>(s, c * LANES, seen).mul_add(by, shift).exp();
                *s = p.to_array();
                sum = sum + p;
            }
            sums[r] = sum.sum();
        }
        let sums = Lanes::from_array(sums);
        let here = (Lanes::from_array(most) + sums.log()).to_array();
        let mut factors = (Lanes::all(1.0) / sums).to_array();
        let mut old = [1.0; LANES];
        if before {
            let one = Lanes::all(1.0);
            for r in 0..tile.rows {
                let seen = tile.sees(r) > 0;
                let here = if seen { here[r] } else { f32::NEG_INFINITY };
                let (low, high) = if here < totals[r] { (here, totals[r]) } else { (totals[r], here) };
                let new = high + (one + Lanes::all(low - high).exp()).log().first();
                factors[r] = if seen { factors[r] * Lanes::all(here - new).exp().first() } else { 0.0 };
                old[r] = Lanes::all(totals[r] - new).exp().first();
                totals[r] = new;
            }
        } else {
            *totals = here;
        }
        for (r, factor) in factors.iter().enumerate().take(tile.rows) {
            let factor = Lanes::all(*factor);
            for s in tile.row(scores, r) {
                *s = (Lanes::from_array(*s) * factor).to_array();
            }
        }
        old
    }
}

lanes! {
    /// y · factor.
    fn shrink(factor: f32, y: &mut [f32]) {
        let by = Lanes::all(factor);
        y.chunks_mut(LANES).for_each(|y| (Lanes::load(y, 0.0) * by).store(y));
    }
}

lanes! {
    /// δ = y·dy.
    fn delta(y: &[f32], dy: &[f32]) -> f32 {
        dot::<Lanes>(y, dy)
    }
}

lanes! {
    /// In one tile, scores become p, and dp becomes ds = p∘(dp − δ)·scale.
    fn score_gradients(tile: &Scores, p: &mut [f32], ds: &mut [f32], totals: &[f32; TILE], deltas: &[f32; TILE]) {
        let by = Lanes::all(tile.scale);
        for r in 0..tile.rows {
            let (shift, delta) = (Lanes::all(-totals[r]), Lanes::all(deltas[r]));
            let (p, seen) = (tile.row(p, r), tile.sees(r));
            for (c, (p, ds)) in p.iter_mut().zip(tile.row(ds, r)).enumerate() {
                let probability = masked::<Lanes>(p, c * LANES, seen).mul_add(by, shift).exp();
                *ds = (probability * (Lanes::from_array(*ds) - delta) * by).to_array();
                *p = probability.to_array();
            }
        }
    }
}
