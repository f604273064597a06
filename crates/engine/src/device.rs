//! What runs a plan? A device. It has no method per operation: it creates the store, prepares
//! plans (allocating once), and runs them. A device outside this crate only has to implement this
//! trait.

use crate::at::Scalars;
use crate::error::{Error, Result};
use crate::graph::ValueId;
use crate::plan::Plan;
use crate::precision::Precision;
use crate::update::Optimizer;
use crate::variable::Variable;

pub mod null;
pub mod reference;

/// A prepared plan, identified by the number that the device gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ready(pub usize);

/// Numbers that the host passes to a device.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    /// Real numbers, as f32.
    Real(&'a [f32]),
    /// Real numbers, as f64.
    Double(&'a [f64]),
    /// Token numbers.
    Tokens(&'a [u32]),
}

/// A buffer for numbers that the host requests.
#[derive(Debug)]
pub enum HostMut<'a> {
    /// As f32.
    Real(&'a mut [f32]),
    /// As f64.
    Double(&'a mut [f64]),
}

impl Host<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Host::Real(x) => x.len(),
            Host::Double(x) => x.len(),
            Host::Tokens(x) => x.len(),
        }
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl HostMut<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            HostMut::Real(x) => x.len(),
            HostMut::Double(x) => x.len(),
        }
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies f32 numbers into it.
    pub fn fill_f32<'a>(&mut self, from: impl Iterator<Item = &'a f32>) {
        match self {
            HostMut::Real(to) => to.iter_mut().zip(from).for_each(|(t, f)| *t = *f),
            HostMut::Double(to) => to
                .iter_mut()
                .zip(from)
                .for_each(|(t, f)| *t = f64::from(*f)),
        }
    }

    /// Copies f64 numbers into it.
    pub fn fill_f64<'a>(&mut self, from: impl Iterator<Item = &'a f64>) {
        match self {
            HostMut::Real(to) => to.iter_mut().zip(from).for_each(|(t, f)| *t = *f as f32),
            HostMut::Double(to) => to.iter_mut().zip(from).for_each(|(t, f)| *t = *f),
        }
    }
}

/// A part of a stored variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The weights.
    Weight,
    /// Their gradient.
    Gradient,
    /// The optimizer's state with this index.
    State(usize),
}

/// A device. Its plans never run at the same time and may share memory: the inputs and results of
/// one are available until another is written to or run.
pub trait Device {
    /// Creates the store: parameters, and for training their gradients and optimizer state. It
    /// outlives every plan; plans of an earlier store become invalid.
    ///
    /// # Errors
    /// If memory can't be allocated, or the device can't be used.
    fn create(&mut self, variables: &[Variable], optimizer: Option<&Optimizer>) -> Result<()>;

    /// Prepares a plan, allocating everything it needs; caches are added to the store.
    ///
    /// # Errors
    /// If memory can't be allocated, the graph needs a parameter that the store doesn't have, or
    /// the device can't run an operation.
    fn prepare(&mut self, plan: Plan) -> Result<Ready>;

    /// Releases a plan. Its memory stays available to other plans.
    fn release(&mut self, ready: Ready);

    /// Writes an input: the content of all micro-batches, concatenated.
    ///
    /// # Errors
    /// If the buffer's length doesn't match the value.
    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()>;

    /// Runs the whole list of steps.
    ///
    /// # Errors
    /// If a thread panicked, or another plan has overwritten the inputs.
    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()>;

    /// Does the same, and reports how many seconds each kind of work took, such as (`linear
    /// backward`, 0.01). Empty if the device doesn't measure it.
    ///
    /// # Errors
    /// As [`Device::run`].
    fn run_profiled(&mut self, ready: Ready, scalars: &Scalars) -> Result<Vec<(String, f64)>> {
        self.run(ready, scalars)?;
        Ok(Vec::new())
    }

    /// Peak rate in products of this precision, in FLOP/s, measured in a few hundredths of a
    /// second. `None` if the device doesn't measure it.
    ///
    /// # Errors
    /// If a thread panicked.
    fn peak(&mut self, _precision: Precision) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Reads a held value: the content of all micro-batches, concatenated.
    ///
    /// # Errors
    /// If the buffer's length doesn't match the value, or another plan has overwritten the value.
    fn read(&self, ready: Ready, value: ValueId, host: HostMut) -> Result<()>;

    /// Norm of the whole gradient in the last training step, before clipping; not finite if
    /// gradient or cost weren't, in which case the step was not applied.
    fn norm(&self) -> f64;

    /// Writes a stored variable.
    ///
    /// # Errors
    /// If there is no such variable or the buffer's length doesn't match.
    fn write_variable(&mut self, name: &str, field: Field, host: Host) -> Result<()>;

    /// Reads a stored variable.
    ///
    /// # Errors
    /// If there is no such variable or the buffer's length doesn't match.
    fn read_variable(&self, name: &str, field: Field, host: HostMut) -> Result<()>;

    /// Total bytes of memory of the store and all plans.
    fn bytes(&self) -> u64;
}

/// Checks the length of a host buffer.
pub(crate) fn fits(value: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Host {
        value: value.to_owned(),
        expected,
        found,
    })
}
