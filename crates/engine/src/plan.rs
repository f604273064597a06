//! Where does each value live? Lifetimes follow from the list of steps; values that are never
//! alive together can share a place. Gradients are values like any other.

mod places;

use crate::cost::{Cost, Pass};
use crate::error::Result;
use crate::graph::{Graph, NodeId, ValueId};
use crate::precision::Precision;
use crate::schedule::{Item, Purpose, Work, schedule};
use crate::update::{Optimizer, Updates};
use places::{Owner, lifetimes, place};
use std::ops::Range;
use std::sync::Arc;

/// Places are aligned to this many numbers, one cache line of f32.
pub const ALIGN: usize = 16;

/// Place of a buffer: an offset in the arena, in numbers of 4 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Offset of the first number.
    pub offset: usize,
    /// Length for one micro-batch.
    pub len: usize,
    /// 1 if all micro-batches share one place, else their number.
    pub copies: usize,
    /// Passes of one micro-batch, forward and backward, during which it is alive.
    pub alive: Range<usize>,
}

impl Place {
    /// Total length, including padding.
    pub fn size(&self) -> usize {
        self.copies * self.len.next_multiple_of(ALIGN)
    }

    /// Offset of a micro-batch's content.
    pub fn at(&self, micro: usize) -> usize {
        self.offset + (micro % self.copies) * self.len.next_multiple_of(ALIGN)
    }
}

/// A whole step, planned: what to do, in which order, and where each number is stored.
#[derive(Debug, Clone)]
pub struct Plan {
    graph: Arc<Graph>,
    purpose: Purpose,
    precision: Precision,
    micros: usize,
    items: Vec<Item>,
    updates: Vec<Updates>,
    values: Vec<Option<Place>>,
    gradients: Vec<Option<Place>>,
    scratch: Option<Place>,
    arena: usize,
    cost: Cost,
}

impl Plan {
    /// Plans `micros` micro-batches of the graph.
    ///
    /// # Errors
    /// If the memory needed overflows `usize`.
    pub fn new(graph: Arc<Graph>, micros: usize, purpose: Purpose) -> Result<Plan> {
        let g = &*graph;
        let updates = match &purpose {
            Purpose::Train(optimizer) => optimizer.updates(&g.variables),
            _ => Vec::new(),
        };
        let items = schedule(g, micros, &purpose, updates.len());
        let training = !matches!(purpose, Purpose::Infer);
        let (mut values, mut gradients, shared, end) = lifetimes(g, micros, training);
        let mut scratch = scratch(g, &purpose, &updates, end);
        let all = values.iter_mut().chain(&mut gradients).flatten();
        let arena = place(all.chain(&mut scratch))?;
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
            graph,
            purpose,
            precision: Precision::F32,
            micros,
            items,
            updates,
            values,
            gradients,
            scratch,
            arena,
            cost: Cost::default(),
        };
        let costs = plan.items.iter().map(|i| plan.item_cost(i));
        plan.cost = costs.fold(Cost::default(), |a, b| a + b);
        Ok(plan)
    }

    /// The same plan, with products in this precision.
    #[must_use]
    pub fn in_precision(self, precision: Precision) -> Plan {
        Plan { precision, ..self }
    }

    /// The planned graph.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// What the plan is for.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The optimizer of a training step.
    pub fn optimizer(&self) -> Option<&Optimizer> {
        match &self.purpose {
            Purpose::Train(optimizer) => Some(optimizer),
            _ => None,
        }
    }

    /// Precision of its matrix products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Micro-batches.
    pub fn micros(&self) -> usize {
        self.micros
    }

    /// The list of steps.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The updates that the last entries of the list refer to.
    pub fn updates(&self) -> &[Updates] {
        &self.updates
    }

    /// Place of a value's content; `None` for variables of the store and unused values.
    pub fn value(&self, value: ValueId) -> Option<&Place> {
        self.values[value.0].as_ref()
    }

    /// Place of a value's gradient; `None` for parameters, whose gradients are in the store.
    pub fn gradient(&self, value: ValueId) -> Option<&Place> {
        self.gradients[value.0].as_ref()
    }

    /// Space for intermediate results, which updates use one after another.
    pub fn scratch(&self) -> Option<&Place> {
        self.scratch.as_ref()
    }

    /// Length of the arena, in numbers of 4 bytes.
    pub fn arena(&self) -> usize {
        self.arena
    }

    /// Work of the whole step.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Work of one entry of the list.
    pub fn item_cost(&self, item: &Item) -> Cost {
        let g = &self.graph;
        let of = |node: NodeId, pass| g.node(node).op.cost(&g.inputs(node), pass);
        match item.work {
            Work::Forward(node) => of(node, Pass::Forward),
            Work::Backward(node) => of(node, Pass::Backward),
            Work::Norm => Cost {
                flops: 2 * g.parameters(),
                bytes: 4 * g.parameters(),
            },
            Work::Update(update) => self.update_cost(&self.updates[update]),
        }
    }

    fn update_cost(&self, updates: &Updates) -> Cost {
        let Some(optimizer) = self.optimizer() else {
            return Cost::default();
        };
        let rule = &optimizer.assignments[updates.assignment].rule;
        let variables = updates.variables.iter().map(|&v| &self.graph.variables[v]);
        let each = variables.map(|v| rule.cost(v.matrix()));
        each.fold(Cost::default(), |a, b| a + b)
    }

    /// Bytes that a training step or a forward pass needs: arena, weights, gradients, state.
    pub fn bytes(&self) -> u64 {
        let g = &self.graph;
        let stored: usize = g.variables.iter().map(|v| v.len()).sum();
        let gradients = match self.purpose {
            Purpose::Infer => 0,
            _ => g.parameters(),
        };
        let states = |v| self.optimizer().map_or(Vec::new(), |o| o.states(v));
        let states: usize = g.variables.iter().flat_map(states).sum();
        4 * ((self.arena + stored + states) as u64 + gradients)
    }
}

/// Space for the update that needs most.
fn scratch(g: &Graph, purpose: &Purpose, updates: &[Updates], end: usize) -> Option<Place> {
    let Purpose::Train(optimizer) = purpose else {
        return None;
    };
    let needs = updates.iter().flat_map(|u| {
        let rule = &optimizer.assignments[u.assignment].rule;
        let variables = u.variables.iter().map(|&v| &g.variables[v]);
        variables.map(|v| rule.scratch(v.matrix()))
    });
    let len = needs.max().filter(|&len| len > 0)?;
    Some(Place {
        offset: 0,
        len,
        copies: 1,
        // Values that live to the end of the last pass, such as held ones, are still needed.
        alive: end.saturating_sub(1)..end,
    })
}
