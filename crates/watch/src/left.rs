//! The time that is left in a run: its steps, and the evaluations, samples and saves among and
//! after them.

use run::{Eval, Start};

/// An estimate of the time left, from the events of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimeLeft {
    steps: u64,
    validation_tokens: u64,
    /// The session's first step and its time.
    first: Option<(u64, f64)>,
    /// Seconds from step to step since then, whatever was done between them.
    pace: f64,
    /// Seconds of the evaluations after the last step.
    last: f64,
}

impl TimeLeft {
    /// A session starts.
    pub fn start(&mut self, start: &Start) {
        *self = TimeLeft {
            steps: start.steps,
            validation_tokens: start.validation_tokens,
            ..TimeLeft::default()
        };
    }

    /// The number of steps was corrected.
    pub fn paced(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// A step ended.
    pub fn step(&mut self, step: u64, time: f64) {
        let (first, began) = *self.first.get_or_insert((step, time));
        if step > first {
            self.pace = (time - began) / (step - first) as f64;
        }
    }

    /// The model was evaluated: after the last step this is done again, and on all tokens.
    pub fn eval(&mut self, eval: &Eval) {
        let all = match eval.full || eval.tokens == 0 {
            true => 0.0,
            false => eval.seconds * self.validation_tokens as f64 / eval.tokens as f64,
        };
        let last = eval.seconds + all;
        if last.is_finite() {
            self.last = last;
        }
    }

    /// Whether the pace is known: from the second step of a session on.
    pub fn is_known(&self) -> bool {
        self.pace > 0.0
    }

    /// Seconds left after `step`, if a step itself takes this many.
    pub fn after(&self, step: u64, seconds: f64) -> f64 {
        let steps = self.steps.saturating_sub(step) as f64;
        steps * seconds.max(self.pace) + self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_to_come_count() {
        let mut left = TimeLeft::default();
        left.start(&Start {
            steps: 100,
            validation_tokens: 1000,
            ..Start::default()
        });
        left.step(1, 10.0);
        assert_eq!(left.after(1, 1.0), 99.0);
        left.eval(&Eval {
            tokens: 100,
            seconds: 2.0,
            ..Eval::default()
        });
        // Two steps of a second each, and two seconds of evaluation.
        left.step(2, 13.0);
        left.step(3, 14.0);
        assert_eq!(left.after(50, 1.0), 50.0 * 2.0 + 2.0 + 20.0);
        left.paced(60);
        assert_eq!(left.after(50, 1.0), 10.0 * 2.0 + 2.0 + 20.0);
    }
}
