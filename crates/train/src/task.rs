//! What is learned? A task: it records its graph, fills each step's batch, and says how good the
//! result is. The trainer does the rest, the same for every task.

use crate::error::Result;
use engine::{Device, Graph, Ready, ValueId};
use run::{Checkpoint, Eval, NamedFile, Sample, Start, Step, What};
use std::sync::Arc;

/// A task's recorded step.
pub struct Recording {
    /// Forward pass and cost of one micro-batch.
    pub graph: Arc<Graph>,
    /// Micro-batches of a step.
    pub micros: usize,
    /// The cost: each micro-batch's share of it.
    pub cost: ValueId,
    /// 1 / what the cost is a mean of, in the whole step.
    pub loss_weight: f64,
    /// Whether the optimizer's state is saved in f64.
    pub double: bool,
}

/// How good a model is.
pub struct Measured {
    /// What the event says; the trainer fills in `best`.
    pub event: Eval,
    /// The number that should be least.
    pub loss: f64,
}

/// Something that can be learned.
pub trait Task {
    /// Records the step.
    ///
    /// # Errors
    /// Where the model's numbers don't fit together.
    fn record(&self) -> Result<Recording>;

    /// Makes ready what evaluation, samples and probes will run, so that memory is known before the
    /// first step.
    ///
    /// # Errors
    /// Where memory can't be had.
    fn prepare(&mut self, device: &mut dyn Device) -> Result<()>;

    /// Fills in what the `start` event says of the task, its kind among it.
    fn describe(&self, start: &mut Start);

    /// Gives the weights of a new run to the device.
    ///
    /// # Errors
    /// Where the device fails.
    fn initialize(&mut self, device: &mut dyn Device, graph: &Graph) -> Result<()>;

    /// Gives the weights of a checkpoint to the device.
    ///
    /// # Errors
    /// Where the checkpoint is damaged or of another model.
    fn restore(&mut self, device: &mut dyn Device, from: &Checkpoint) -> Result<()>;

    /// Writes the batch of step `step`, counted from 0.
    ///
    /// # Errors
    /// Where the device fails.
    fn fill(&mut self, device: &mut dyn Device, ready: Ready, step: u64) -> Result<()>;

    /// Puts a step's cost where its event has it.
    fn report(&self, cost: f64, event: &mut Step);

    /// Whether training can stop before its last step, from the gradient norm of a step.
    fn settled(&mut self, step: u64, norm: f64) -> bool;

    /// Measures the model: all of the validation part, or a fixed subset of it.
    ///
    /// # Errors
    /// Where the device fails or the result is impossible.
    fn evaluate(&mut self, device: &mut dyn Device, full: bool) -> Result<Measured>;

    /// Lets the model show what it has learned, where the task has something to show.
    ///
    /// # Errors
    /// Where the device fails.
    fn sample(&mut self, device: &mut dyn Device) -> Result<Option<Sample>>;

    /// What else there is to see after `step` steps, for those who watch.
    ///
    /// # Errors
    /// Where the device fails.
    fn probe(&mut self, device: &mut dyn Device, step: u64) -> Result<Vec<What>>;

    /// The files by which others load the model. Their content is read from the device while it is
    /// written, so that a checkpoint takes no memory of its size.
    ///
    /// # Errors
    /// Where a file can't be made.
    fn files<'a>(&'a self, device: &'a dyn Device) -> Result<Vec<NamedFile<'a>>>;
}
