//! Teachers: models of the same shape, recorded beside the one that is trained, whose weights stay
//! as they are. The trained model learns their mean prediction too.

use super::{Recorder, Result};
use crate::recorded::Mode;
use engine::{ValueId, Variable};

/// The share of the teachers in what a model learns from; the rest is the text's own next tokens.
const TAUGHT: f64 = 0.7;

/// The name of a teacher's weight that a model of the same shape calls `name`.
pub fn taught_by(teacher: usize, name: &str) -> String {
    format!("teachers.{teacher}.{name}")
}

impl Recorder<'_> {
    /// The cost and each row's nats, with the teachers' predictions if there are teachers.
    pub(super) fn cost(
        &mut self,
        logits: ValueId,
        targets: ValueId,
        tokens: ValueId,
    ) -> Result<(ValueId, ValueId)> {
        let (cost, nats) = match self.mode {
            Mode::Distill(teachers) => {
                let mut predictions = Vec::new();
                for teacher in 0..teachers {
                    self.teacher = Some(teacher);
                    predictions.push(self.logits(tokens, None)?);
                }
                let mean = self.g.mixture(&predictions)?;
                self.g.distillation(logits, targets, mean, TAUGHT)?
            }
            _ => self.g.cross_entropy(logits, targets)?,
        };
        self.g.keep(nats);
        Ok((cost, nats))
    }

    /// A parameter, or the teacher's fixed weight in its place.
    pub(super) fn variable(&mut self, variable: Variable) -> ValueId {
        let variable = match self.teacher {
            Some(teacher) => {
                let name = taught_by(teacher, &variable.name);
                variable.fixed(name)
            }
            None => variable,
        };
        self.g.variable(variable)
    }
}
