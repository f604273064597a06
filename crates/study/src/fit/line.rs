//! The fitted function.

use serde::{Deserialize, Serialize};

/// A line or plane: y = Σ weights·x + intercept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// One weight per column.
    pub weights: Vec<f64>,
    /// The value when all columns are 0.
    pub intercept: f64,
}
