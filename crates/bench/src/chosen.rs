//! What to measure: the models and operations named by `--only`, or the default ones.

use crate::error::{Error, Result};
use crate::models::{BenchModel, MODELS};
use crate::ops;

/// The selection made with `--only`.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Models by name.
    pub models: Vec<BenchModel>,
    /// Operations by name.
    pub operations: Vec<&'static str>,
}

/// Looks up models and operations by name.
///
/// # Errors
/// If a name is unknown.
pub fn choose(only: &[String]) -> Result<Chosen> {
    let mut chosen = Chosen::default();
    for name in only {
        let model = MODELS.iter().find(|m| m.name.eq_ignore_ascii_case(name));
        let operation = ops::names().into_iter().find(|o| o == name);
        match (model, operation) {
            (Some(model), _) => chosen.models.push(*model),
            (None, Some(operation)) => chosen.operations.push(operation),
            (None, None) => {
                return Err(Error::Unknown {
                    name: name.clone(),
                    models: MODELS.map(|m| m.name).join(", "),
                    operations: ops::names().join(", "),
                });
            }
        }
    }
    Ok(chosen)
}

impl Chosen {
    /// The named models, or all default ones.
    pub fn all_sizes(&self) -> Vec<BenchModel> {
        self.models_or(|m| m.by_default)
    }

    /// The named models, or S and M.
    pub fn small_sizes(&self) -> Vec<BenchModel> {
        self.models_or(|m| ["S", "M"].contains(&m.name))
    }

    fn models_or(&self, usual: impl Fn(&BenchModel) -> bool) -> Vec<BenchModel> {
        match self.models.is_empty() {
            true => MODELS.into_iter().filter(usual).collect(),
            false => self.models.clone(),
        }
    }
}
