//! In which order does a training step run? As one list, written out once: forward and backward of
//! each micro-batch, then the gradient's norm, then the update.

use crate::graph::{Graph, NodeId, Origin, SLOTS};
use crate::update::Optimizer;
use crate::write::Write;

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Forward pass of a node.
    Forward(NodeId),
    /// Backward pass of a node.
    Backward(NodeId),
    /// Norm of the whole gradient; also checks that gradient and cost are finite.
    Norm,
    /// The update with this index in the plan's list of updates.
    Update(usize),
}

/// One entry of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// What to do.
    pub work: Work,
    /// For which micro-batch.
    pub micro: usize,
    /// For a backward pass: set or add, per input slot.
    pub write: [Write; SLOTS],
}

/// What a plan is for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// Forward only.
    Infer,
    /// Forward and backward, without an update: gradients stay readable.
    Gradients,
    /// A whole training step.
    Train(Optimizer),
}

/// Number of sequences of `time` positions in a micro-batch: the batch in as few parts of at most
/// `tokens` tokens as possible, as even as possible. The last part may be shorter by less than one
/// sequence for each part; it is filled up with sequences that don't count ([`crate::UNCOUNTED`]).
/// A function of the shape alone, so that bits don't depend on the machine.
pub fn micro_batch(batch: usize, time: usize, tokens: usize) -> usize {
    let most = (tokens / time.max(1)).clamp(1, batch.max(1));
    batch.div_ceil(batch.div_ceil(most).max(1)).max(1)
}

/// Writes out the whole step for `micros` micro-batches; in training, it ends with this many
/// updates.
pub fn schedule(g: &Graph, micros: usize, purpose: &Purpose, updates: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let item = |work, micro| Item {
        work,
        micro,
        write: [Write::Add; SLOTS],
    };
    let mut stored = vec![false; g.values.len()];
    let active = backward_nodes(g);
    for micro in 0..micros {
        items.extend((0..g.nodes.len()).map(|n| item(Work::Forward(NodeId(n)), micro)));
        if matches!(purpose, Purpose::Infer) {
            continue;
        }
        let mut written = stored.clone();
        for n in (0..g.nodes.len()).rev().filter(|&n| active[n]) {
            let mut back = item(Work::Backward(NodeId(n)), micro);
            for (slot, v) in g.nodes[n].x.iter().enumerate() {
                if !written[v.0] {
                    back.write[slot] = Write::Set;
                    written[v.0] = true;
                }
            }
            items.push(back);
        }
        for (v, value) in g.values.iter().enumerate() {
            stored[v] |= written[v] && matches!(value.origin, Origin::Stored(_));
        }
    }
    if matches!(purpose, Purpose::Train(_)) {
        items.push(item(Work::Norm, 0));
        items.extend((0..updates).map(|update| item(Work::Update(update), 0)));
    }
    items
}

/// Which nodes have a backward pass: a gradient reaches one of their outputs (or they are the
/// cost), and one of their inputs depends on a parameter.
pub(crate) fn backward_nodes(g: &Graph) -> Vec<bool> {
    let mut reached = vec![false; g.values.len()];
    let mut active = vec![false; g.nodes.len()];
    for (i, node) in g.nodes.iter().enumerate().rev() {
        let flows = node.x.iter().any(|v| g.values[v.0].needs_gradient);
        let wanted = node.is_cost || node.y.iter().any(|y| reached[y.0]);
        active[i] = flows && wanted;
        if active[i] {
            let behind = node.x.iter().filter(|v| g.values[v.0].needs_gradient);
            behind.for_each(|v| reached[v.0] = true);
        }
    }
    active
}
