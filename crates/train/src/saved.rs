//! A model that was saved, ready for use; and run.toml, which says what it was trained with.

use crate::corpus::{Corpus, Source};
use crate::error::{Error, Result};
use crate::state;
use engine::{Cpu, Device, Host, Part, Row};
use model::{Config, Mode, ModelShape, decoder, hugging_face};
use run::{Checkpoint, Kind, RunConfig, RunFolder};
use text::Tokenizer;

/// Tokenizer file of a model directory.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// The file beside it that names the end of a text.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// What run.toml holds: the whole merged config, and where the text came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The config as used.
    pub config: Config,
    /// The text.
    pub source: Source,
}

impl Settings {
    /// The content of run.toml.
    ///
    /// # Errors
    /// Where a path is not UTF-8.
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
    /// Where it is not what this program wrote, or the assignments are wrong.
    pub fn read(folder: &RunFolder, sets: &[String]) -> Result<Settings> {
        let run = folder.config()?;
        let source = run.section(&Kind::Language)?;
        let config = Config::load(None, Some((&run.path, &run.config)), sets);
        let path = run.path;
        let config = config.map_err(|error| Error::Config { path, error })?;
        Ok(Settings { config, source })
    }
}

/// Refuses to go on with a run whose config changed since its last checkpoint in a way that the
/// learning depends on.
///
/// # Errors
/// Names every key that changed.
pub fn check_unchanged(folder: &RunFolder, settings: &Settings, last: &Checkpoint) -> Result<()> {
    let then = state::load(last)?.config;
    let path = last.path.join("trainer_state.json");
    let then = Config::load(None, Some((&path, &then)), &[]);
    let then = then.map_err(|error| Error::Config { path, error })?;
    let free = |key: &str| {
        ["train.steps", "train.threads"].contains(&key)
            || ["eval.", "checkpoint.", "sample."]
                .iter()
                .any(|section| key.starts_with(section))
    };
    let changed = settings.config.differences(&then);
    let changed = changed.iter().filter(|d| !free(&d.key));
    let told: Vec<String> = changed
        .map(|d| format!("{} was {} and is {}", d.key, d.theirs, d.mine))
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Error::Changed {
        run: folder.path().to_path_buf(),
        what: format!(
            "its config changed since step {}: {}",
            last.step,
            told.join("; ")
        ),
        advice: "Put run.toml back as it was, or start a new run",
    })
}

/// Refuses a text that is not the one the run was trained on.
///
/// # Errors
/// Says that it changed.
pub fn check_same_text(folder: &RunFolder, source: &Source, corpus: &Corpus) -> Result<()> {
    if corpus.source.sha256 == source.sha256 {
        return Ok(());
    }
    let paths: Vec<String> = source
        .paths
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    Err(Error::Changed {
        run: folder.path().to_path_buf(),
        what: format!(
            "its text changed since the run began ({})",
            paths.join(", ")
        ),
        advice: "Put the text back as it was, or start a new run",
    })
}

/// A model from a checkpoint, on a device.
pub struct SavedModel {
    /// What it was trained with.
    pub settings: Settings,
    /// Its shape.
    pub shape: ModelShape,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The device that holds its weights.
    pub device: Cpu,
    /// Steps it was trained for.
    pub step: u64,
}

impl SavedModel {
    /// Loads a checkpoint of a run.
    ///
    /// # Errors
    /// Where a file is damaged, or not of this run's model.
    pub fn load(
        folder: &RunFolder,
        checkpoint: &Checkpoint,
        mut device: Cpu,
    ) -> Result<SavedModel> {
        let settings = Settings::read(folder, &[])?;
        let shape = settings.config.shape();
        let tokenizer = tokenizer(checkpoint)?;
        let rows = decoder(&shape, tokenizer.vocabulary_size(), (1, 1), Mode::Score)?
            .graph
            .rows;
        device.create(&rows, None)?;
        weights(&mut device, checkpoint, &shape, &rows)?;
        Ok(SavedModel {
            settings,
            shape,
            tokenizer,
            device,
            step: checkpoint.step,
        })
    }
}

/// Reads a checkpoint's tokenizer.
///
/// # Errors
/// Where its files are damaged.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer> {
    let [file, config] = [TOKENIZER, TOKENIZER_CONFIG].map(|name| checkpoint.read(name));
    let (file, config) = (file?, config?);
    let text = |bytes| String::from_utf8_lossy(bytes);
    Ok(Tokenizer::from_json(&text(&file), Some(&text(&config)))?)
}

/// Gives a checkpoint's weights to a device whose store has these rows.
pub(crate) fn weights(
    device: &mut dyn Device,
    checkpoint: &Checkpoint,
    shape: &ModelShape,
    rows: &[Row],
) -> Result<()> {
    let config = checkpoint.read(hugging_face::CONFIG)?;
    let file = checkpoint.read(hugging_face::WEIGHTS)?;
    let model = hugging_face::load(&config, &file, Some(shape))?;
    for row in rows {
        let tensor = model.tensors.iter().find(|t| t.name == row.name);
        let tensor = tensor.ok_or_else(|| run::Error::Broken {
            path: checkpoint.path.join(hugging_face::WEIGHTS),
            reason: format!("it has no `{}`", row.name),
        })?;
        device.write_row(&row.name, Part::Weight, Host::Real(&tensor.values))?;
    }
    Ok(())
}
