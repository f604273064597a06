//! What runs a plan? A device. It has no method per operation: it creates the store, prepares
//! plans (allocating once), and runs them. The methods of the trait are all that one needs to write
//! a device outside of this crate.

use crate::at::Scalars;
use crate::error::{Error, Result};
use crate::graph::ValueId;
use crate::plan::Plan;
use crate::precision::Precision;
use crate::update::Optimizer;
use crate::variable::Variable;

pub mod null;
pub mod reference;

/// A plan made ready on a device, by the number that the device gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ready(pub usize);

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

/// Which numbers of a stored variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The weights themselves.
    Weight,
    /// Their gradient.
    Gradient,
    /// The optimizer's state with this number.
    State(usize),
}

/// A device. Its plans never run at the same time and may share memory: what one of them was given
/// or computed is there until another is written to or run.
pub trait Device {
    /// Creates the store: parameters, and for training their gradients and optimizer state. It
    /// outlives every plan; plans of an earlier store are gone.
    ///
    /// # Errors
    /// Where memory can't be had.
    fn create(&mut self, variables: &[Variable], optimizer: Option<&Optimizer>) -> Result<()>;

    /// Makes a plan ready, allocating all that it needs; caches are added to the store.
    ///
    /// # Errors
    /// Where memory can't be had, the graph wants a parameter that the store hasn't, or the device
    /// can't run an operation.
    fn prepare(&mut self, plan: Plan) -> Result<Ready>;

    /// Forgets a plan. Its memory stays for other plans.
    fn release(&mut self, ready: Ready);

    /// Writes an input: the content of all micro-batches, one after the other.
    ///
    /// # Errors
    /// Where the buffer doesn't fit the value.
    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()>;

    /// Runs the whole list of steps.
    ///
    /// # Errors
    /// Where a thread failed, or the inputs are gone.
    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()>;

    /// Does the same, and reports how many seconds each kind of work took, as (`linear backward`,
    /// 0.01). Empty where the device doesn't measure it.
    ///
    /// # Errors
    /// As [`Device::run`].
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
    /// Where the buffer doesn't fit the value, or the value is gone.
    fn read(&self, ready: Ready, value: ValueId, host: HostMut) -> Result<()>;

    /// Norm of the whole gradient in the last training step, before clipping; not finite where
    /// gradient or cost were not, and then the step was not applied.
    fn norm(&self) -> f64;

    /// Writes a stored variable.
    ///
    /// # Errors
    /// Where there is no such variable or the buffer doesn't fit.
    fn write_variable(&mut self, name: &str, field: Field, host: Host) -> Result<()>;

    /// Reads a stored variable.
    ///
    /// # Errors
    /// Where there is no such variable or the buffer doesn't fit.
    fn read_variable(&self, name: &str, field: Field, host: HostMut) -> Result<()>;

    /// Bytes of memory that the store and all plans take together.
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
