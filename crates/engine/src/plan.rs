//! Where does each value live? Lifetimes follow from the list of steps; values that are never
//! alive together share a place. Gradients are values like any other.

mod places;

use crate::error::Result;
use crate::gemm::Precision;
use crate::graph::{Graph, NodeId};
use crate::op::{Cost, Pass};
use crate::schedule::{Item, Purpose, Step, schedule};
use places::{Owner, lifetimes, place};
use std::ops::Range;

/// Numbers are placed at multiples of this many, one cache line of f32.
pub const ALIGN: usize = 16;

/// Place of a buffer: an offset in the arena, in numbers of 4 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
        let (mut values, mut gradients, shared) = lifetimes(g, micros, training);
        let arena = place(values.iter_mut().chain(gradients.iter_mut()).flatten())?;
        for (value, owner) in shared.iter().enumerate() {
            if let Some(Owner::Content) = owner {
                gradients[value] = values[value].clone();
            }
        }
        for (value, owner) in shared.iter().enumerate() {
            if let Some(Owner::Gradient(other)) = owner {
                gradients[value] = gradients[*other].clone();
            }
        }
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
