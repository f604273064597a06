//! What is an operation? A formula with its derivative: shapes, what the backward pass reads, the
//! cost, and both passes in plain f64 as the reference. A device's fast form is separate
//! (`cpu/kernel.rs`), and is checked against the reference.
//!
//! Every value is a row-major matrix of `rows × width` numbers. A batch of sequences is `N = B·T`
//! rows; a vector is one row.

use crate::at::At;
use crate::cost::{Cost, Pass};
use crate::error::Result;
use std::any::Any;
use std::fmt::Debug;

/// The type of a value's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// Real numbers: f32 on the processor, f64 in the reference.
    Real,
    /// Token numbers, u32.
    Tokens,
}

/// Shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Number of rows.
    pub rows: usize,
    /// Numbers per row.
    pub width: usize,
    /// Real numbers or tokens.
    pub element: Element,
}

impl Spec {
    /// A matrix of real numbers.
    pub fn real(rows: usize, width: usize) -> Spec {
        Spec {
            rows,
            width,
            element: Element::Real,
        }
    }

    /// A column of token numbers.
    pub fn tokens(rows: usize) -> Spec {
        Spec {
            rows,
            width: 1,
            element: Element::Tokens,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.rows * self.width
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Shapes of what an operation computes.
pub struct Outputs {
    /// Results that later operations read.
    pub y: Vec<Spec>,
    /// What the forward pass keeps for the backward pass alone.
    pub kept: Vec<Spec>,
}

/// What the backward pass reads, besides kept values and the gradients of the outputs: determines
/// how long a value must live.
#[derive(Debug, Clone, Copy)]
pub struct Reads {
    /// Inputs read, by slot.
    pub x: &'static [usize],
    /// Outputs read, by slot.
    pub y: &'static [usize],
}

/// An input in the reference.
#[derive(Clone, Copy)]
pub enum In<'a> {
    /// Real numbers.
    Real(&'a [f64]),
    /// Token numbers.
    Tokens(&'a [u32]),
}

impl<'a> In<'a> {
    /// The numbers; empty if the input holds tokens.
    pub fn real(&self) -> &'a [f64] {
        match self {
            In::Real(x) => x,
            In::Tokens(_) => &[],
        }
    }

    /// The tokens; empty if the input holds numbers.
    pub fn tokens(&self) -> &'a [u32] {
        match self {
            In::Tokens(x) => x,
            In::Real(_) => &[],
        }
    }
}

/// Arguments of the reference's forward pass.
pub struct ForwardF64<'a> {
    /// Inputs, by slot.
    pub x: Vec<In<'a>>,
    /// Outputs, by slot.
    pub y: Vec<&'a mut [f64]>,
    /// Kept for the backward pass, by slot.
    pub kept: Vec<&'a mut [f64]>,
    /// Position in the run.
    pub at: At,
}

/// Arguments of the reference's backward pass. Gradients are always added to: for the first writer,
/// the device has zeroed them.
pub struct BackwardF64<'a> {
    /// Inputs, by slot; empty where `reads` doesn't name the slot.
    pub x: Vec<In<'a>>,
    /// Outputs, by slot; empty where `reads` doesn't name the slot.
    pub y: Vec<&'a [f64]>,
    /// What the forward pass kept.
    pub kept: Vec<&'a [f64]>,
    /// Gradients of the outputs; empty if the cost doesn't depend on the output. The gradient of
    /// the cost itself is 1.
    pub dy: Vec<&'a [f64]>,
    /// Gradients of the inputs; `None` if not needed.
    pub dx: Vec<Option<&'a mut [f64]>>,
    /// Position in the run.
    pub at: At,
}

/// One operation: its shapes, its cost, and both passes in f64. The passes have no default bodies,
/// so a missing backward pass doesn't compile.
///
/// A graph calls the methods about shapes and slots once, when the operation is recorded.
pub trait Operation: Any + Debug + Send + Sync {
    /// Its standard name.
    fn name(&self) -> &'static str;

    /// Shapes of outputs and kept values.
    ///
    /// # Errors
    /// If the inputs don't match.
    fn infer(&self, x: &[Spec]) -> Result<Outputs>;

    /// What the backward pass reads.
    fn reads(&self) -> Reads;

    /// Work of a pass over inputs of these shapes.
    fn cost(&self, x: &[Spec], pass: Pass) -> Cost;

    /// Plain forward pass: the reference.
    fn forward_f64(&self, a: ForwardF64);

    /// Plain backward pass: the reference, itself checked against finite differences.
    fn backward_f64(&self, a: BackwardF64);

    /// Whether it is a cost: the end of the graph, whose gradient is 1.
    fn is_cost(&self) -> bool {
        false
    }

    /// The input whose gradient equals that of the first output. If possible, the plan gives both
    /// the same place, and the backward pass has nothing to do for it.
    fn passes_on(&self) -> Option<usize> {
        None
    }

    /// The input whose elements are no longer needed once their gradients are known. If nothing
    /// else needs it, the plan puts the gradient in its place.
    fn overwrites(&self) -> Option<usize> {
        None
    }
}
