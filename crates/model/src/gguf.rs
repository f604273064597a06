//! GGUF version 3, the file that llama.cpp and the programs built on it load: shape, tokenizer and
//! weights in one.
//!
//! Written from the files of a Hugging Face folder, one tensor at a time. Sources: the format's
//! description in the ggml project (docs/gguf.md), and what llama.cpp's own converter does with the
//! same three families.

mod metadata;
mod quantize;

use crate::config::{Family, ModelConfig};
use crate::hugging_face::layout::{FileTensor, tensors};
use crate::hugging_face::weights::read_whole;
use crate::hugging_face::{Described, HuggingFaceError};
use crate::tensors::TensorFiles;
use metadata::{Metadata, text};
use std::io::{self, Write};
use text::Tokenizer;

pub use quantize::Quantization;
use quantize::TensorType;

/// Every tensor starts at a multiple of this many bytes.
const ALIGNMENT: usize = 32;

/// Why a GGUF file could not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum GgufError {
    #[error(transparent)]
    Files(#[from] HuggingFaceError),
    #[error("the tokenizer has {tokens} tokens, but the model's embedding has {rows} rows")]
    Vocabulary { tokens: usize, rows: usize },
    #[error("{name} has the value {value:e}, which is too large for {kind}: export as f32")]
    TooLarge {
        name: String,
        value: f32,
        kind: Quantization,
    },
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// A model as a GGUF file, ready to be written.
pub struct Gguf {
    model: ModelConfig,
    layout: Vec<FileTensor>,
    /// Name and type of each tensor of `layout`.
    stored: Vec<(String, TensorType)>,
    quantization: Quantization,
    /// Everything before the first tensor's values.
    head: Vec<u8>,
}

impl Gguf {
    /// Describes a model and its tokenizer; `name` is shown by programs that list models.
    ///
    /// # Errors
    /// If the tokenizer has more tokens than the model.
    pub fn new(
        described: &Described,
        tokenizer: &Tokenizer,
        name: &str,
        quantization: Quantization,
    ) -> Result<Gguf, GgufError> {
        let (model, rows) = (&described.model, described.vocabulary);
        let tokens = tokenizer.vocabulary_size();
        if tokens > rows {
            return Err(GgufError::Vocabulary { tokens, rows });
        }
        let layout = tensors(model, rows);
        let store = |tensor: &FileTensor| (gguf_name(&tensor.name), quantization.of(tensor));
        let stored: Vec<(String, TensorType)> = layout.iter().map(store).collect();
        let mut metadata = Metadata::default();
        metadata.model(model, rows, name, quantization);
        metadata.tokenizer(tokenizer, rows, described.eos);
        let mut head = b"GGUF".to_vec();
        head.extend(3u32.to_le_bytes());
        head.extend((layout.len() as u64).to_le_bytes());
        head.extend(metadata.finish());
        let mut offset = 0;
        for (tensor, (name, kind)) in layout.iter().zip(&stored) {
            let columns = tensor.columns.map(|columns| columns as u64);
            // The fastest dimension comes first.
            let dimensions: Vec<u64> = columns.into_iter().chain([tensor.rows() as u64]).collect();
            text(&mut head, name);
            head.extend((dimensions.len() as u32).to_le_bytes());
            head.extend(dimensions.iter().flat_map(|n| n.to_le_bytes()));
            head.extend(kind.code().to_le_bytes());
            head.extend((offset as u64).to_le_bytes());
            let numbers = tensor.rows() * tensor.columns.unwrap_or(1);
            offset += kind.bytes(numbers).next_multiple_of(ALIGNMENT);
        }
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        Ok(Gguf {
            model: model.clone(),
            layout,
            stored,
            quantization,
            head,
        })
    }

    /// Names of the matrices that are stored as f16 since their rows don't divide into the blocks
    /// of q8_0.
    pub fn not_quantized(&self) -> Vec<&str> {
        let all = self.stored.iter();
        let f16 = all.filter(|(_, kind)| {
            self.quantization == Quantization::Q8_0 && *kind == TensorType::F16
        });
        f16.map(|(name, _)| name.as_str()).collect()
    }

    /// Writes the file, with the weights of `files`.
    ///
    /// # Errors
    /// If the weights can't be read or don't belong to the model, a number is too large for its
    /// type, or `to` fails.
    pub fn write(&self, files: &mut TensorFiles, to: &mut dyn Write) -> Result<(), GgufError> {
        to.write_all(&self.head)?;
        let mut stored = self.stored.iter();
        read_whole(&self.layout, files, |tensor, values| {
            let Some((name, kind)) = stored.next() else {
                return Ok(());
            };
            let values = self.rotated(tensor, values);
            let mut bytes = kind.encode(&values).map_err(|value| GgufError::TooLarge {
                name: name.clone(),
                value,
                kind: self.quantization,
            })?;
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            Ok(to.write_all(&bytes)?)
        })
    }

    /// Reorders the rows of Llama's queries and keys. Here, and in `transformers`, a head's first
    /// half is rotated with its second half; in this family, and only in this one, llama.cpp
    /// rotates neighbors.
    fn rotated(&self, tensor: &FileTensor, values: Vec<f32>) -> Vec<f32> {
        let turns = [".q_proj.", ".k_proj."];
        if self.model.family != Family::Llama || !turns.iter().any(|t| tensor.name.contains(t)) {
            return values;
        }
        let (head, columns) = (self.model.head_size, tensor.columns.unwrap_or(1));
        let mut rows = Vec::with_capacity(values.len());
        for head_rows in values.chunks(head * columns) {
            let (first, second) = head_rows.split_at(head / 2 * columns);
            for (a, b) in first.chunks(columns).zip(second.chunks(columns)) {
                rows.extend_from_slice(a);
                rows.extend_from_slice(b);
            }
        }
        rows
    }
}

/// The name in a GGUF file of a tensor of a Hugging Face file.
fn gguf_name(name: &str) -> String {
    let whole = [
        ("transformer.wte", "token_embd"),
        ("model.embed_tokens", "token_embd"),
        ("transformer.wpe", "position_embd"),
        ("transformer.ln_f", "output_norm"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
    ];
    let in_block = [
        ("ln_1", "attn_norm"),
        ("attn.c_attn", "attn_qkv"),
        ("attn.c_proj", "attn_output"),
        ("ln_2", "ffn_norm"),
        ("mlp.c_fc", "ffn_up"),
        ("mlp.c_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    let find = |list: &[(&str, &'static str)], name: &str| {
        let found = list.iter().find(|(theirs, _)| *theirs == name);
        found.map(|(_, gguf)| *gguf)
    };
    let (stem, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let block = ["transformer.h.", "model.layers."]
        .iter()
        .find_map(|prefix| stem.strip_prefix(prefix)?.split_once('.'))
        .and_then(|(layer, part)| Some((layer, find(&in_block, part)?)));
    match (block, find(&whole, stem)) {
        (Some((layer, part)), _) => format!("blk.{layer}.{part}.{kind}"),
        (None, Some(part)) => format!("{part}.{kind}"),
        (None, None) => name.to_owned(),
    }
}
