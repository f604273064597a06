//! Finds the order of one model's units that brings its weights closest to another's: weight
//! matching by coordinate descent (Ainsworth, Hayase and Srinivasa 2022, section 3.2). One kind of
//! unit at a time is matched as well as possible while the others stay, an assignment problem;
//! again and again, until nothing improves.
//!
//! The first round begins with what no other order can disturb: the residual stream's channels by
//! the embeddings and the output head. The barriers of trained models are lower for it
//! (EXPERIMENTS.md).

use super::assignment::assign;
use super::symmetry::{HeadOrder, Tensors, UnitAxis, UnitOrder, axes, keys_are_free, reorder};
use model::ModelConfig;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rounds, at most. Five are typical.
const ROUNDS: usize = 50;
/// A round that improves the similarity by less than this share was the last.
const IMPROVED: f64 = 1e-6;

/// The order of `b`'s units that makes it most similar to `a`, two models of this shape; the best
/// so far once `stop` is set.
pub fn matched(shape: &ModelConfig, a: &Tensors, b: &Tensors, stop: &AtomicBool) -> UnitOrder {
    let mut order = UnitOrder::unchanged(shape);
    let pair = Compared { a, b };
    let mut best = f64::NEG_INFINITY;
    for round in 0..ROUNDS {
        let mut next = order.clone();
        let stream = pair.products(&next, UnitAxis::Stream, round == 0);
        next.stream = assign(&stream, shape.width);
        for layer in 0..shape.layers {
            if stop.load(Ordering::Relaxed) {
                return order;
            }
            let hidden = pair.products(&next, UnitAxis::Hidden(layer), false);
            next.layers[layer].hidden = assign(&hidden, shape.hidden);
            next.layers[layer].heads = pair.heads(&next, shape, layer);
        }
        let similarity = similarity(a, &next.apply(b));
        if similarity <= best {
            break;
        }
        order = next;
        if similarity - best < IMPROVED * similarity.abs() {
            break;
        }
        best = similarity;
    }
    order
}

/// The sum of the products of all weights.
fn similarity(a: &Tensors, b: &Tensors) -> f64 {
    a.iter().zip(b).map(|((_, a), (_, b))| dot(a, b)).sum()
}

struct Compared<'a> {
    a: &'a Tensors,
    b: &'a Tensors,
}

impl Compared<'_> {
    /// The products of each unit of `a` with each of `b` on an axis [n, n]: sums over all
    /// parameters with that axis, whose other axis is already in order; with `first`, only over
    /// those whose other axis has an order of its own.
    fn products(&self, order: &UnitOrder, axis: UnitAxis, first: bool) -> Vec<f64> {
        let n = order.of(axis).map_or(0, |order| order.len());
        let mut sums = vec![0.0; n * n];
        for ((name, a), b) in self.a.iter().zip(self.b.values()) {
            let [rows, columns] = axes(name);
            if rows == axis && !(first && columns != UnitAxis::Ordered) {
                let b = reorder(b, None, order.of(columns).as_deref());
                add_products(&mut sums, n, a, &b);
            } else if columns == axis && !(first && rows != UnitAxis::Ordered) {
                let b = reorder(b, order.of(rows).as_deref(), None);
                add_products(&mut sums, n, &transposed(a, n), &transposed(&b, n));
            }
        }
        sums
    }

    /// The best order of a layer's heads. Each two are compared with their inner units matched as
    /// well as possible.
    fn heads(&self, order: &UnitOrder, shape: &ModelConfig, layer: usize) -> Vec<HeadOrder> {
        let products = |axis| self.products(order, axis, false);
        let layer = LayerProducts {
            heads: shape.kv_heads,
            queries: shape.heads / shape.kv_heads,
            size: shape.head_size,
            free: keys_are_free(shape),
            q: products(UnitAxis::Queries(layer)),
            k: products(UnitAxis::Keys(layer)),
            v: products(UnitAxis::Values(layer)),
            mixed: products(UnitAxis::Mixed(layer)),
        };
        let n = shape.kv_heads;
        let pairs = (0..n * n).map(|at| layer.pair(at / n, at % n).0);
        let partners = assign(&pairs.collect::<Vec<f64>>(), n);
        let each = partners.into_iter().enumerate();
        each.map(|(head, partner)| layer.pair(head, partner).1)
            .collect()
    }
}

/// The products of the units of a layer's heads.
struct LayerProducts {
    /// Key and value heads, query heads for each, and channels of a head.
    heads: usize,
    queries: usize,
    size: usize,
    /// Whether the channels of keys may change places.
    free: bool,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
    mixed: Vec<f64>,
}

impl LayerProducts {
    /// How well two key and value heads match, and the order in which they do.
    fn pair(&self, a: usize, b: usize) -> (f64, HeadOrder) {
        let (queries, size) = (self.queries, self.size);
        let (k, v) = (self.part(&self.k, 1, a, b), self.part(&self.v, 1, a, b));
        // Of query head r of `a` and s of `b`, at r · queries + s.
        let heads = |all: &[f64]| -> Vec<Vec<f64>> {
            let pairs = (0..queries * queries).map(|at| (at / queries, at % queries));
            pairs
                .map(|(r, s)| self.part(all, queries, a * queries + r, b * queries + s))
                .collect()
        };
        let (q, mixed) = (heads(&self.q), heads(&self.mixed));
        let along = |scores: &[f64], order: &[usize]| -> f64 {
            let each = order.iter().enumerate();
            each.map(|(row, column)| scores[row * order.len() + column])
                .sum()
        };
        let inner = |own: &[f64], shared: &[Vec<f64>], order: &[usize]| {
            let mut scores = own.to_vec();
            for (r, s) in order.iter().enumerate() {
                let more = &shared[r * queries + s];
                scores.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
            }
            assign(&scores, size)
        };
        let mut found = HeadOrder {
            head: b,
            queries: (0..queries).collect(),
            keys: match self.free {
                true => assign(&k, size),
                false => (0..size).collect(),
            },
            values: assign(&v, size),
        };
        let mut best = f64::NEG_INFINITY;
        loop {
            let scores = q
                .iter()
                .zip(&mixed)
                .map(|(q, mixed)| along(q, &found.keys) + along(mixed, &found.values));
            let scores: Vec<f64> = scores.collect();
            let mut next = found.clone();
            next.queries = assign(&scores, queries);
            if self.free {
                next.keys = inner(&k, &q, &next.queries);
            }
            next.values = inner(&v, &mixed, &next.queries);
            let shared: f64 = (next.queries.iter().enumerate())
                .map(|(r, s)| {
                    let at = r * queries + s;
                    along(&q[at], &next.keys) + along(&mixed[at], &next.values)
                })
                .sum();
            let score = along(&k, &next.keys) + along(&v, &next.values) + shared;
            if score <= best {
                return (best, found);
            }
            (best, found) = (score, next);
        }
    }

    /// The products of the channels of two heads [size, size], of all heads'; each key and value
    /// head has `each` of them.
    fn part(&self, all: &[f64], each: usize, a: usize, b: usize) -> Vec<f64> {
        let (size, width) = (self.size, self.heads * each * self.size);
        let rows = (0..size).map(|row| (a * size + row) * width + b * size);
        rows.flat_map(|from| &all[from..][..size])
            .copied()
            .collect()
    }
}

/// Adds the products of all rows of `a` with all of `b`, n rows each.
fn add_products(sums: &mut [f64], n: usize, a: &[f32], b: &[f32]) {
    let width = (a.len() / n).max(1);
    for (sums, a) in sums.chunks_mut(n).zip(a.chunks(width)) {
        for (sum, b) in sums.iter_mut().zip(b.chunks(width)) {
            *sum += dot(a, b);
        }
    }
}

/// Columns as rows, of a matrix with n columns.
fn transposed(values: &[f32], n: usize) -> Vec<f32> {
    let rows = values.len() / n;
    let columns = (0..n).flat_map(|column| (0..rows).map(move |row| row * n + column));
    columns.map(|at| values[at]).collect()
}

/// The sum of products, in lanes.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0f32; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for (lane, (x, y)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += x * y;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(x, y)| x * y);
    lanes.into_iter().chain(rest).map(f64::from).sum()
}
