//! The forms in which a device can store weights that it doesn't train.

use crate::graph::{Graph, Origin, ValueId};

/// How a device stores the matrices that layers multiply by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightForm {
    /// Row by row, in f32, as training needs them.
    #[default]
    Rows,
    /// Packed for products, in f32.
    F32,
    /// Packed for products, rounded to bf16. Takes half the memory where the processor multiplies
    /// bf16 numbers.
    Bf16,
    /// Packed for products, rounded to 8 bits in blocks of 32 with a common scale, as q8_0 of
    /// llama.cpp. In products, the other operand is rounded the same way.
    Int8,
}

impl Graph {
    /// Marks a value as a matrix that a layer multiplies by.
    pub(crate) fn mark_multiplied(&mut self, value: ValueId) {
        if let Origin::Stored(at) = self.value(value).origin {
            self.variables[at].multiplied = true;
        }
    }
}
