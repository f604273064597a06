//! The interface of a task: it records its graph, fills each step's batch, and evaluates the
//! result. The trainer does the rest, the same for every task.

use crate::error::Result;
use engine::{Device, Graph, Ready, ValueId};
use run::{Checkpoint, Eval, NamedFile, Sample, Start, Step, What};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A task's recorded step.
pub struct Recording {
    /// Forward pass and cost of one micro-batch.
    pub graph: Arc<Graph>,
    /// Micro-batches of a step.
    pub micros: usize,
    /// The cost: each micro-batch's share of it.
    pub cost: ValueId,
    /// 1 / the number of targets that the cost averages over, in the whole step.
    pub loss_weight: f64,
    /// Whether the optimizer's state is saved in f64.
    pub double: bool,
}

/// The result of an evaluation.
pub struct Measured {
    /// The event; the trainer fills in `best`.
    pub event: Eval,
    /// The value to minimize.
    pub loss: f64,
}

/// Something that can be learned.
pub trait Task {
    /// Records the step.
    ///
    /// # Errors
    /// If the model's numbers don't fit together.
    fn record(&self) -> Result<Recording>;

    /// Prepares the plans for evaluation, samples and probes, so that memory is known before the
    /// first step.
    ///
    /// # Errors
    /// If memory can't be allocated.
    fn prepare(&mut self, device: &mut dyn Device) -> Result<()>;

    /// Fills in the task's fields of the `start` event, including its kind.
    fn describe(&self, start: &mut Start);

    /// Initializes the weights of a new run on the device.
    ///
    /// # Errors
    /// If the device fails.
    fn initialize(&mut self, device: &mut dyn Device, graph: &Graph) -> Result<()>;

    /// Copies the weights of a checkpoint to the device.
    ///
    /// # Errors
    /// If the checkpoint is damaged or belongs to another model.
    fn restore(&mut self, device: &mut dyn Device, from: &Checkpoint) -> Result<()>;

    /// Enters the part of a run with short windows, or the one with whole windows, where there are
    /// two: from now on, `record`, `fill`, evaluations and files are those of that part.
    fn shorten(&mut self, _short: bool) {}

    /// Writes the batch of step `step`, counted from 0.
    ///
    /// # Errors
    /// If the device fails.
    fn fill(&mut self, device: &mut dyn Device, ready: Ready, step: u64) -> Result<()>;

    /// Writes a step's cost to its event.
    fn report(&self, cost: f64, event: &mut Step);

    /// Whether training can stop before its last step, given the gradient norm of a step.
    fn settled(&mut self, step: u64, norm: f64) -> bool;

    /// Evaluates the model on all of the validation part, or on a fixed subset of it. Like the two
    /// below, it looks at `stop` after every batch.
    ///
    /// # Errors
    /// If the device fails or the result is impossible; [`session::Error::Stopped`] once `stop` is
    /// set.
    fn evaluate(
        &mut self,
        device: &mut dyn Device,
        full: bool,
        stop: &AtomicBool,
    ) -> Result<Measured>;

    /// Generates a sample, if the task has one.
    ///
    /// # Errors
    /// If the device fails, or once `stop` is set.
    fn sample(&mut self, device: &mut dyn Device, stop: &AtomicBool) -> Result<Option<Sample>>;

    /// Further events after `step` steps, for viewers.
    ///
    /// # Errors
    /// If the device fails, or once `stop` is set.
    fn probe(&mut self, device: &mut dyn Device, step: u64, stop: &AtomicBool)
    -> Result<Vec<What>>;

    /// The files from which other programs load the model. Their content is read from the device
    /// while it is written, so that a checkpoint doesn't need a second copy in memory.
    ///
    /// # Errors
    /// If a file can't be encoded.
    fn files<'a>(&'a self, device: &'a dyn Device) -> Result<Vec<NamedFile<'a>>>;
}
