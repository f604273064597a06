//! The dry run: what would a step need, before a number is computed?

use crate::plan::Plan;

/// Totals of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Parameters of the model.
    pub parameters: u64,
    /// FLOPs of a step.
    pub flops: u64,
    /// Least bytes that a step moves.
    pub traffic: u64,
    /// Bytes of memory at the peak: arena, weights, gradients, optimizer state.
    pub bytes: u64,
}

/// Runs a plan on nothing.
pub fn dry_run(plan: &Plan) -> Totals {
    Totals {
        parameters: plan.graph().parameters(),
        flops: plan.cost().flops,
        traffic: plan.cost().bytes,
        bytes: plan.bytes(),
    }
}
