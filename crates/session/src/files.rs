//! Finds a model's files: in a run, one of its checkpoints, or any folder in the formats supported.

use crate::error::{Error, Result};
use model::TensorFiles;
use model::hugging_face::{self, CONFIG, Described, HuggingFaceError, WEIGHTS};
use run::{Checkpoint, Disk, Kind, RunFolder, Which};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::Tokenizer;

/// The tokenizer file in a model's folder.
pub const TOKENIZER: &str = "tokenizer.json";
/// The file beside it that names the end-of-text token.
pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The files of a model. Those of a checkpoint have the sizes and hashes of its manifest.
pub struct ModelFiles {
    /// The folder that contains them.
    pub folder: PathBuf,
    /// Steps it was trained for, if known from a run.
    pub step: Option<u64>,
    /// Why each checkpoint that would have been preferred wasn't chosen.
    pub skipped: Vec<String>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The content of config.json.
    pub described: Described,
    /// The files with the weights.
    pub weights: Vec<PathBuf>,
}

impl ModelFiles {
    /// Finds the files of a run, at the given checkpoint or at the next best or older one if that
    /// is damaged; or of a model's folder.
    ///
    /// # Errors
    /// If there is no model, a file is damaged, or the model is not supported.
    pub fn find(path: &Path, which: Which) -> Result<ModelFiles> {
        if !path.join(CONFIG).is_file() {
            let folder = RunFolder::open(Arc::new(Disk), path)?;
            folder.config()?.expect(&Kind::Language)?;
            let needed =
                |name: &str| [CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG].contains(&name);
            let sound = |checkpoint: &mut Checkpoint| check_sound(checkpoint, needed);
            let chosen = folder.checkpoints().choose(which, &sound)?;
            return Ok(ModelFiles {
                skipped: chosen.skipped,
                ..ModelFiles::of(&chosen.checkpoint)?
            });
        }
        if let Some(checkpoint) = Checkpoint::at(path)? {
            return ModelFiles::of(&checkpoint);
        }
        let tokenizer = Tokenizer::open(path)?;
        let config = path.join(CONFIG);
        let config = std::fs::read(&config).map_err(|error| Error::Unreadable {
            path: config,
            error,
        })?;
        let weights = hugging_face::weight_files(path).map_err(in_folder(path))?;
        ModelFiles::new(path, None, tokenizer, &config, weights)
    }

    /// The files of a checkpoint.
    ///
    /// # Errors
    /// As [`ModelFiles::find`].
    pub fn of(checkpoint: &Checkpoint) -> Result<ModelFiles> {
        let (config, weights) = (checkpoint.read(CONFIG)?, checkpoint.check(WEIGHTS)?);
        let (tokenizer, step) = (tokenizer(checkpoint)?, Some(checkpoint.step));
        ModelFiles::new(&checkpoint.path, step, tokenizer, &config, vec![weights])
    }

    fn new(
        folder: &Path,
        step: Option<u64>,
        tokenizer: Tokenizer,
        config: &[u8],
        weights: Vec<PathBuf>,
    ) -> Result<ModelFiles> {
        Ok(ModelFiles {
            folder: folder.to_path_buf(),
            step,
            skipped: Vec::new(),
            tokenizer,
            described: hugging_face::describe(config, None).map_err(in_folder(folder))?,
            weights,
        })
    }

    /// Adds the folder to an error about its files.
    pub(crate) fn wrong(&self) -> impl Fn(HuggingFaceError) -> Error {
        in_folder(&self.folder)
    }
}

fn in_folder(folder: &Path) -> impl Fn(HuggingFaceError) -> Error {
    move |error| Error::Files {
        folder: folder.to_path_buf(),
        error,
    }
}

/// Checks a checkpoint's files that are `wanted`: their sizes and hashes, and that every number in
/// them is finite.
///
/// # Errors
/// What is wrong with the first that isn't sound.
pub fn check_sound(checkpoint: &mut Checkpoint, wanted: impl Fn(&str) -> bool) -> run::Result<()> {
    checkpoint.verify(&wanted)?;
    let tensors = |name: &&str| name.ends_with(".safetensors") && wanted(name);
    for name in checkpoint.names().filter(tensors) {
        let path = checkpoint.check(name)?;
        let finite = TensorFiles::open(&[path]).and_then(|mut files| {
            let names: Vec<String> = files.names().map(String::from).collect();
            names
                .iter()
                .try_for_each(|tensor| files.double(tensor).map(drop))
        });
        finite.map_err(|error| checkpoint.unusable(name, error.to_string()))?;
    }
    Ok(())
}

/// Reads a checkpoint's tokenizer.
///
/// # Errors
/// If its files are damaged.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer> {
    let [file, config] = [TOKENIZER, TOKENIZER_CONFIG].map(|name| checkpoint.read(name));
    let (file, config) = (file?, config?);
    let text = |bytes| String::from_utf8_lossy(bytes);
    Ok(Tokenizer::from_json(&text(&file), Some(&text(&config)))?)
}
