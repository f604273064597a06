//! How are weights updated? By an optimizer's rule, from their gradients. Parameters are grouped by
//! role; each group is assigned a rule with its own rate and decay.

use crate::at::Scalars;
use crate::cpu::kernel::{FindRule, rule_kernel};
use crate::precision::Precision;
use crate::rule::{Rule, Setting};
use crate::variable::{Group, Variable};
use std::sync::Arc;

mod adam;
mod descent;
mod muon;

pub use adam::Adam;
pub use descent::Descent;
pub use muon::Muon;

macro_rules! list {
    ($($Rule:ty),* $(,)?) => {
        /// Every rule's kernel, for the processor.
        pub(crate) const RULE_KERNELS: &[FindRule] = &[$(rule_kernel::<$Rule>),*];
    };
}

list! {
    Adam,
    Descent,
    Muon,
}

/// How the parameters of some groups are updated.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The groups.
    pub groups: Vec<Group>,
    /// Their rule.
    pub rule: Arc<dyn Rule>,
    /// Factor on the run's learning rate.
    pub rate: f64,
    /// Weight decay.
    pub decay: f64,
}

/// An optimizer: a rule for each group of parameters, and clipping. Parameters of a group without
/// an assignment are frozen.
#[derive(Debug, Clone)]
pub struct Optimizer {
    /// Rules of the groups; a group belongs to the first assignment that names it.
    pub assignments: Vec<Assignment>,
    /// Maximum norm of the whole gradient (Pascanu et al., 2013), which is scaled down if larger.
    pub clip: Option<f64>,
}

/// Variables that are updated together: all of an assignment in one pass if its rule is flat, else
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updates {
    /// Index of the assignment.
    pub assignment: usize,
    /// Indices of the variables.
    pub variables: Vec<usize>,
}

impl Optimizer {
    /// One rule for all parameters, with weight decay on all but vectors.
    pub fn uniform(rule: impl Rule, decay: f64, clip: Option<f64>) -> Optimizer {
        let rule: Arc<dyn Rule> = Arc::new(rule);
        let assignment = |groups: &[Group], decay: f64| Assignment {
            groups: groups.to_vec(),
            rule: rule.clone(),
            rate: 1.0,
            decay,
        };
        let matrices = [Group::Matrices, Group::Embeddings, Group::OutputHead];
        Optimizer {
            assignments: vec![
                assignment(&matrices, decay),
                assignment(&[Group::Vectors], 0.0),
            ],
            clip,
        }
    }

    /// The assignment of a variable; `None` if it is frozen.
    pub fn assignment(&self, variable: &Variable) -> Option<&Assignment> {
        self.assignments.get(self.number(variable)?)
    }

    fn number(&self, variable: &Variable) -> Option<usize> {
        let names = |a: &Assignment| a.groups.contains(&variable.group);
        let learned = variable.is_parameter();
        self.assignments.iter().position(names).filter(|_| learned)
    }

    /// Lengths of the state kept from step to step for a variable.
    pub fn states(&self, variable: &Variable) -> Vec<usize> {
        let assignment = self.assignment(variable);
        assignment.map_or(Vec::new(), |a| a.rule.states(variable.matrix()))
    }

    /// Whether a variable's state holds means of squares, which are never negative.
    pub fn is_square(&self, variable: &Variable, state: usize) -> bool {
        let assignment = self.assignment(variable);
        assignment.is_some_and(|a| a.rule.is_square(state))
    }

    /// All updates of a step, assignment by assignment, variables in the order given.
    pub fn updates(&self, variables: &[Variable]) -> Vec<Updates> {
        let mut all = Vec::new();
        for (assignment, a) in self.assignments.iter().enumerate() {
            let own = |v: &Variable| self.number(v) == Some(assignment);
            let own = (0..variables.len()).filter(|&i| own(&variables[i]));
            let own: Vec<usize> = own.collect();
            let many = if a.rule.flat() { own.len() } else { 1 };
            let parts = own.chunks(many.max(1)).map(<[usize]>::to_vec);
            all.extend(parts.map(|variables| Updates {
                assignment,
                variables,
            }));
        }
        all
    }

    /// What the updates of an assignment need besides weights, gradient and state, if the whole
    /// gradient has this norm; `None` if gradient or cost isn't finite, since such a step is never
    /// applied.
    pub fn setting(
        &self,
        assignment: usize,
        scalars: &Scalars,
        norm: f64,
        precision: Precision,
    ) -> Option<Setting> {
        let a = &self.assignments[assignment];
        let scale = match self.clip {
            Some(clip) if norm > clip => clip / norm,
            _ => 1.0,
        };
        norm.is_finite().then_some(Setting {
            rate: scalars.rate * a.rate,
            scale,
            decay: a.decay,
            updates: scalars.step + 1,
            precision,
        })
    }
}
