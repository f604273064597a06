//! Precision of matrix products.

/// Precision of matrix products. Everything else is computed in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Operands in f32.
    F32,
    /// Operands rounded to bf16, the upper 16 bits of an f32; sums in f32.
    Bf16,
}
