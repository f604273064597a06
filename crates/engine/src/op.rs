//! What is an operation? A formula with its derivative, written twice: once plainly in f64, to be
//! believed, and once fast in f32, to be checked against the first.
//!
//! Every value is a matrix of `rows × width` numbers, row after row. A time series of a batch is
//! `N = B·T` rows; a vector is one row.

use crate::arena::{Out, Read};
use crate::error::Result;
use crate::gemm::Precision;
use crate::team::Team;

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
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
    /// Numbers in a row.
    pub width: usize,
    /// Real numbers or tokens.
    pub kind: Kind,
}

impl Spec {
    /// A matrix of real numbers.
    pub fn real(rows: usize, width: usize) -> Spec {
        Spec {
            rows,
            width,
            kind: Kind::Real,
        }
    }

    /// A column of token numbers.
    pub fn tokens(rows: usize) -> Spec {
        Spec {
            rows,
            width: 1,
            kind: Kind::Tokens,
        }
    }

    /// Numbers in the value.
    pub fn len(&self) -> usize {
        self.rows * self.width
    }

    /// Whether it holds no number at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What an operation makes of its inputs.
pub struct Outputs {
    /// Results that later operations read.
    pub y: Vec<Spec>,
    /// What the forward pass keeps for the backward pass alone.
    pub kept: Vec<Spec>,
}

/// What the backward pass reads, beside what was kept and the gradients of the outputs: decides
/// how long a value must live.
pub struct Reads {
    /// Inputs read, by slot.
    pub x: &'static [usize],
    /// Outputs read, by slot.
    pub y: &'static [usize],
}

/// Forward or backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// From inputs to outputs.
    Forward,
    /// From gradients of outputs to gradients of inputs.
    Backward,
}

/// Work of one pass of one operation over one micro-batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations: a multiplication and an addition count as two.
    pub flops: u64,
    /// Least bytes that must cross the memory bus: every operand once.
    pub bytes: u64,
}

impl std::ops::Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost {
            flops: self.flops + other.flops,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Cost of an operation that does `per_element` FLOPs for each of its elements and touches
/// `buffers` buffers of that size: all but products and attention.
pub(crate) fn elementwise(elements: usize, per_element: u64, buffers: u64) -> Cost {
    Cost {
        flops: elements as u64 * per_element,
        bytes: elements as u64 * buffers * 4,
    }
}

/// Whether a gradient is written for the first time or added to what others wrote. Set makes a
/// pass that zeroes gradients unnecessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// First writer: what was there is overwritten.
    Set,
    /// Later writer: what was there stays and grows.
    Add,
    /// First writer, in the place of the input itself, which nobody reads any more: each number is
    /// read there, then overwritten.
    Over,
}

/// Where in the run a pass stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct At {
    /// Seed of the run; every random number is a function of it, a purpose, the step and an index.
    pub seed: u64,
    /// Step, counted from 0.
    pub step: u64,
    /// Micro-batch within the step.
    pub micro: usize,
    /// Rows already in the key and value caches (generation).
    pub position: usize,
    /// 1 / counted targets of the whole step, so that micro-batches add up to the mean.
    pub loss_weight: f64,
    /// Precision of matrix products.
    pub precision: Precision,
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
    /// The numbers; none where the input holds tokens.
    pub fn real(&self) -> &'a [f64] {
        match self {
            In::Real(x) => x,
            In::Tokens(_) => &[],
        }
    }

    /// The tokens; none where the input holds numbers.
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
    /// Where the run stands.
    pub at: At,
}

/// Arguments of the reference's backward pass. Gradients are always added: where this node is the
/// first writer the device has zeroed them.
pub struct BackwardF64<'a> {
    /// Inputs, by slot; empty where `reads` doesn't name the slot.
    pub x: Vec<In<'a>>,
    /// Outputs, by slot; empty where `reads` doesn't name the slot.
    pub y: Vec<&'a [f64]>,
    /// What the forward pass kept.
    pub kept: Vec<&'a [f64]>,
    /// Gradients of the outputs; empty where the cost does not depend on the output. A cost is
    /// itself the end: its gradient is 1.
    pub dy: Vec<&'a [f64]>,
    /// Gradients of the inputs; none where nobody needs it.
    pub dx: Vec<Option<&'a mut [f64]>>,
    /// Where the run stands.
    pub at: At,
}

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
    /// Gradients of the inputs; none where nobody needs it.
    pub dx: Vec<Option<(Write, Out)>>,
}

/// One operation: its shapes, its cost, and both passes twice. There are no default bodies, so a
/// missing backward pass doesn't compile.
pub trait Operation: Send + Sync {
    /// The field's name of it.
    fn name(&self) -> &'static str;
    /// Whether it is a cost: the end of the graph, whose gradient is 1.
    fn is_cost(&self) -> bool;
    /// Shapes of outputs and kept values.
    ///
    /// # Errors
    /// Where the inputs do not fit.
    fn infer(&self, x: &[Spec]) -> Result<Outputs>;
    /// What the backward pass reads.
    fn reads(&self) -> Reads;
    /// The input whose gradient is that of the first output: where it can, the plan gives both one
    /// place, and the backward pass has nothing to do for it.
    fn passes_on(&self) -> Option<usize>;
    /// The input of which each number may be lost once its gradient is known: where nobody else
    /// needs it, the plan puts the gradient into its place.
    fn overwrites(&self) -> Option<usize>;
    /// Work of a pass over inputs of these shapes.
    fn cost(&self, x: &[Spec], pass: Pass) -> Cost;
    /// Plain forward pass: the oracle.
    fn forward_f64(&self, a: ForwardF64);
    /// Plain backward pass: the oracle, itself checked by finite differences.
    fn backward_f64(&self, a: BackwardF64);
    /// Fast forward pass; called by every thread of the team.
    fn forward(&self, a: &Forward, at: &At, team: &Team);
    /// Fast backward pass; called by every thread of the team.
    fn backward(&self, a: &Backward, at: &At, team: &Team);
}
