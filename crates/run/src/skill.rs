//! Since when does the model answer questions? Decided from events, so that all screens agree.

use crate::{Event, What};

/// The share of questions that is answered by a model with the skill.
const SKILLED: f64 = 0.95;

/// Notices the first evaluation at which at least 95% of the questions are answered correctly.
#[derive(Debug, Clone, Default)]
pub struct Skill {
    /// The step of the first such evaluation for the questions that were trained on.
    pub train: Option<u64>,
    /// The same for those that are held out: the model has found the rule.
    pub held_out: Option<u64>,
}

impl Skill {
    /// Adds an event; returns whether it is the one at which the rule was found.
    pub fn event(&mut self, event: &Event) -> bool {
        if matches!(event.what, What::Start(_)) {
            let undone = |step: &mut u64| event.undoes(Some(*step));
            self.train.take_if(undone);
            self.held_out.take_if(undone);
        }
        let What::Eval(eval) = &event.what else {
            return false;
        };
        let before = self.held_out;
        let skilled = |accuracy: Option<f64>| accuracy.is_some_and(|share| share >= SKILLED);
        if skilled(eval.accuracy_train) {
            self.train = self.train.or(event.step);
        }
        if skilled(eval.accuracy_held_out) {
            self.held_out = self.held_out.or(event.step);
        }
        before.is_none() && self.held_out.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Eval, Start};

    #[test]
    fn a_skill_begins_at_the_first_evaluation_that_shows_it() {
        let mut skill = Skill::default();
        let mut found = Vec::new();
        let all = [(0.1, 0.0), (0.96, 0.3), (1.0, 0.95), (1.0, 0.4), (1.0, 1.0)];
        for (at, (train, held_out)) in (0..).zip(all) {
            let what = Eval {
                accuracy_train: Some(train),
                accuracy_held_out: Some(held_out),
                ..Eval::default()
            };
            if skill.event(&Event::new(0.0, 10 * at, what)) {
                found.push(10 * at);
            }
        }
        assert_eq!((skill.train, skill.held_out), (Some(10), Some(20)));
        assert_eq!(found, [20]);
        skill.event(&Event::new(0.0, 15, Start::default()));
        assert_eq!((skill.train, skill.held_out), (Some(10), None), "undone");
    }
}
