//! How exactly do matrix products see their operands?

/// Precision of matrix products. Everything else is computed in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Operands as they are.
    F32,
    /// Operands rounded to bf16, the upper 16 bits of an f32; sums in f32.
    Bf16,
}
