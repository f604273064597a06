//! What is a rule? How an optimizer updates the numbers of a variable from their gradient: the
//! state it keeps, the cost, and an update in plain f64 as the reference. Its fast form is separate
//! (`cpu/kernel.rs`).

use crate::cost::Cost;
use crate::precision::Precision;
use std::any::Any;
use std::fmt::Debug;

/// An optimizer's rule for updating the numbers of a variable.
pub trait Rule: Any + Debug + Send + Sync {
    /// Its standard name.
    fn name(&self) -> &'static str;

    /// Whether the rule is elementwise: each number is updated independently of its neighbors. Then
    /// many contiguous variables are updated in one pass.
    fn flat(&self) -> bool;

    /// Lengths of the state kept from step to step for a variable of this many rows and columns.
    fn states(&self, shape: [usize; 2]) -> Vec<usize>;

    /// Whether a state holds means of squares, which are never negative.
    fn is_square(&self, state: usize) -> bool;

    /// Length of the scratch space that an update needs for intermediate results.
    fn scratch(&self, shape: [usize; 2]) -> usize;

    /// Work of an update.
    fn cost(&self, shape: [usize; 2]) -> Cost;

    /// One update in f64: the reference.
    fn update_f64(&self, s: &Setting, a: UpdateF64);
}

/// Arguments of the reference's update.
pub struct UpdateF64<'a> {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Weights.
    pub w: &'a mut [f64],
    /// Their gradient.
    pub g: &'a [f64],
    /// The rule's state.
    pub states: &'a mut [Vec<f64>],
}

/// What an update needs besides weights, gradient and state.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Learning rate.
    pub rate: f64,
    /// Factor on the gradient, from clipping.
    pub scale: f64,
    /// Weight decay.
    pub decay: f64,
    /// Number of updates, including this one.
    pub updates: u64,
    /// Precision of the rule's own matrix products.
    pub precision: Precision,
}
