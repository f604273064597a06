//! Saved state of a run: run.toml, which records the config, and the weights of a checkpoint.

use crate::corpus::TextSource;
use crate::error::{Error, Result};
use engine::{Device, Field, Host, Variable};
use model::{Config, ModelConfig, TensorFiles, hugging_face};
use run::{Checkpoint, Kind, RunConfig, RunFolder};

/// The content of run.toml: the whole merged config and the source of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The config as used.
    pub config: Config,
    /// The text.
    pub source: TextSource,
}

impl Settings {
    /// The content of run.toml.
    ///
    /// # Errors
    /// If a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String> {
        Ok(RunConfig::text(
            &Kind::Language,
            &self.config.to_toml(),
            &self.source,
        )?)
    }

    /// Reads run.toml; `sets` are assignments on top of it.
    ///
    /// # Errors
    /// If this program didn't write it, or the assignments are invalid.
    pub fn read(folder: &RunFolder, sets: &[String]) -> Result<Settings> {
        let run = folder.config()?;
        let source = run.section(&Kind::Language)?;
        let config = Config::load(None, Some((&run.path, &run.config)), sets);
        let path = run.path;
        let config = config.map_err(|error| Error::Config { path, error })?;
        Ok(Settings { config, source })
    }
}

/// Copies a checkpoint's weights to a device whose store has these variables, under the names that
/// `renamed` gives them.
///
/// # Errors
/// If its files are damaged, have another shape, or lack a variable.
pub fn weights(
    device: &mut dyn Device,
    checkpoint: &Checkpoint,
    shape: &ModelConfig,
    variables: &[Variable],
    renamed: &dyn Fn(&str) -> String,
) -> Result<()> {
    let config = checkpoint.read(hugging_face::CONFIG)?;
    let described = hugging_face::describe(&config, Some(shape))?;
    let path = checkpoint.check(hugging_face::WEIGHTS)?;
    let broken = |reason: String| run::Error::Broken {
        path: path.clone(),
        reason,
    };
    let files = TensorFiles::open(std::slice::from_ref(&path));
    let mut files = files.map_err(|error| broken(error.to_string()))?;
    let mut missing: Vec<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    let mut put = |tensor: hugging_face::Tensor| {
        missing.retain(|name| *name != tensor.name);
        let numbers = Host::Real(&tensor.values);
        Ok(device.write_variable(&renamed(&tensor.name), Field::Weight, numbers)?)
    };
    hugging_face::read_weights(&described, &mut files, &mut put)?;
    match missing.first() {
        Some(name) => Err(broken(format!("it has no `{name}`")).into()),
        None => Ok(()),
    }
}
