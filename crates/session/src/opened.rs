//! A model from its files: of a run, of one of its checkpoints, or of any folder that the formats
//! allow.

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

/// The tokenizer's file of a model's folder.
pub const TOKENIZER: &str = "tokenizer.json";
/// The file beside it that names the end of a text.
pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// How a model is used.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Threads that compute.
    pub threads: usize,
    /// Sequences at a time.
    pub sequences: usize,
}

/// A model with its weights on a device.
pub struct Opened {
    /// Its shape.
    pub model: ModelConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The folder with its files.
    pub folder: PathBuf,
    /// Steps it was trained for, where a run tells.
    pub step: Option<u64>,
    device: Cpu,
    plans: Plans,
}

impl Opened {
    /// Opens a run (the checkpoint asked for), or a model's folder.
    ///
    /// # Errors
    /// Where there is no model, a file is damaged, or it is one that can't be used here.
    pub fn open(path: &Path, which: Which, how: Use) -> Result<Opened> {
        if !path.join(CONFIG).is_file() {
            let folder = RunFolder::open(Arc::new(Disk), path)?;
            folder.config()?.expect(&Kind::Language)?;
            return Opened::of(&folder.checkpoints().open(which)?, how);
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
            device,
        })
    }

    /// Uses it.
    pub fn session(&mut self) -> Session<'_> {
        Session::new(&mut self.device, &mut self.plans)
    }
}

/// Says which folder's file is wrong.
fn in_folder(folder: &Path) -> impl Fn(HuggingFaceError) -> Error {
    move |error| Error::Files {
        folder: folder.to_path_buf(),
        error,
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
