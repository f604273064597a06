//! A run's own time: it may end on time, and it may take turns with other runs.

use super::{Outcome, Trainer};
use crate::clock::Clock;
use crate::error::Result;
use model::Pace;
use run::Pacing;
use std::time::Instant;

/// A low estimate of the bytes of a checkpoint that are written per second.
const SAVED_PER_SECOND: f64 = 2e8;

impl Trainer<'_> {
    /// Trains until this share of all steps is done, at least one step; returns the outcome if that
    /// ended the run. The time between two turns doesn't count as the run's own, so that several
    /// trainers can take turns. Turns change no bit of the run.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn turn(&mut self, share: f64) -> Result<Option<Outcome>> {
        self.settings.began += self.paused.elapsed();
        let outcome = self.train_until(share);
        self.paused = Instant::now();
        outcome
    }

    /// Starts the clock of a run that ends on time. The time needed after the last step is
    /// estimated from what was measured before the first: the seconds of an evaluation, and of a
    /// sample and a probe (`other`).
    pub(super) fn start_clock(&mut self, evaluation: f64, other: f64) -> Result<()> {
        let Some(deadline) = self.settings.deadline else {
            return Ok(());
        };
        let full = match self.last.full {
            true => 0.0,
            false => self.about.validation_tokens as f64 / self.last.tokens.max(1) as f64,
        };
        // The weights and their average, then the better ones in full.
        let subset = match self.settings.config.train.average > 0.0 {
            true => 2.0,
            false => 1.0,
        };
        // Weights, their average and two states.
        let saving = 16.0 * self.about.parameters as f64 / SAVED_PER_SECOND;
        let reserve = evaluation * (subset + full) + other + saving;
        let seconds = deadline.seconds - reserve;
        let elapsed = self.settings.began.elapsed().as_secs_f64();
        self.clock = Some(Clock::new(seconds, deadline.step_seconds));
        let steps = ((seconds - elapsed) / deadline.step_seconds)
            .floor()
            .max(1.0) as u64;
        self.pace = Pace::steps(steps);
        self.correct()
    }

    /// Corrects the number of steps if the clock asks for it.
    pub(super) fn keep_time(&mut self) -> Result<()> {
        let now = self.settings.began.elapsed().as_secs_f64();
        let clock = self.clock.as_mut();
        if let Some(total) = clock.and_then(|clock| clock.after(self.step, now, &self.pace)) {
            self.pace.correct(self.step, total);
            self.correct()?;
        }
        Ok(())
    }

    /// Copies the corrected pace to the config and the cadence, and reports it.
    fn correct(&mut self) -> Result<()> {
        let train = &mut self.settings.config.train;
        train.steps = self.pace.total() as usize;
        train.pace = self.pace.corrected().then(|| self.pace.clone());
        self.cadence.correct(self.pace.total());
        let steps = self.pace.total();
        self.emit(Pacing { steps })
    }
}
