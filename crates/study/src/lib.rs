//! Training experiments whose answer is known by other means: `fit` fits a line or plane to points.
//!
//! Start with `fit`; `landscape` draws its cost surface. Invariants: only `train::Trainer` has a
//! training loop; results are compared with the closed form.
#![forbid(unsafe_code)]

pub mod fit;
pub mod landscape;
