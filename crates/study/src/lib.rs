//! Training experiments: `fit` fits a line or plane to points, `race` compares recipes;
//! `originality` measures what a language model has copied, `plane` draws its cost around its
//! weights.
//!
//! Start with `fit`; `landscape` draws its cost surface. Invariants: only `train::Trainer` has a
//! training loop; the results of `fit` are compared with the closed form; a race changes no bit of
//! its runs.
#![forbid(unsafe_code)]

pub mod crowd;
pub mod fit;
pub mod landscape;
pub mod originality;
pub mod plane;
pub mod race;
