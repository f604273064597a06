//! What is a rule? How the numbers of a variable move by their gradient: what it keeps from step to
//! step, the work, and an update in plain f64, to be believed. Its fast form stands apart
//! (`cpu/kernel.rs`).

use crate::cost::Cost;
use crate::precision::Precision;
use std::any::Any;
use std::fmt::Debug;

/// The rule by which the numbers of a variable move.
pub trait Rule: Any + Debug + Send + Sync {
    /// The field's name for it.
    fn name(&self) -> &'static str;

    /// Whether each number moves by itself, whatever its neighbors do. Then many variables that lie
    /// one after the other are updated in one walk.
    fn flat(&self) -> bool;

    /// Lengths of what is kept from step to step for a variable of this many rows and columns.
    fn states(&self, shape: [usize; 2]) -> Vec<usize>;

    /// Numbers of room that an update needs for intermediate results.
    fn scratch(&self, shape: [usize; 2]) -> usize;

    /// Work of an update.
    fn cost(&self, shape: [usize; 2]) -> Cost;

    /// One update in f64: the oracle.
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

/// What an update needs beside the numbers themselves.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Learning rate.
    pub rate: f64,
    /// Factor on the gradient, from clipping.
    pub scale: f64,
    /// Weight decay.
    pub decay: f64,
    /// Updates with this one.
    pub updates: u64,
    /// Precision of the rule's own matrix products.
    pub precision: Precision,
}
