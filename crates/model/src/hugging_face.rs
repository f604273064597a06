//! The Hugging Face model directory: `config.json`, `generation_config.json` and
//! `model.safetensors`, as `GPT2LMHeadModel`, `LlamaForCausalLM` and `Qwen3ForCausalLM` of
//! `transformers` load them.

mod config_json;
mod layout;
mod weights;

use crate::config::{ConfigError, ModelConfig};

/// The model's shape for other programs.
pub const CONFIG: &str = "config.json";
/// Which token starts and ends a text.
pub const GENERATION_CONFIG: &str = "generation_config.json";
/// The weights.
pub const WEIGHTS: &str = "model.safetensors";

/// A model read from its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The shape of the decoder.
    pub shape: ModelConfig,
    /// Rows of the embedding.
    pub vocabulary: usize,
    /// The token that ends a text.
    pub eos: u32,
    /// Every parameter under its name in this program.
    pub tensors: Vec<Tensor>,
}

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

/// Why a model could not be written to, or read from, its files.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HuggingFaceError {
    #[error("config.json can't be read: {0}")]
    Json(String),
    #[error("config.json has no {0}")]
    NoField(&'static str),
    #[error("config.json: {field} = {value} can't be loaded here; allowed is {allowed}")]
    Field {
        field: &'static str,
        value: String,
        allowed: String,
    },
    #[error(transparent)]
    Shape(ConfigError),
    #[error(
        "config.json doesn't belong to this run: {field} is {file} there, and {known} in the run's config"
    )]
    OtherShape {
        field: &'static str,
        file: String,
        known: String,
    },
    #[error("model.safetensors can't be read: {0}")]
    Safetensors(String),
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
    #[error("parameter {0} of the model is missing, so it can't be saved")]
    NoParameter(String),
    #[error("parameter {name} has {found} values, not {expected}, so it can't be saved")]
    ParameterLength {
        name: String,
        found: usize,
        expected: usize,
    },
}

/// The files of a model: name and bytes. Equal weights give equal bytes.
///
/// `tensor` gives a parameter's values (row-major) by its name in this program; `eos` is the token
/// that ends a text and starts one.
///
/// # Errors
/// A parameter is missing or of the wrong length.
pub fn save<'a>(
    shape: &ModelConfig,
    vocabulary: usize,
    eos: u32,
    tensor: impl Fn(&str) -> Option<&'a [f32]>,
) -> Result<Vec<(String, Vec<u8>)>, HuggingFaceError> {
    let config = config_json::write(shape, vocabulary, eos);
    let generation = config_json::write_generation(eos);
    let weights = weights::write(&layout::tensors(shape, vocabulary), tensor)?;
    Ok(vec![
        (CONFIG.to_string(), config),
        (GENERATION_CONFIG.to_string(), generation),
        (WEIGHTS.to_string(), weights),
    ])
}

/// Reads what [`save`] wrote.
///
/// `known` is the run's own shape, which says what the files can't: whether GPT-2 has biases (its
/// files always hold them, zero or not) and the dropout of Llama and Qwen3. Without it, GPT-2 has
/// biases and the dropout is what the files say, else none.
///
/// # Errors
/// The files are damaged, describe a model this program doesn't have, or differ from `known`.
pub fn load(
    config_json: &[u8],
    safetensors: &[u8],
    known: Option<&ModelConfig>,
) -> Result<Model, HuggingFaceError> {
    let (shape, vocabulary, eos) = config_json::read(config_json, known)?;
    let tensors = weights::read(&layout::tensors(&shape, vocabulary), safetensors)?;
    Ok(Model {
        shape,
        vocabulary,
        eos,
        tensors,
    })
}
