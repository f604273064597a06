//! The position of a step in a run, and of a pass within the step.

use crate::precision::Precision;

/// Position of a pass in the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct At {
    /// Seed of the run; every random number is a function of it, a purpose, the step and an index.
    pub seed: u64,
    /// Step, counted from 0.
    pub step: u64,
    /// Micro-batch within the step.
    pub micro: usize,
    /// 1 / counted targets of the whole step, so that the micro-batches' losses sum to the mean.
    pub loss_weight: f64,
    /// Precision of matrix products.
    pub precision: Precision,
}

/// What changes from one run of a plan to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scalars {
    /// Seed of the run.
    pub seed: u64,
    /// Step, counted from 0.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// 1 / counted targets of the whole step.
    pub loss_weight: f64,
}

impl Scalars {
    /// The position of a micro-batch.
    pub fn at(&self, micro: usize, precision: Precision) -> At {
        At {
            seed: self.seed,
            step: self.step,
            micro,
            loss_weight: self.loss_weight,
            precision,
        }
    }
}
