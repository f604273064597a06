//! Opens a model: reads its weights onto a device of its own.

use crate::error::Result;
use crate::files::ModelFiles;
use crate::plans::Plans;
use crate::session::Session;
use engine::{Cpu, CpuSettings, Device, Field, Host, WeightForm};
use model::hugging_face::{self, HuggingFaceError, Tensor};
use model::{Mode, ModelConfig, TensorFiles, decoder};
use run::{Checkpoint, Which};
use std::path::{Path, PathBuf};
use text::Tokenizer;

/// Settings for using a model.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Number of threads.
    pub threads: usize,
    /// Number of concurrent sequences.
    pub sequences: usize,
    /// How the weights are stored.
    pub weights: WeightForm,
}

impl Default for Use {
    /// One thread and one sequence, with the weights as they were trained.
    fn default() -> Use {
        Use {
            threads: 1,
            sequences: 1,
            weights: WeightForm::F32,
        }
    }
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
    /// Opens the model found at a path.
    ///
    /// # Errors
    /// As [`ModelFiles::find`].
    pub fn open(path: &Path, which: Which, how: Use) -> Result<Opened> {
        Opened::new(ModelFiles::find(path, which)?, how)
    }

    /// Opens a checkpoint.
    ///
    /// # Errors
    /// As [`ModelFiles::find`].
    pub fn of(checkpoint: &Checkpoint, how: Use) -> Result<Opened> {
        Opened::new(ModelFiles::of(checkpoint)?, how)
    }

    fn new(files: ModelFiles, how: Use) -> Result<Opened> {
        let wrong = files.wrong();
        let (model, vocabulary) = (&files.described.model, files.described.vocabulary);
        let graph = decoder(model, vocabulary, (1, 1), Mode::Score)?.graph;
        let mut device = Cpu::new(CpuSettings {
            weights: how.weights,
            ..CpuSettings::with_threads(how.threads)
        });
        device.create(graph.variables(), None)?;
        let mut put = |tensor: Tensor| {
            let numbers = Host::Real(&tensor.values);
            Ok(device.write_variable(&tensor.name, Field::Weight, numbers)?)
        };
        TensorFiles::open(&files.weights)
            .map_err(|error| HuggingFaceError::Safetensors(error.to_string()))
            .and_then(|mut weights| {
                hugging_face::read_weights(&files.described, &mut weights, &mut put)
            })
            .map_err(wrong)?;
        Ok(Opened {
            plans: Plans::new(model, vocabulary, how.sequences),
            model: files.described.model,
            tokenizer: files.tokenizer,
            folder: files.folder,
            step: files.step,
            skipped: files.skipped,
            device,
        })
    }

    /// Bytes of weights that are read for each generated token.
    pub fn bytes_per_token(&self) -> u64 {
        self.device.multiplied_bytes()
    }

    /// The same model, with room for this many sequences that share a cache of this many pages.
    #[must_use]
    pub fn with_cache(mut self, sequences: usize, pages: usize) -> Opened {
        let vocabulary = self.plans.vocabulary;
        self.plans = Plans::with_pages(&self.model, vocabulary, sequences, pages);
        self
    }

    /// Size of the vocabulary, which may be larger than the tokenizer's.
    pub fn vocabulary(&self) -> usize {
        self.plans.vocabulary
    }

    /// A session on this model.
    pub fn session(&mut self) -> Session<'_> {
        Session::new(&mut self.device, &mut self.plans)
    }
}
