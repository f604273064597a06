//! The Hugging Face model directory: `config.json`, `generation_config.json` and
//! `model.safetensors`, as loaded by `GPT2LMHeadModel`, `LlamaForCausalLM` and `Qwen3ForCausalLM`
//! of `transformers`.

mod config_json;
pub(crate) mod layout;
pub(crate) mod weights;

use crate::config::{ConfigError, ModelConfig};
use crate::tensors::TensorFiles;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The model's shape for other programs.
pub const CONFIG: &str = "config.json";
/// The token that starts and ends a text.
pub const GENERATION_CONFIG: &str = "generation_config.json";
/// The weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Which file contains which weights, if there are several.
pub const INDEX: &str = "model.safetensors.index.json";

/// One parameter, under its name in this program.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// `layers.0.attention.q.weight`
    pub name: String,
    /// Rows and columns; `[out, in]` for the matrix of a linear layer.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// Why a model's files could not be written or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HuggingFaceError {
    #[error("config.json can't be read: {0}")]
    Json(String),
    #[error("config.json has no {0}")]
    NoField(&'static str),
    #[error("config.json: {field} = {value} is not supported; it must be {allowed}")]
    Field {
        field: &'static str,
        value: String,
        allowed: String,
    },
    #[error(transparent)]
    Shape(ConfigError),
    #[error(
        "config.json doesn't belong to this run: {field} is {file} there, but {known} in the run's config"
    )]
    OtherShape {
        field: &'static str,
        file: String,
        known: String,
    },
    #[error("model.safetensors can't be read: {0}")]
    Safetensors(String),
    #[error("{INDEX} can't be read: {0}")]
    Index(String),
    #[error("model.safetensors has no tensor {0}, which config.json calls for")]
    NoTensor(String),
    #[error("model.safetensors has a tensor {0}, which config.json doesn't call for")]
    ExtraTensor(String),
    #[error("model.safetensors: {name} is {found}, and config.json calls for {expected}")]
    TensorShape {
        name: String,
        found: String,
        expected: String,
    },
    #[error("model.safetensors: {0} has a value that isn't finite; the file is damaged")]
    NotFinite(String),
    #[error("model.safetensors: {0} isn't zero, and the run's config has model.bias = false")]
    Bias(String),
    #[error(transparent)]
    Device(#[from] engine::Error),
    #[error("parameter {0} of the model is missing, so it can't be saved")]
    NoParameter(String),
    #[error("parameter {name} has {found} values, not {expected}, so it can't be saved")]
    ParameterLength {
        name: String,
        found: usize,
        expected: usize,
    },
}

/// The small files of a model: name and bytes.
///
/// `eos` is the token that ends a text and starts one.
pub fn config_files(model: &ModelConfig, vocabulary: usize, eos: u32) -> Vec<(String, Vec<u8>)> {
    vec![
        (
            CONFIG.to_string(),
            config_json::write(model, vocabulary, eos),
        ),
        (
            GENERATION_CONFIG.to_string(),
            config_json::write_generation(eos),
        ),
    ]
}

/// Writes `model.safetensors`. Equal weights give equal bytes. `tensor` returns a parameter's
/// values (row-major) by its name in this program.
///
/// # Errors
/// A parameter is missing or of the wrong length, or `to` fails.
pub fn write_weights(
    model: &ModelConfig,
    vocabulary: usize,
    tensor: &dyn Fn(&str) -> Option<Vec<f32>>,
    to: &mut dyn Write,
) -> io::Result<()> {
    weights::write(&layout::tensors(model, vocabulary), tensor, to)
}

/// The content of `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The model's shape.
    pub model: ModelConfig,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// The token that ends a text.
    pub eos: u32,
}

/// Reads `config.json`, ours or one that `transformers` wrote.
/// `known` is the run's own shape, which provides what the file lacks: whether GPT-2 has biases
/// (its weights always include them, zero or not) and the dropout of Llama and Qwen3. Without it,
/// GPT-2 has biases, the dropout is that of the file or none, and fields that only affect training
/// are ignored.
///
/// # Errors
/// The file is damaged, describes a model that this program doesn't support, or differs from
/// `known`.
pub fn describe(
    config_json: &[u8],
    known: Option<&ModelConfig>,
) -> Result<Described, HuggingFaceError> {
    let (model, vocabulary, eos) = config_json::read(config_json, known)?;
    Ok(Described {
        model,
        vocabulary,
        eos,
    })
}

/// The files with a folder's weights: one, or those listed in its index.
///
/// # Errors
/// There are no weights, or the index is damaged.
pub fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, HuggingFaceError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index = folder.join(INDEX);
    if !index.is_file() {
        return Ok(vec![folder.join(WEIGHTS)]);
    }
    let wrong = |reason: String| HuggingFaceError::Index(reason);
    let text = std::fs::read(&index).map_err(|error| wrong(error.to_string()))?;
    let index: Index = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let names: BTreeSet<&String> = index.weight_map.values().collect();
    let plain = |name: &str| Path::new(name).file_name() == Some(name.as_ref());
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(wrong(format!("{name:?} isn't a file beside it")));
    }
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// Reads the weights of a model, one tensor after another, and passes each to `put`.
///
/// # Errors
/// A tensor is missing, superfluous, of another shape, or not finite; or `put` fails.
pub fn read_weights(
    described: &Described,
    files: &mut TensorFiles,
    put: &mut dyn FnMut(Tensor) -> Result<(), HuggingFaceError>,
) -> Result<(), HuggingFaceError> {
    let layout = layout::tensors(&described.model, described.vocabulary);
    weights::read(&layout, files, put)
}
