//! Experiments with training, each with an answer that is known otherwise: `fit`, a line or plane
//! through points.
//!
//! Begin with `fit`; `landscape` is the surface of its cost. What always holds: training is
//! `train::Trainer`'s, nothing here has a loop of its own; what is found is compared with the
//! answer in closed form.
#![forbid(unsafe_code)]

pub mod fit;
pub mod landscape;
