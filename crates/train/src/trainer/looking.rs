//! Looks at the model: evaluations, samples and probes, of the weights or of their average.

use super::Trainer;
use crate::error::Result;
use crate::task::Measured;
use run::What;
use std::time::Instant;

impl Trainer<'_> {
    /// The look at the model before the first step.
    pub(super) fn look(&mut self) -> Result<()> {
        self.measure()?;
        let measured = self.last.seconds;
        let from = Instant::now();
        self.sample()?;
        self.probe()?;
        self.start_clock(measured, from.elapsed().as_secs_f64())
    }

    /// The look at the model after the last step: marks its checkpoint, and measures the best one
    /// in full.
    pub(super) fn judge(&mut self) -> Result<()> {
        let saved = self.last.averaged;
        self.measure()?;
        if !self.last.full {
            // The subset has told which are better, the weights or their average.
            let measured = self.evaluate(true, self.last.averaged)?;
            self.report(measured)?;
        }
        if self.last.averaged != saved {
            self.saved = None;
            self.save()?;
        } else if let Some((step, loss)) = self.loss {
            self.folder.checkpoints().mark(step, loss)?;
            self.remember(step, loss, self.last.clone());
            self.prune()?;
        }
        self.sample()?;
        self.probe()?;
        self.judge_best()
    }

    /// Evaluates the model on the fixed subset, the weights and their average, and emits the event
    /// of whichever are better.
    pub(super) fn measure(&mut self) -> Result<()> {
        // As the last step saw it.
        self.enter_part(self.step.saturating_sub(1));
        let mut measured = self.evaluate(false, false)?;
        if self.average.exists() {
            let raw = measured.loss;
            let averaged = self.evaluate(false, true)?;
            if averaged.loss < raw {
                measured = averaged;
            }
            measured.event.raw_nats_per_token = Some(raw);
        }
        // Measured on the same tokens each time, so that "best" compares like with like.
        measured.event.best = self.least.is_none_or(|least| measured.loss < least);
        if measured.event.best {
            self.least = Some(measured.loss);
        }
        self.loss = Some((self.step, measured.loss));
        self.report(measured)
    }

    /// Evaluates the weights or their average.
    fn evaluate(&mut self, full: bool, averaged: bool) -> Result<Measured> {
        let stop = self.settings.stop;
        let mut measured = self.with(averaged, |trainer| {
            trainer.task.evaluate(trainer.device, full, stop)
        })?;
        measured.event.averaged = averaged;
        Ok(measured)
    }

    /// Does something with the weights or their average on the device.
    pub(super) fn with<T>(
        &mut self,
        averaged: bool,
        look: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if averaged {
            self.swap()?;
        }
        let seen = look(self);
        if averaged {
            self.swap()?;
        }
        seen
    }

    /// Emits an evaluation.
    fn report(&mut self, measured: Measured) -> Result<()> {
        self.last = measured.event;
        self.emit(self.last.clone())?;
        match measured.loss.is_finite() {
            true => Ok(()),
            false => Err(self.not_finite(format!(
                "after step {} the validation loss is not finite",
                self.step
            ))),
        }
    }

    /// Exchanges the weights with their average.
    fn swap(&mut self) -> Result<()> {
        let variables = &self.variables;
        self.average.swap(self.device, variables)
    }

    /// Draws a sample from the weights or their average, whichever were better.
    pub(super) fn sample(&mut self) -> Result<()> {
        let stop = self.settings.stop;
        let sample = self.with(self.last.averaged, |trainer| {
            trainer.task.sample(trainer.device, stop)
        })?;
        if let Some(sample) = sample {
            self.emit(sample)?;
        }
        Ok(())
    }

    /// Looks inside the model.
    pub(super) fn probe(&mut self) -> Result<()> {
        let stop = self.settings.stop;
        let mut seen = self.task.probe(self.device, self.step, stop)?;
        if !seen.is_empty() {
            seen.extend(self.profiler.take().map(What::from));
        }
        for what in seen {
            if let What::Layers(layers) = &what {
                self.patience.looked(layers);
            }
            self.emit(what)?;
        }
        Ok(())
    }
}
