//! Where does each value live? Lifetimes follow from the list of steps; values that are never
//! alive together share a place. Gradients are values like any other.

use crate::error::{Error, Result};
use crate::gemm::Precision;
use crate::graph::{Graph, NodeId, Source, ValueId};
use crate::op::{Cost, Pass};
use crate::schedule::{Item, Purpose, Step, backward_nodes, schedule};
use std::ops::Range;

/// Numbers are placed at multiples of this many, one cache line of f32.
pub const ALIGN: usize = 16;

/// Place of a buffer: an offset in the arena, in numbers of 4 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// First number.
    pub offset: usize,
    /// Numbers of one micro-batch.
    pub len: usize,
    /// 1 where all micro-batches share one place, else their number.
    pub copies: usize,
    /// Steps of one micro-batch's forward and backward pass during which it is alive.
    pub alive: Range<usize>,
}

impl Place {
    /// Numbers in all, padding included.
    pub fn size(&self) -> usize {
        self.copies * self.len.next_multiple_of(ALIGN)
    }

    /// First number of a micro-batch's content.
    pub fn at(&self, micro: usize) -> usize {
        self.offset + (micro % self.copies) * self.len.next_multiple_of(ALIGN)
    }
}

/// The whole step, planned.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is for.
    pub purpose: Purpose,
    /// Precision of its matrix products.
    pub precision: Precision,
    /// Micro-batches.
    pub micros: usize,
    /// The list of steps.
    pub items: Vec<Item>,
    /// Place of each value's content; none for parameters and for values that nobody makes.
    pub values: Vec<Option<Place>>,
    /// Place of each value's gradient; none for parameters (the store has them).
    pub gradients: Vec<Option<Place>>,
    /// Numbers of 4 bytes in the arena.
    pub arena: usize,
    /// Work of the whole step.
    pub cost: Cost,
}

impl Plan {
    /// Plans `micros` micro-batches of the graph.
    ///
    /// # Errors
    /// Where the memory needed can't be counted in this machine's words.
    pub fn new(g: &Graph, micros: usize, purpose: Purpose) -> Result<Plan> {
        let items = schedule(g, micros, &purpose);
        let training = !matches!(purpose, Purpose::Infer);
        let (mut values, mut gradients) = lifetimes(g, micros, training);
        let arena = place(values.iter_mut().chain(gradients.iter_mut()).flatten())?;
        let mut plan = Plan {
            purpose,
            precision: Precision::F32,
            micros,
            items,
            values,
            gradients,
            arena,
            cost: Cost::default(),
        };
        let costs = plan.items.iter().map(|i| plan.item_cost(g, i));
        plan.cost = costs.fold(Cost::default(), |a, b| a + b);
        Ok(plan)
    }

    /// The same plan with products in this precision.
    #[must_use]
    pub fn in_precision(self, precision: Precision) -> Plan {
        Plan { precision, ..self }
    }

    /// Work of one entry of the list.
    pub fn item_cost(&self, g: &Graph, item: &Item) -> Cost {
        let of = |node: NodeId, pass| {
            let op = g.nodes[node.0].op.get();
            op.cost(&g.inputs(node), pass)
        };
        match item.step {
            Step::Forward(node) => of(node, Pass::Forward),
            Step::Backward(node) => of(node, Pass::Backward),
            Step::Norm => Cost {
                flops: 2 * g.parameters(),
                bytes: 4 * g.parameters(),
            },
            Step::Update(group) => match self.purpose {
                Purpose::Train(optimiser) => optimiser.cost(group_len(g, group)),
                _ => Cost::default(),
            },
        }
    }

    /// Bytes that a training step or a forward pass needs: arena, weights, gradients, state.
    pub fn bytes(&self, g: &Graph) -> u64 {
        let stored: u64 = g.rows.iter().map(|r| r.len() as u64).sum();
        let copies = match self.purpose {
            Purpose::Infer => 0,
            Purpose::Gradients => g.parameters(),
            Purpose::Train(optimiser) => g.parameters() * (1 + optimiser.states() as u64),
        };
        4 * (self.arena as u64 + stored + copies)
    }
}

/// Numbers in a group of parameters: 0 those that decay, 1 the others.
pub(crate) fn group_len(g: &Graph, group: usize) -> u64 {
    let rows = g
        .rows
        .iter()
        .filter(|r| r.kind == crate::RowKind::Parameter);
    rows.filter(|r| r.decay == (group == 0))
        .map(|r| r.len() as u64)
        .sum()
}

type Places = Vec<Option<Place>>;

/// When each value and each gradient is alive within one micro-batch: forward passes are the
/// times 0 … n − 1, backward passes n … 2n − 1.
fn lifetimes(g: &Graph, micros: usize, training: bool) -> (Places, Places) {
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
        Source::Node(_) if grad_first[v] < end => {
            Some(place(v, false, grad_first[v]..grad_last[v] + 1))
        }
        _ => None,
    };
    let all = 0..g.values.len();
    (
        all.clone().map(value).collect(),
        all.map(gradient).collect(),
    )
}

/// Gives each buffer an offset, the largest first, each at the lowest place that is free during
/// its life. Returns the size of the arena.
///
/// Greedy by size: Pisarchyk and Lee, "Efficient memory management for deep neural net
/// inference", 2020, section 4.
fn place<'a>(places: impl Iterator<Item = &'a mut Place>) -> Result<usize> {
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
