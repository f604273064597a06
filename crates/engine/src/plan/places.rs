//! When is a value alive, and where is room for it?

use super::Place;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Source, ValueId};
use crate::schedule::backward_nodes;
use std::ops::Range;

type Places = Vec<Option<Place>>;

/// When each value and each gradient is alive within one micro-batch: forward passes are the
/// times 0 … n − 1, backward passes n … 2n − 1. The third list names for each value the one whose
/// gradient's place is also that of its own.
pub fn lifetimes(g: &Graph, micros: usize, training: bool) -> (Places, Places, Vec<Option<usize>>) {
    let n = g.nodes.len();
    let active = backward_nodes(g);
    let end = if training { 2 * n } else { n };
    let back = |node: NodeId| 2 * n - 1 - node.0;
    let mut first = vec![end; g.values.len()];
    let mut last = vec![0; g.values.len()];
    let mut touch = |v: ValueId, time: usize| {
        first[v.0] = first[v.0].min(time);
        last[v.0] = last[v.0].max(time);
    };
    let mut grad_first = vec![end; g.values.len()];
    let mut grad_last = vec![0; g.values.len()];
    for (i, node) in g.nodes.iter().enumerate() {
        let all = node.x.iter().chain(&node.y).chain(&node.kept);
        all.for_each(|&v| touch(v, i));
        if !training || !active[i] {
            continue;
        }
        let (time, reads) = (back(NodeId(i)), node.op.get().reads());
        reads.x.iter().for_each(|&slot| touch(node.x[slot], time));
        reads.y.iter().for_each(|&slot| touch(node.y[slot], time));
        node.kept.iter().for_each(|&v| touch(v, time));
        for &v in node.x.iter().filter(|v| g.values[v.0].needs_gradient) {
            grad_first[v.0] = grad_first[v.0].min(time);
            if let Source::Node(maker) = g.values[v.0].source {
                grad_last[v.0] = back(maker);
            }
        }
    }
    // A gradient that is handed on unchanged stays where it is: nobody reads it as the output's any
    // more when others add to it.
    let mut shared = vec![None; g.values.len()];
    for (i, node) in g.nodes.iter().enumerate().rev().filter(|(i, _)| active[*i]) {
        let Some(slot) = node.op.get().passes_on() else {
            continue;
        };
        let (y, x) = (node.y[0].0, node.x[slot].0);
        let made = matches!(g.values[x].source, Source::Node(_));
        if made && grad_first[y] < end && grad_first[x] == back(NodeId(i)) {
            let owner = shared[y].unwrap_or(y);
            shared[x] = Some(owner);
            grad_last[owner] = grad_last[owner].max(grad_last[x]);
        }
    }
    let place = |v: usize, held: bool, alive: Range<usize>| Place {
        offset: 0,
        len: g.values[v].spec.len(),
        copies: if held { micros } else { 1 },
        alive: if held { 0..end } else { alive },
    };
    let value = |v: usize| match g.values[v].source {
        Source::Stored(_) => None,
        _ if first[v] > last[v] && !g.values[v].held => None,
        _ => Some(place(v, g.values[v].held, first[v]..last[v] + 1)),
    };
    let gradient = |v: usize| match g.values[v].source {
        Source::Node(_) if grad_first[v] < end && shared[v].is_none() => {
            Some(place(v, false, grad_first[v]..grad_last[v] + 1))
        }
        _ => None,
    };
    let all = 0..g.values.len();
    (
        all.clone().map(value).collect(),
        all.map(gradient).collect(),
        shared,
    )
}

/// Gives each buffer an offset, the largest first, each at the lowest place that is free during
/// its life. Returns the size of the arena.
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
