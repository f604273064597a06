//! Saving a run's state, and refusing to save what isn't finite.

use super::Trainer;
use crate::error::{Error, Result};
use crate::state::{self, State};
use run::{Event, RunFolder, Saved, now};
use std::path::PathBuf;
use std::time::Instant;

impl Trainer<'_> {
    /// The error of a number that is not finite, with what can be done.
    pub(super) fn not_finite(&self, what: String) -> Error {
        let path = self.folder.path().display();
        let lr = self.settings.config.optim.lr / 3.0;
        let advice = match self.saved {
            Some(step) => format!(
                "The checkpoint of step {step} in {path} is intact. A lower learning rate often \
                 helps: downhill train --resume {path} --set optim.lr={lr:.1e}, with \
                 --checkpoint STEP to go back further (0 is the beginning)"
            ),
            None => format!(
                "No checkpoint had been saved yet. A lower learning rate often helps: start again \
                 with --set optim.lr={lr:.1e}"
            ),
        };
        Error::NotFinite { what, advice }
    }

    /// Adds to the error of a disk which checkpoint the run can go on from.
    pub(super) fn unsaved(&self, error: Error) -> Error {
        use run::Error::{Full, Io, ReadOnly};
        match (error, self.saved) {
            (Error::Run(error @ (Full { .. } | ReadOnly { .. } | Io { .. })), Some(step)) => {
                let run = self.folder.path().to_path_buf();
                Error::Unsaved { error, step, run }
            }
            (error, _) => error,
        }
    }

    /// Saves a checkpoint, with the loss if it was measured at this step.
    pub(super) fn save(&mut self) -> Result<()> {
        if self.saved == Some(self.step) {
            return Ok(());
        }
        let from = Instant::now();
        let variables = &self.variables;
        if let Some(name) = state::not_finite(self.device, variables, &self.optimizer)? {
            return Err(self.not_finite(format!(
                "after step {} the numbers of {name} are not finite, so no checkpoint was saved",
                self.step
            )));
        }
        let loss = self
            .loss
            .filter(|(step, _)| *step == self.step && self.part == 0);
        let loss = loss.map(|(_, loss)| loss);
        if !self.folder.in_place() {
            return Err(self.save_beside(loss)?);
        }
        let path = self.write(self.folder, loss)?;
        self.saved = Some(self.step);
        if let Some(loss) = loss {
            self.remember(self.step, loss, self.last.clone());
        }
        let checkpoints = self.folder.checkpoints();
        if let Some(began) = self.began.take() {
            checkpoints.remove_above(began, self.step)?;
        }
        self.prune()?;
        self.emit(Saved {
            path: path.display().to_string(),
            seconds: from.elapsed().as_secs_f64(),
        })
    }

    pub(super) fn prune(&self) -> Result<()> {
        let keep = self.settings.config.checkpoint.keep;
        Ok(self.folder.checkpoints().prune(keep)?)
    }

    /// Saves the whole run in a folder beside its own, which was moved or removed: writing there
    /// would make another one without a config. Returns the error that ends the run.
    fn save_beside(&mut self, loss: Option<f64>) -> Result<Error> {
        let beside = self.folder.beside()?;
        let mut log = beside.event_log()?;
        log.write(&Event::new(now(), self.step, self.about.clone()))?;
        self.write(&beside, loss)?;
        let (step, new) = (self.step, beside.path().display());
        let path = self.folder.path().to_path_buf();
        let advice =
            format!("The state after step {step} is saved in {new}: downhill train --resume {new}");
        Ok(run::Error::Moved { path, advice }.into())
    }

    /// Writes a checkpoint of the better of the weights and their average, by the last evaluation.
    fn write(&mut self, folder: &RunFolder, loss: Option<f64>) -> Result<PathBuf> {
        let averaged = self.last.averaged;
        self.with(averaged, |trainer| {
            trainer.write_what_is_there(folder, loss, averaged)
        })
    }

    /// Writes a checkpoint of what the device has: the average of the weights, or the weights.
    fn write_what_is_there(
        &self,
        folder: &RunFolder,
        loss: Option<f64>,
        averaged: bool,
    ) -> Result<PathBuf> {
        let state = State {
            step: self.step,
            train_seconds: self.train_seconds,
            first_norm: self.first_norm,
            averaged,
            smoothed: self.smoothed,
            patience: self.patience,
            config: self.settings.config.to_toml(),
        };
        let variables = &self.variables;
        let mut files = self.task.files(self.device)?;
        files.extend(state::save(
            self.device,
            variables,
            &self.optimizer,
            self.steps[0].recording.double,
            &state,
        )?);
        files.extend(self.average.file(variables, averaged));
        Ok(folder.checkpoints().save(self.step, loss, files)?)
    }
}
