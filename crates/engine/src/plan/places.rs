//! Lifetimes of values, and their places in the arena.

use super::{Place, Plan};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Origin, ValueId};
use crate::schedule::backward_nodes;
use std::ops::Range;

impl Plan {
    /// Whether the gradient of a node's input shares the place of its first output's gradient.
    pub fn hands_on(&self, node: NodeId, slot: usize) -> bool {
        let node = self.graph.node(node);
        let offset = |v: ValueId| self.gradients[v.0].as_ref().map(|p| p.offset);
        let (from, to) = (
            node.y.first().and_then(|&y| offset(y)),
            offset(node.x[slot]),
        );
        node.passes_on == Some(slot) && to.is_some() && from == to
    }

    /// Whether the gradient of a node's input overwrites the input itself.
    pub fn overwrites(&self, node: NodeId, slot: usize) -> bool {
        let node = self.graph.node(node);
        let x = node.x[slot].0;
        let same = self.gradients[x].is_some() && self.values[x] == self.gradients[x];
        node.overwrites == Some(slot) && same
    }
}

type Places = Vec<Option<Place>>;

/// The buffer whose place a gradient shares.
#[derive(Clone, Copy)]
pub enum Owner {
    /// The gradient of this value.
    Gradient(usize),
    /// The value itself.
    Content,
}

/// When values and gradients are first and last used within one micro-batch: forward passes are
/// times 0 … n − 1, backward passes n … 2n − 1. If never used, the first use is `end`.
struct Lives {
    nodes: usize,
    end: usize,
    first: Vec<usize>,
    last: Vec<usize>,
    grad_first: Vec<usize>,
    grad_last: Vec<usize>,
}

impl Lives {
    /// Time of a node's backward pass.
    fn back(&self, node: NodeId) -> usize {
        2 * self.nodes - 1 - node.0
    }

    fn touch(&mut self, v: ValueId, time: usize) {
        self.first[v.0] = self.first[v.0].min(time);
        self.last[v.0] = self.last[v.0].max(time);
    }

    fn of(g: &Graph, active: &[bool], training: bool) -> Lives {
        let (nodes, count) = (g.nodes.len(), g.values.len());
        let end = if training { 2 * nodes } else { nodes };
        let mut lives = Lives {
            nodes,
            end,
            first: vec![end; count],
            last: vec![0; count],
            grad_first: vec![end; count],
            grad_last: vec![0; count],
        };
        for (i, node) in g.nodes.iter().enumerate() {
            let all = node.x.iter().chain(&node.y).chain(&node.kept);
            all.for_each(|&v| lives.touch(v, i));
            if !training || !active[i] {
                continue;
            }
            let (time, reads) = (lives.back(NodeId(i)), node.reads);
            let read = reads.x.iter().map(|&slot| node.x[slot]);
            let read = read.chain(reads.y.iter().map(|&slot| node.y[slot]));
            let read = read.chain(node.kept.iter().copied());
            read.for_each(|v| lives.touch(v, time));
            for &v in node.x.iter().filter(|v| g.values[v.0].needs_gradient) {
                lives.grad_first[v.0] = lives.grad_first[v.0].min(time);
                if let Origin::Node(maker) = g.values[v.0].origin {
                    lives.grad_last[v.0] = lives.back(maker);
                }
            }
        }
        lives
    }

    /// Finds gradients that don't need a place of their own.
    fn share(&mut self, g: &Graph, active: &[bool]) -> Vec<Option<Owner>> {
        let mut shared = vec![None; g.values.len()];
        let made = |v: usize| matches!(g.values[v].origin, Origin::Node(_));
        let passes = || g.nodes.iter().enumerate().rev().filter(|(i, _)| active[*i]);
        // A gradient that is passed on unchanged stays in place: the output's gradient is no longer
        // read once other nodes add to it.
        for (i, node) in passes() {
            let Some(slot) = node.passes_on else {
                continue;
            };
            let (y, x, time) = (node.y[0].0, node.x[slot].0, self.back(NodeId(i)));
            if made(x) && self.grad_first[y] < self.end && self.grad_first[x] == time {
                let owner = match shared[y] {
                    Some(Owner::Gradient(owner)) => owner,
                    _ => y,
                };
                shared[x] = Some(Owner::Gradient(owner));
                self.grad_last[owner] = self.grad_last[owner].max(self.grad_last[x]);
            }
        }
        // A gradient may overwrite a value if its node is the value's last reader.
        for (i, node) in passes() {
            let Some(x) = node.overwrites.map(|slot| node.x[slot].0) else {
                continue;
            };
            let (last, free) = (self.back(NodeId(i)), made(x) && !g.values[x].held);
            let alone = self.grad_first[x] == last && self.last[x] == last;
            if free && alone && shared[x].is_none() {
                shared[x] = Some(Owner::Content);
                self.last[x] = self.grad_last[x];
            }
        }
        shared
    }
}

/// Lifetimes of each value and of each gradient with a place of its own; the owners whose places
/// the other gradients share; and the number of passes.
pub fn lifetimes(
    g: &Graph,
    micros: usize,
    training: bool,
) -> (Places, Places, Vec<Option<Owner>>, usize) {
    let active = backward_nodes(g);
    let mut lives = Lives::of(g, &active, training);
    let shared = lives.share(g, &active);
    let place = |v: usize, held: bool, alive: Range<usize>| Place {
        offset: 0,
        len: g.values[v].spec.len(),
        copies: if held { micros } else { 1 },
        alive: if held { 0..lives.end } else { alive },
    };
    let value = |v: usize| match g.values[v].origin {
        Origin::Stored(_) => None,
        _ if lives.first[v] > lives.last[v] && !g.values[v].held => None,
        _ => Some(place(
            v,
            g.values[v].held,
            lives.first[v]..lives.last[v] + 1,
        )),
    };
    let gradient = |v: usize| match g.values[v].origin {
        Origin::Node(_) if lives.grad_first[v] < lives.end && shared[v].is_none() => {
            Some(place(v, false, lives.grad_first[v]..lives.grad_last[v] + 1))
        }
        _ => None,
    };
    let all = 0..g.values.len();
    (
        all.clone().map(value).collect(),
        all.map(gradient).collect(),
        shared,
        lives.end,
    )
}

/// Assigns each buffer an offset: largest first, each at the lowest offset that is free during its
/// lifetime. Returns the size of the arena.
///
/// Greedy by size: Pisarchyk and Lee, "Efficient memory management for deep neural net
/// inference", 2020, section 4.
pub fn place<'a>(places: impl Iterator<Item = &'a mut Place>) -> Result<usize> {
    let mut all: Vec<&mut Place> = places.collect();
    all.sort_by_key(|p| std::cmp::Reverse(p.size()));
    let mut placed: Vec<&Place> = Vec::new();
    let mut arena = 0usize;
    for p in all {
        let meets = |q: &&&Place| q.alive.start < p.alive.end && p.alive.start < q.alive.end;
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(meets)
            .map(|q| (q.offset, q.offset + q.size()))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if start >= offset + p.size() {
                break;
            }
            offset = offset.max(end);
        }
        p.offset = offset;
        arena = arena.max(
            offset
                .checked_add(p.size())
                .ok_or(Error::Memory(usize::MAX))?,
        );
        placed.push(p);
    }
    Ok(arena)
}
