//! How does the processor run an operation, or an optimizer's rule? With a kernel: the fast f32
//! form of both passes, which is in the operation's own file, below its mathematics.

use super::arena::{Out, Read};
use super::team::Team;
use crate::at::At;
use crate::op::Operation;
use crate::rule::{Rule, Setting};
use crate::write::Write;
use std::any::Any;
use std::sync::Arc;

/// Arguments of the fast forward pass.
pub struct Forward {
    /// Inputs, by slot.
    pub x: Vec<Read>,
    /// Outputs, by slot.
    pub y: Vec<Out>,
    /// Kept for the backward pass, by slot.
    pub kept: Vec<Out>,
}

/// Arguments of the fast backward pass.
pub struct Backward {
    /// Inputs, by slot; empty where `reads` doesn't name the slot.
    pub x: Vec<Read>,
    /// Outputs, by slot; empty where `reads` doesn't name the slot.
    pub y: Vec<Read>,
    /// What the forward pass kept.
    pub kept: Vec<Read>,
    /// Gradients of the outputs; empty where the cost doesn't depend on the output.
    pub dy: Vec<Read>,
    /// Gradients of the inputs; `None` if not needed.
    pub dx: Vec<Option<(Write, Out)>>,
}

/// An operation that the processor can run. Every thread of the team calls both passes with the
/// same arguments and must call [`Team::each`] with the same cuts in the same order.
pub trait Kernel: Operation {
    /// Whether its forward pass can read a packed weight in this slot ([`Read::form`]).
    fn reads_packed(&self, slot: usize) -> bool {
        let _ = slot;
        false
    }
    /// Fast forward pass.
    fn forward(&self, a: &Forward, at: &At, team: &Team);
    /// Fast backward pass.
    fn backward(&self, a: &Backward, at: &At, team: &Team);
}

/// Arguments of an update: of one variable, or of many contiguous ones if the rule is elementwise
/// ([`Rule::flat`]).
pub struct Update {
    /// Rows and columns; one row if several variables are updated at once.
    pub shape: [usize; 2],
    /// Weights.
    pub w: Out,
    /// Their gradient.
    pub g: Read,
    /// The rule's state, with the lengths that [`Rule::states`] returns.
    pub states: Vec<Out>,
    /// Space for intermediate results ([`Rule::scratch`]); initially undefined.
    pub scratch: Out,
}

/// An optimizer's rule that the processor can run; the requirements of [`Kernel`] apply.
pub trait RuleKernel: Rule {
    /// One update.
    fn update(&self, s: &Setting, a: &Update, team: &Team);
}

/// Returns the kernel of an operation of one type.
pub(crate) type FindKernel = fn(&Arc<dyn Operation>) -> Option<Arc<dyn Kernel>>;

/// Returns the kernel of a rule of one type.
pub(crate) type FindRule = fn(&Arc<dyn Rule>) -> Option<Arc<dyn RuleKernel>>;

/// The operation as a kernel, if it is a `K`.
pub(crate) fn kernel<K: Kernel>(operation: &Arc<dyn Operation>) -> Option<Arc<dyn Kernel>> {
    let any: Arc<dyn Any + Send + Sync> = operation.clone();
    Some(any.downcast::<K>().ok()?)
}

/// The rule as a kernel, if it is a `K`.
pub(crate) fn rule_kernel<K: RuleKernel>(rule: &Arc<dyn Rule>) -> Option<Arc<dyn RuleKernel>> {
    let any: Arc<dyn Any + Send + Sync> = rule.clone();
    Some(any.downcast::<K>().ok()?)
}
