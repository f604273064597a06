//! When is a model at its best? When the error is smallest and the weights are stable.
//!
//! The criterion is checked after each evaluation between the steps. The last `patience`
//! evaluations must not have improved the lowest validation loss by more than the share
//! `improvement`. In addition, either the loss has risen above the lowest by more than that share,
//! or the last update changed every part of the model by less than the share `stable` of its
//! weights. A loss that stands still while updates are large is not a minimum: the steps are too
//! long, and a lower rate would help.

use model::TrainConfig;
use run::Layers;
use serde::{Deserialize, Serialize};

/// The state of the criterion, saved with each checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// The lowest validation loss; smaller improvements than the least one don't count.
    least: Option<f64>,
    /// The last validation loss.
    last: Option<f64>,
    /// Evaluations since then.
    waited: usize,
    /// The largest ratio of update to weights of a part, in the last update.
    update: Option<f64>,
}

impl Patience {
    /// Records the validation loss of an evaluation between the steps.
    pub fn evaluated(&mut self, config: &TrainConfig, loss: f64) {
        self.last = Some(loss);
        let better = self
            .least
            .is_none_or(|least| loss < least * (1.0 - config.improvement));
        if better {
            (self.least, self.waited) = (Some(loss), 0);
        } else {
            self.waited += 1;
        }
    }

    /// Records the sizes of the updates, measured with an evaluation.
    pub fn looked(&mut self, layers: &Layers) {
        let ratios = layers.update_ratio.iter().flatten().copied();
        self.update = ratios.reduce(f32::max).map(f64::from);
    }

    /// Whether the run should end. Without patience it never does.
    pub fn is_over(&self, config: &TrainConfig) -> bool {
        if config.patience == 0 || self.waited < config.patience {
            return false;
        }
        self.has_risen(config) || self.update.is_some_and(|update| update < config.stable)
    }

    /// Whether the last validation loss is above the lowest.
    pub fn has_risen(&self, config: &TrainConfig) -> bool {
        let both = self.last.zip(self.least);
        both.is_some_and(|(last, least)| last > least * (1.0 + config.improvement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Config;

    /// The evaluation after which a run with these losses and updates is over.
    fn over(losses: &[f64], update: f32) -> Option<usize> {
        let sets = ["train.patience=3".to_owned()];
        let config = Config::load(None, None, &sets).unwrap().train;
        let mut patience = Patience::default();
        let layers = Layers {
            update_ratio: vec![None, Some(update / 2.0), Some(update)],
            ..Layers::default()
        };
        losses.iter().position(|&loss| {
            patience.evaluated(&config, loss);
            patience.looked(&layers);
            patience.is_over(&config)
        })
    }

    #[test]
    fn a_run_ends_when_its_error_rises_or_its_weights_are_stable() {
        let rising = [3.0, 2.0, 2.1, 2.2, 2.3, 2.4];
        let flat = [3.0, 2.0, 2.0, 1.9999, 2.0, 2.0];
        assert_eq!(over(&rising, 0.01), Some(4));
        assert_eq!(over(&flat, 0.01), None, "a falling rate may still help");
        assert_eq!(over(&flat, 0.0001), Some(4));
        assert_eq!(over(&[3.0, 2.5, 2.4, 2.3, 2.2, 2.1], 0.0001), None);
        // An improvement starts the count again.
        assert_eq!(
            over(&[3.0, 2.0, 2.1, 2.1, 1.9, 2.0, 2.0, 2.0], 0.01),
            Some(7)
        );
    }
}
