//! The dry run: what a step would need, without computing anything.

use crate::plan::Plan;

/// Totals of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Parameters of the model.
    pub parameters: u64,
    /// FLOPs of a step.
    pub flops: u64,
    /// Minimum bytes that a step moves.
    pub traffic: u64,
    /// Peak bytes of memory: arena, weights, gradients, optimizer state.
    pub bytes: u64,
}

/// Counts a plan's totals.
pub fn dry_run(plan: &Plan) -> Totals {
    Totals {
        parameters: plan.graph().parameters(),
        flops: plan.cost().flops,
        traffic: plan.cost().bytes,
        bytes: plan.bytes(),
    }
}
