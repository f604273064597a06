//! The best checkpoint of a run, and whether the model can still become better.

use super::Trainer;
use crate::error::Result;
use crate::state;
use run::{Eval, Helps, Kind, Which};

/// The best checkpoint on disk.
pub(super) struct Best {
    pub step: u64,
    /// Its loss on the fixed subset.
    pub loss: f64,
    /// Its figures, as far as they are known.
    pub eval: Eval,
}

/// A loss within this share of the floor can't fall much further.
const AT_FLOOR: f64 = 0.02;
/// Up to so many passes, a repeated text teaches nearly as much as a new one (Muennighoff et al.,
/// 2023, section 5).
const LIKE_NEW: f64 = 4.0;
/// From so many passes on, more of them teach little, even if the model doesn't memorize the text.
const READ: f64 = 10.0;
/// A validation loss above the training loss by this share shows that the model memorizes.
const GAP: f64 = 0.05;

impl Trainer<'_> {
    /// Finds the best of the checkpoints that earlier sessions saved.
    pub(super) fn find_best(&mut self) -> Result<()> {
        let kind = self.about.kind();
        for checkpoint in self.folder.checkpoints().list()? {
            let Some(loss) = checkpoint.loss else {
                continue;
            };
            if checkpoint.step <= self.step {
                let language = kind == Kind::Language;
                let eval = Eval {
                    val_nats_per_token: language.then_some(loss),
                    mse: (!language).then_some(loss),
                    ..Eval::default()
                };
                self.remember(checkpoint.step, loss, eval);
            }
        }
        self.least = self.best.as_ref().map(|best| best.loss);
        Ok(())
    }

    /// Remembers a checkpoint if it is the best.
    pub(super) fn remember(&mut self, step: u64, loss: f64, eval: Eval) {
        let better = |best: &Best| loss < best.loss || step == best.step;
        if self.best.as_ref().is_none_or(better) {
            self.best = Some(Best { step, loss, eval });
        }
    }

    /// Takes an evaluation between the steps. Returns whether a checkpoint is due: a run that ends
    /// when the model is at its best needs its best on disk.
    pub(super) fn judge_between(&mut self) -> bool {
        let train = &self.settings.config.train;
        if let Some((_, loss)) = self.loss.filter(|_| self.part == 0) {
            self.patience.evaluated(train, loss);
        }
        train.patience > 0 && self.last.best
    }

    /// Measures the best checkpoint in full where it isn't the last. The device then has its
    /// weights.
    pub(super) fn judge_best(&mut self) -> Result<()> {
        let (task, device) = (&mut self.task, &mut *self.device);
        let Some(best) = self.best.as_mut().filter(|best| best.step < self.step) else {
            return Ok(());
        };
        let checkpoints = self.folder.checkpoints();
        let mut load = || -> Result<bool> {
            let checkpoint = checkpoints.open(Which::Step(best.step))?;
            task.restore(device, &checkpoint)?;
            Ok(state::load(&checkpoint)?.averaged)
        };
        // If it was damaged meanwhile, the figures of its own time stand.
        if let Ok(averaged) = load() {
            let measured = task.evaluate(device, true, self.settings.stop)?;
            best.eval = Eval {
                averaged,
                ..measured.event
            };
        }
        Ok(())
    }

    /// What would improve the model most, now that the run has ended with this reason and quality.
    pub(super) fn helps(&self, reason: &str, bits: Option<f64>, epochs: f64) -> Option<Helps> {
        if self.about.kind() != Kind::Language || reason == "interrupted" {
            return None;
        }
        let floor = bits.zip(self.about.floor_bits_per_byte);
        // Questions have answers, and the accuracy says all.
        if floor.is_none() && self.about.held_out_questions.is_some() {
            return None;
        }
        if floor.is_some_and(|(bits, floor)| bits < floor * (1.0 + AT_FLOOR)) {
            return Some(Helps::Nothing);
        }
        let memorizes = || {
            let losses = self.loss.zip(self.smoothed.value());
            losses.is_some_and(|((_, validation), train)| validation > train * (1.0 + GAP))
        };
        Some(match epochs {
            _ if self.patience.has_risen(&self.settings.config.train) => Helps::Text,
            _ if reason == "best" => Helps::Size,
            few if few < LIKE_NEW => Helps::Time,
            many if many > READ || memorizes() => Helps::Text,
            _ => Helps::Time,
        })
    }
}
