//! What runs a plan? A device. It has no method per operation: it creates the store, prepares a
//! plan (allocating once), and runs it.

pub mod cpu;
pub mod null;
pub mod reference;

use crate::error::{Error, Result};
use crate::gemm::Precision;
use crate::graph::{Graph, Row, ValueId};
use crate::plan::Plan;
use crate::update::Optimiser;
use std::sync::Arc;

/// A plan made ready on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready(pub(crate) usize);

/// What changes from one run of a plan to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scalars {
    /// Seed of the run.
    pub seed: u64,
    /// Step, counted from 0.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// Rows already in the caches (generation).
    pub position: usize,
    /// 1 / counted targets of the whole step.
    pub loss_weight: f64,
}

impl Scalars {
    /// Where a micro-batch stands.
    pub(crate) fn at(&self, micro: usize, precision: Precision) -> crate::op::At {
        crate::op::At {
            seed: self.seed,
            step: self.step,
            micro,
            position: self.position,
            loss_weight: self.loss_weight,
            precision,
        }
    }
}

/// Numbers that the host gives.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    /// Real numbers, as f32.
    Real(&'a [f32]),
    /// Real numbers, as f64.
    Double(&'a [f64]),
    /// Token numbers.
    Tokens(&'a [u32]),
}

/// Room for numbers that the host wants.
#[derive(Debug)]
pub enum HostMut<'a> {
    /// As f32.
    Real(&'a mut [f32]),
    /// As f64.
    Double(&'a mut [f64]),
}

impl Host<'_> {
    /// Numbers given.
    pub fn len(&self) -> usize {
        match self {
            Host::Real(x) => x.len(),
            Host::Double(x) => x.len(),
            Host::Tokens(x) => x.len(),
        }
    }

    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl HostMut<'_> {
    /// Numbers wanted.
    pub fn len(&self) -> usize {
        match self {
            HostMut::Real(x) => x.len(),
            HostMut::Double(x) => x.len(),
        }
    }

    /// Whether none is wanted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn fill_f32<'a>(&mut self, from: impl Iterator<Item = &'a f32>) {
        match self {
            HostMut::Real(to) => to.iter_mut().zip(from).for_each(|(t, f)| *t = *f),
            HostMut::Double(to) => to
                .iter_mut()
                .zip(from)
                .for_each(|(t, f)| *t = f64::from(*f)),
        }
    }

    fn fill_f64<'a>(&mut self, from: impl Iterator<Item = &'a f64>) {
        match self {
            HostMut::Real(to) => to.iter_mut().zip(from).for_each(|(t, f)| *t = *f as f32),
            HostMut::Double(to) => to.iter_mut().zip(from).for_each(|(t, f)| *t = *f),
        }
    }
}

/// Which numbers of a stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The weights themselves.
    Weight,
    /// Their gradient.
    Gradient,
    /// The optimiser's state with this number.
    State(usize),
}

/// A device.
pub trait Device {
    /// Creates the store: parameters, and for training their gradients and optimiser state. It
    /// outlives every plan.
    ///
    /// # Errors
    /// Where memory can't be had.
    fn create(&mut self, rows: &[Row], optimiser: Option<Optimiser>) -> Result<()>;

    /// Makes a plan ready, allocating all that it needs; caches are added to the store.
    ///
    /// # Errors
    /// Where memory can't be had or the graph wants a parameter that the store hasn't.
    fn prepare(&mut self, graph: Arc<Graph>, plan: Plan) -> Result<Ready>;

    /// Writes an input: the content of all micro-batches, one after the other.
    ///
    /// # Errors
    /// Where the buffer doesn't fit the value.
    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()>;

    /// Runs the whole list of steps.
    ///
    /// # Errors
    /// Where a thread failed.
    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()>;

    /// Does the same, and tells how many seconds each kind of work took, as (`linear backward`, 0.01).
    /// Empty where the device doesn't measure it.
    ///
    /// # Errors
    /// Where a thread failed.
    fn run_profiled(&mut self, ready: Ready, scalars: &Scalars) -> Result<Vec<(String, f64)>> {
        self.run(ready, scalars)?;
        Ok(Vec::new())
    }

    /// The most that it reaches in products of this precision, in FLOP/s: measured in some hundredths
    /// of a second. None where the device doesn't measure it.
    ///
    /// # Errors
    /// Where a thread failed.
    fn peak(&mut self, _precision: Precision) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Reads a held value: the content of all micro-batches, one after the other.
    ///
    /// # Errors
    /// Where the buffer doesn't fit the value.
    fn read(&self, ready: Ready, value: ValueId, host: HostMut) -> Result<()>;

    /// Norm of the whole gradient in the last training step, before clipping; not finite where
    /// gradient or cost were not, and then the step was not applied.
    fn norm(&self) -> f64;

    /// Writes a stored row.
    ///
    /// # Errors
    /// Where there is no such row or the buffer doesn't fit.
    fn write_row(&mut self, name: &str, part: Part, host: Host) -> Result<()>;

    /// Reads a stored row.
    ///
    /// # Errors
    /// Where there is no such row or the buffer doesn't fit.
    fn read_row(&self, name: &str, part: Part, host: HostMut) -> Result<()>;
}

/// Checks the length of a host buffer.
fn fits(value: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Host {
        value: value.to_owned(),
        expected,
        found,
    })
}
