//! Is the model memorizing its text? Decided from events, so that all screens agree.

use crate::{Event, What};

/// Evaluations in a row that must rise.
const RISES: u32 = 3;

/// Notices when validation rises for three evaluations in a row while training falls: from then on
/// the model learns its text by rote.
#[derive(Debug, Clone, Default)]
pub struct Rote {
    /// Sum and number of the training losses since the last evaluation.
    train: (f64, f64),
    /// The last evaluation.
    validation: Option<f64>,
    /// Step, validation loss and training loss where validation was lowest before it rose.
    low: Option<(u64, f64, f64)>,
    rises: u32,
    /// Tokens of each evaluation.
    part: Option<u64>,
    since: Option<u64>,
}

impl Rote {
    /// Adds an event; returns whether it is the one that reveals it.
    pub fn event(&mut self, event: &Event) -> bool {
        match &event.what {
            What::Start(_) => *self = Rote::default(),
            What::Step(step) => {
                if let Some(loss) = step.nats_per_token.filter(|loss| loss.is_finite()) {
                    self.train = (self.train.0 + loss, self.train.1 + 1.0);
                }
            }
            // The last evaluation may be of more of the text, and can't be compared.
            What::Eval(eval) if *self.part.get_or_insert(eval.tokens) == eval.tokens => {
                if let Some(loss) = eval.val_nats_per_token.filter(|loss| loss.is_finite()) {
                    return self.eval(event.step.unwrap_or_default(), loss);
                }
            }
            _ => {}
        }
        false
    }

    fn eval(&mut self, step: u64, loss: f64) -> bool {
        let train = self.train.0 / self.train.1;
        self.train = (0.0, 0.0);
        let rose = self.validation.is_some_and(|before| loss > before);
        self.validation = Some(loss);
        if self.low.is_none_or(|(_, low, _)| loss <= low) {
            // A new low: whatever was before, the model learns again.
            (self.low, self.rises, self.since) = (Some((step, loss, train)), 0, None);
            return false;
        }
        self.rises = if rose { self.rises + 1 } else { 0 };
        let falls = self.low.is_some_and(|(_, _, before)| train < before);
        let seen = self.since.is_none() && self.rises >= RISES && falls;
        if seen {
            self.since = self.low.map(|(step, ..)| step);
        }
        seen
    }

    /// The step at which validation was lowest, if the model has learned by rote since.
    pub fn since(&self) -> Option<u64> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Eval, Start, Step};

    /// The step from which a run learns by rote: an evaluation of a short text every ten steps, and
    /// at the end one of more text.
    fn since(train: &[f64], validation: &[f64]) -> Option<u64> {
        let mut rote = Rote::default();
        rote.event(&Event::new(0.0, 0, Start::default()));
        for (at, (&train, &validation)) in train.iter().zip(validation).enumerate() {
            let step = 10 * (at as u64 + 1);
            let nats_per_token = Some(train);
            let what = Step {
                nats_per_token,
                ..Step::default()
            };
            rote.event(&Event::new(0.0, step, what));
            let val_nats_per_token = Some(validation);
            let what = Eval {
                val_nats_per_token,
                tokens: 50,
                full: true,
                ..Eval::default()
            };
            rote.event(&Event::new(0.0, step, what));
        }
        let what = Eval {
            val_nats_per_token: Some(0.0),
            tokens: 90,
            ..Eval::default()
        };
        rote.event(&Event::new(0.0, 99, what));
        rote.since()
    }

    #[test]
    fn rote_is_validation_that_rises_three_times_while_training_falls() {
        let falling = [4.0, 3.0, 2.0, 1.0, 0.5, 0.2];
        assert_eq!(since(&falling, &[4.0, 3.0, 3.1, 3.2, 3.3, 3.4]), Some(20));
        assert_eq!(since(&falling, &[4.0, 3.0, 3.1, 3.2, 3.1, 3.2]), None);
        assert_eq!(since(&falling, &[4.0, 3.0, 3.1, 3.2, 3.3, 2.9]), None);
        // Diverging is something else.
        assert_eq!(
            since(&[4.0, 3.0, 3.1, 3.2, 3.3], &[4.0, 3.0, 3.1, 3.2, 3.3]),
            None
        );
    }
}
