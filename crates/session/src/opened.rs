//! Opens a model from files: a run, one of its checkpoints, or any folder in the formats supported.

use crate::error::{Error, Result};
use crate::plans::Plans;
use crate::session::Session;
use engine::{Cpu, CpuSettings, Device, Field, Host};
use model::hugging_face::{self, CONFIG, HuggingFaceError, Tensor, WEIGHTS};
use model::{Mode, ModelConfig, TensorFiles, decoder};
use run::{Checkpoint, Disk, Kind, RunFolder, Which};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::Tokenizer;

/// The tokenizer file in a model's folder.
pub const TOKENIZER: &str = "tokenizer.json";
/// The file beside it that names the end-of-text token.
pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Settings for using a model.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Number of threads.
    pub threads: usize,
    /// Number of concurrent sequences.
    pub sequences: usize,
}

/// A model with its weights on a device.
pub struct Opened {
    /// Its shape.
    pub model: ModelConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The folder that contains its files.
    pub folder: PathBuf,
    /// Steps it was trained for, if known from a run.
    pub step: Option<u64>,
    /// Why each checkpoint that would have been preferred wasn't opened.
    pub skipped: Vec<String>,
    device: Cpu,
    plans: Plans,
}

impl Opened {
    /// Opens a run, at the given checkpoint or at the next best or older one if that is damaged; or
    /// a model's folder.
    ///
    /// # Errors
    /// If there is no model, a file is damaged, or the model is not supported.
    pub fn open(path: &Path, which: Which, how: Use) -> Result<Opened> {
        if !path.join(CONFIG).is_file() {
            let folder = RunFolder::open(Arc::new(Disk), path)?;
            folder.config()?.expect(&Kind::Language)?;
            let needed =
                |name: &str| [CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG].contains(&name);
            let sound = |checkpoint: &mut Checkpoint| check_sound(checkpoint, needed);
            let chosen = folder.checkpoints().choose(which, &sound)?;
            return Ok(Opened {
                skipped: chosen.skipped,
                ..Opened::of(&chosen.checkpoint, how)?
            });
        }
        if let Some(checkpoint) = Checkpoint::at(path)? {
            return Opened::of(&checkpoint, how);
        }
        let tokenizer = Tokenizer::open(path)?;
        let config = path.join(CONFIG);
        let config = std::fs::read(&config).map_err(|error| Error::Unreadable {
            path: config,
            error,
        })?;
        let weights = hugging_face::weight_files(path).map_err(in_folder(path))?;
        Opened::new(path, None, tokenizer, &config, &weights, how)
    }

    /// Opens a checkpoint.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub fn of(checkpoint: &Checkpoint, how: Use) -> Result<Opened> {
        let (config, weights) = (checkpoint.read(CONFIG)?, checkpoint.check(WEIGHTS)?);
        let (tokenizer, step) = (tokenizer(checkpoint)?, Some(checkpoint.step));
        Opened::new(&checkpoint.path, step, tokenizer, &config, &[weights], how)
    }

    fn new(
        folder: &Path,
        step: Option<u64>,
        tokenizer: Tokenizer,
        config: &[u8],
        weights: &[PathBuf],
        how: Use,
    ) -> Result<Opened> {
        let wrong = in_folder(folder);
        let described = hugging_face::describe(config, None).map_err(&wrong)?;
        let (model, vocabulary) = (described.model.clone(), described.vocabulary);
        let graph = decoder(&model, vocabulary, (1, 1), Mode::Score)?.graph;
        let mut device = Cpu::new(CpuSettings::with_threads(how.threads));
        device.create(graph.variables(), None)?;
        let mut put = |tensor: Tensor| {
            let numbers = Host::Real(&tensor.values);
            Ok(device.write_variable(&tensor.name, Field::Weight, numbers)?)
        };
        TensorFiles::open(weights)
            .map_err(|error| HuggingFaceError::Safetensors(error.to_string()))
            .and_then(|mut files| hugging_face::read_weights(&described, &mut files, &mut put))
            .map_err(&wrong)?;
        Ok(Opened {
            plans: Plans::new(&model, vocabulary, how.sequences),
            model,
            tokenizer,
            folder: folder.to_path_buf(),
            step,
            skipped: Vec::new(),
            device,
        })
    }

    /// A session on this model.
    pub fn session(&mut self) -> Session<'_> {
        Session::new(&mut self.device, &mut self.plans)
    }
}

/// Adds the folder to an error about its files.
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
