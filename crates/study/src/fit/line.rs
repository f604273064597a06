//! What is fitted to points.

use serde::{Deserialize, Serialize};

/// A line or plane: y = Σ weights·x + intercept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// One for each column.
    pub weights: Vec<f64>,
    /// Where all columns are 0.
    pub intercept: f64,
}
