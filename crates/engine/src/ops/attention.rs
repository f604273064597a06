//! Causal attention with grouped heads: each position attends to itself and those before it.
//!
//! For head h of `H`, which shares key and value head h·K/H of `K`, and position t:
//! s[t,u] = q[t]·k[u] / √D for u ≤ t, p = softmax(s[t]), y[t] = Σᵤ p[t,u]·v[u].
//! Vaswani et al., 2017, equation 1; grouped heads: Ainslie et al., 2023. The softmax is taken
//! by blocks of keys (Milakov and Gimelshein, 2018; Dao et al., "FlashAttention", 2022), so no
//! T × T matrix is ever kept: only log Σ exp of each row.
//!
//! Backward: p is recomputed from what was kept; δ[t] = dy[t]·y[t]; dp = dy·vᵀ;
//! ds = p∘(dp − δ)/√D; dq = ds·k, dk = dsᵀ·q, dv = pᵀ·dy.
//!
//! With a cache (generation), keys and values are blocks of pages that hold all positions so far of
//! many sequences, and the queries of sequence s are at positions start[s] … start[s] + T − 1 (see
//! `append`).

mod tiles;

use super::append::{Pages, Places, check_places};
use super::cross_entropy::log_sum_exp_f64;
use crate::at::At;
use crate::cost::{Cost, Pass};
use crate::cpu::arena::Read;
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, In, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// Numbers and size of attention heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// H: heads of the queries.
    pub heads: usize,
    /// K: heads of the keys and values; divides H.
    pub kv_heads: usize,
    /// D: size of a head.
    pub head_size: usize,
}

impl Heads {
    /// Maximum head size: what fits into a thread's scratch memory.
    pub const WIDEST: usize = tiles::WIDEST;
}

/// The operation; q [N, H·D], k and v [N, K·D] → y [N, H·D], in sequences of T rows; keeps
/// log Σ exp(s) of each row and head [N, H]. With a cache, k and v [count·P, K·D], start [S] and
/// table [S·each] follow.
#[derive(Debug)]
pub struct Attention {
    heads: Heads,
    /// T: queries per sequence.
    time: usize,
    /// How keys and values are cached.
    pages: Option<Pages>,
}

impl Graph {
    /// Causal attention over sequences of `time` rows.
    ///
    /// # Errors
    /// If heads and widths don't match, or rows are not whole sequences.
    pub fn attention(
        &mut self,
        q: ValueId,
        k: ValueId,
        v: ValueId,
        heads: Heads,
        time: usize,
    ) -> Result<ValueId> {
        let pages = None;
        let attention = Attention { heads, time, pages };
        Ok(self.push(attention, &[q, k, v])?[0])
    }

    /// The same with keys and values from caches, to which this step's have been appended.
    ///
    /// # Errors
    /// As [`Graph::attention`].
    pub fn cached_attention(
        &mut self,
        q: ValueId,
        [k, v]: [ValueId; 2],
        places: Places,
        pages: Pages,
        heads: Heads,
        time: usize,
    ) -> Result<ValueId> {
        let pages = Some(pages);
        let attention = Attention { heads, time, pages };
        let inputs = [q, k, v, places.start, places.table];
        Ok(self.push(attention, &inputs)?[0])
    }
}

/// Rows of one sequence's keys and values.
#[derive(Clone, Copy)]
enum Rows<'a> {
    /// Contiguous, starting at this row.
    Along(usize),
    /// In pages, with this many positions before the first query.
    Paged(Pages, usize, &'a [u32]),
}

impl Rows<'_> {
    /// Positions before the first query.
    fn before(&self) -> usize {
        match self {
            Rows::Along(_) => 0,
            Rows::Paged(_, before, _) => *before,
        }
    }

    /// The row of a position.
    fn row(&self, position: usize) -> usize {
        match self {
            Rows::Along(first) => first + position,
            Rows::Paged(pages, _, table) => pages.row(table, position),
        }
    }
}

impl Attention {
    /// Rows of a sequence's keys and values.
    fn rows<'a>(&self, sequence: usize, start: &'a [u32], table: &'a [u32]) -> Rows<'a> {
        match self.pages {
            None => Rows::Along(sequence * self.time),
            Some(pages) => Rows::Paged(
                pages,
                start[sequence] as usize,
                &table[sequence * pages.each..][..pages.each],
            ),
        }
    }

    /// Offset of head `h` of a row in q or y.
    fn at_query(&self, row: usize, h: usize) -> usize {
        (row * self.heads.heads + h) * self.heads.head_size
    }

    /// The same in k or v, for the head that query head `h` uses.
    fn at_key(&self, row: usize, h: usize) -> usize {
        let Heads {
            heads,
            kv_heads,
            head_size,
        } = self.heads;
        (row * kv_heads + h * kv_heads / heads) * head_size
    }

    fn scale(&self) -> f64 {
        1.0 / (self.heads.head_size as f64).sqrt()
    }

    /// Turns a row of scores into p[t, ·] in place; returns log Σ exp.
    fn softmax_f64(scores: &mut [f64]) -> f64 {
        let total = log_sum_exp_f64(scores);
        scores.iter_mut().for_each(|s| *s = libm::exp(*s - total));
        total
    }

    fn scores_f64(&self, q: &[f64], k: &[f64], row: usize, h: usize, rows: Rows) -> Vec<f64> {
        let q = &q[self.at_query(row, h)..][..self.heads.head_size];
        let dot = |u: usize| {
            let k = &k[self.at_key(rows.row(u), h)..];
            q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() * self.scale()
        };
        let seen = rows.before() + row % self.time + 1;
        (0..seen).map(dot).collect()
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        let Heads {
            heads,
            kv_heads,
            head_size,
        } = self.heads;
        let widths = x[0].width == heads * head_size && x[1].width == kv_heads * head_size;
        let grouped = kv_heads > 0 && heads.is_multiple_of(kv_heads);
        let rows = match self.pages {
            Some(pages) => {
                check_places(self.name(), [x[0], x[3], x[4]], pages, self.time)?;
                x[1].rows == pages.count * pages.rows
            }
            None => self.time > 0 && x[0].rows.is_multiple_of(self.time) && x[1].rows == x[0].rows,
        };
        if head_size > tiles::WIDEST {
            let most = tiles::WIDEST;
            let message = format!("head size {head_size}; the maximum is {most}");
            return shape(self.name(), message);
        }
        if !widths || !grouped || !rows || x[1] != x[2] {
            return shape(self.name(), format!("{x:?} don't match {:?}", self.heads));
        }
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![Spec::real(x[0].rows, heads)],
        })
    }

    fn reads(&self) -> Reads {
        Reads {
            x: &[0, 1, 2],
            y: &[0],
        }
    }

    /// Two products of length D for each unmasked pair forward, four backward; recomputing the
    /// scores is not counted.
    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        let time = self.time as u64;
        let sequences = x[0].rows as u64 / time;
        // With a cache, an upper bound: the sequence's capacity.
        let (pairs, keys) = match self.pages {
            Some(pages) => {
                let keys = sequences * pages.capacity() as u64;
                (time * keys, keys)
            }
            None => (sequences * time * (time + 1) / 2, x[1].rows as u64),
        };
        let flops = 4 * pairs * x[0].width as u64;
        let bytes = 4 * (2 * x[0].len() as u64 + 2 * keys * x[1].width as u64);
        match pass {
            Pass::Forward => Cost { flops, bytes },
            Pass::Backward => Cost {
                flops: 2 * flops,
                bytes: 2 * bytes,
            },
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (q, k, v) = (a.x[0].real(), a.x[1].real(), a.x[2].real());
        let [start, table] = [3, 4].map(|slot| a.x.get(slot).map_or(&[][..], In::tokens));
        a.y[0].fill(0.0);
        for i in 0..a.kept[0].len() {
            let (row, h) = (i / self.heads.heads, i % self.heads.heads);
            let rows = self.rows(row / self.time, start, table);
            let mut p = self.scores_f64(q, k, row, h, rows);
            a.kept[0][i] = Attention::softmax_f64(&mut p);
            let y = &mut a.y[0][self.at_query(row, h)..][..self.heads.head_size];
            for (u, p) in p.iter().enumerate() {
                let v = &v[self.at_key(rows.row(u), h)..];
                y.iter_mut().zip(v).for_each(|(y, v)| *y += p * v);
            }
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (q, k, v) = (a.x[0].real(), a.x[1].real(), a.x[2].real());
        let size = self.heads.head_size;
        for i in 0..a.kept[0].len() {
            let (row, h) = (i / self.heads.heads, i % self.heads.heads);
            let rows = Rows::Along(row - row % self.time);
            let mut p = self.scores_f64(q, k, row, h, rows);
            Attention::softmax_f64(&mut p);
            let here = self.at_query(row, h);
            let (y, dy) = (&a.y[0][here..][..size], &a.dy[0][here..][..size]);
            let delta: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
            for (u, p) in p.iter().enumerate() {
                let there = self.at_key(rows.row(u), h);
                let dp: f64 = dy.iter().zip(&v[there..]).map(|(dy, v)| dy * v).sum();
                let ds = p * (dp - delta) * self.scale();
                for j in 0..size {
                    if let Some(dq) = &mut a.dx[0] {
                        dq[here + j] += ds * k[there + j];
                    }
                    if let Some(dk) = &mut a.dx[1] {
                        dk[there + j] += ds * q[here + j];
                    }
                    if let Some(dv) = &mut a.dx[2] {
                        dv[there + j] += p * dy[j];
                    }
                }
            }
        }
    }
}

impl Kernel for Attention {
    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let Heads {
            heads,
            kv_heads,
            head_size,
        } = self.heads;
        let members = heads / kv_heads;
        let y = a.y[0].grid(heads * head_size, self.time, members * head_size);
        let kept = a.kept[0].grid(heads, self.time, members);
        let [start, table] = [3, 4].map(|slot| a.x.get(slot).map_or(&[][..], Read::tokens));
        team.each((y, kept), |tile, (mut y, mut kept), scratch| {
            let (sequence, shared) = (tile / kv_heads, tile % kv_heads);
            let rows = self.rows(sequence, start, table);
            let group = self.group(team.arithmetic(at.precision), sequence, shared, rows);
            let x = [a.x[0].real(), a.x[1].real(), a.x[2].real()];
            group.forward(x, &mut y, &mut kept, scratch);
        });
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        let Heads {
            heads,
            kv_heads,
            head_size,
        } = self.heads;
        let cut = |slot: usize, width: usize, strip: usize| {
            let (write, out) = a.dx[slot].as_ref()?;
            Some((*write, out.grid(width, self.time, strip)))
        };
        let members = heads / kv_heads;
        let dq = cut(0, heads * head_size, members * head_size);
        let dk = cut(1, kv_heads * head_size, head_size);
        let dv = cut(2, kv_heads * head_size, head_size);
        let write = [dq, dk, dv].map(|d| d.map_or(Write::Add, |(write, _)| write));
        let cuts = (dq.map(|d| d.1), dk.map(|d| d.1), dv.map(|d| d.1));
        team.each(cuts, |tile, (dq, dk, dv), scratch| {
            let (sequence, shared) = (tile / kv_heads, tile % kv_heads);
            let rows = Rows::Along(sequence * self.time);
            let group = self.group(team.arithmetic(at.precision), sequence, shared, rows);
            let saved = tiles::BackwardReads {
                x: [a.x[0].real(), a.x[1].real(), a.x[2].real()],
                y: a.y[0].real(),
                total: a.kept[0].real(),
                dy: a.dy[0].real(),
            };
            let dx = [
                dq.zip(Some(write[0])),
                dk.zip(Some(write[1])),
                dv.zip(Some(write[2])),
            ];
            let dx = dx.map(|d| d.map(|(patch, write)| (write, patch)));
            group.backward(&saved, dx, scratch);
        });
    }
}

/// Random shapes of several sequences, with grouped heads; some longer than a block.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (batch, kv_heads, group) = (d.size(2), d.size(2), d.size(2));
    let (time, head_size) = match d.size(8) {
        1 => (60 + d.size(60), d.size(3)),
        _ => (d.size(12), d.size(20)),
    };
    let rows = batch * time;
    let heads = Heads {
        heads: kv_heads * group,
        kv_heads,
        head_size,
    };
    let q = d.parameter(g, rows, heads.heads * head_size);
    let k = d.parameter(g, rows, kv_heads * head_size);
    let v = d.parameter(g, rows, kv_heads * head_size);
    g.attention(q, k, v, heads, time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::machine::Isa;
    use crate::precision::Precision;
    use crate::tolerance::{FAST, ROUNDED};
    use crate::verify::fast_errors;

    /// Heads so wide that the keys come in several blocks, the last one partial.
    fn wide(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
        let (time, head_size) = (205, tiles::WIDEST);
        let heads = Heads {
            heads: 2,
            kv_heads: 1,
            head_size,
        };
        let q = d.parameter(g, 2 * time, 2 * head_size);
        let k = d.parameter(g, 2 * time, head_size);
        let v = d.parameter(g, 2 * time, head_size);
        g.attention(q, k, v, heads, time)
    }

    #[test]
    fn several_blocks_of_keys_give_what_one_would() {
        for isa in Isa::available() {
            for (precision, most) in [(Precision::F32, FAST), (Precision::Bf16, ROUNDED)] {
                let errors = fast_errors(wide, isa, precision).unwrap();
                let fine = errors.iter().all(|&e| e <= most);
                assert!(fine, "{isa:?} {precision:?} {errors:?}");
            }
        }
    }
}
