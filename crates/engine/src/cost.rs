//! How much work a pass is, counted before anything is computed.

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
    /// Minimum bytes that must cross the memory bus: every operand once.
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
/// `buffers` buffers of that size: every operation but matrix products and attention.
pub fn elementwise(elements: usize, per_element: u64, buffers: u64) -> Cost {
    Cost {
        flops: elements as u64 * per_element,
        bytes: elements as u64 * buffers * 4,
    }
}
