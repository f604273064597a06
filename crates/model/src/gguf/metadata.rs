//! The keys and values of a GGUF file.

use super::ALIGNMENT;
use super::quantize::Quantization;
use crate::ModelConfig;
use crate::config::{Norm, Position};
use text::{Named, Tokenizer};

/// What llama.cpp calls the kinds of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

/// The format's numbers of the types of values.
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// Keys and values, in the order in which they were added.
#[derive(Default)]
pub(super) struct Metadata {
    count: u64,
    bytes: Vec<u8>,
}

/// Appends a text: its length, then its bytes.
pub(super) fn text(to: &mut Vec<u8>, value: &str) {
    to.extend((value.len() as u64).to_le_bytes());
    to.extend(value.as_bytes());
}

impl Metadata {
    fn key(&mut self, key: &str, kind: u32) {
        self.count += 1;
        text(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, TEXT);
        text(&mut self.bytes, value);
    }

    fn u32(&mut self, key: &str, value: usize) {
        self.key(key, U32);
        self.bytes.extend((value as u32).to_le_bytes());
    }

    fn f32(&mut self, key: &str, value: f64) {
        self.key(key, F32);
        self.bytes.extend((value as f32).to_le_bytes());
    }

    fn bool(&mut self, key: &str, value: bool) {
        self.key(key, BOOL);
        self.bytes.push(u8::from(value));
    }

    fn array(&mut self, key: &str, kind: u32, length: usize) {
        self.key(key, ARRAY);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend((length as u64).to_le_bytes());
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        self.array(key, TEXT, values.len());
        for value in values {
            text(&mut self.bytes, value);
        }
    }

    /// Adds the model's shape.
    pub fn model(&mut self, m: &ModelConfig, rows: usize, name: &str, quantization: Quantization) {
        let family = m.family.name();
        self.text("general.architecture", family);
        self.text("general.type", "model");
        self.text("general.name", name);
        self.u32("general.alignment", ALIGNMENT);
        self.u32("general.file_type", quantization.file_type());
        self.u32("general.quantization_version", 2);
        let key = |name: &str| format!("{family}.{name}");
        self.u32(&key("vocab_size"), rows);
        self.u32(&key("context_length"), m.context);
        self.u32(&key("embedding_length"), m.width);
        self.u32(&key("feed_forward_length"), m.hidden);
        self.u32(&key("block_count"), m.layers);
        self.u32(&key("attention.head_count"), m.heads);
        self.u32(&key("attention.head_count_kv"), m.kv_heads);
        let epsilon = match m.norm {
            Norm::LayerNorm => "attention.layer_norm_epsilon",
            Norm::RmsNorm => "attention.layer_norm_rms_epsilon",
        };
        self.f32(&key(epsilon), m.norm_epsilon);
        if m.position == Position::Rope {
            // By default llama.cpp takes width / heads.
            self.u32(&key("attention.key_length"), m.head_size);
            self.u32(&key("attention.value_length"), m.head_size);
            self.u32(&key("rope.dimension_count"), m.head_size);
            self.f32(&key("rope.freq_base"), m.rope_theta);
        }
    }

    /// Adds the tokenizer, filled up to `rows` tokens. `end` starts and ends a text.
    pub fn tokenizer(&mut self, tokenizer: &Tokenizer, rows: usize, end: u32) {
        let mut level = tokenizer.byte_level();
        level.tokens.resize(rows, Named::Unused);
        let tokens = level.tokens.into_iter().enumerate();
        let (names, kinds): (Vec<String>, Vec<i32>) = tokens
            .map(|(id, token)| match token {
                Named::Bytes(name) => (name, NORMAL),
                Named::Special(name) => (name, CONTROL),
                Named::Unused => (format!("[PAD{id}]"), UNUSED),
            })
            .unzip();
        self.text("tokenizer.ggml.model", "gpt2");
        self.text("tokenizer.ggml.pre", level.split.name());
        self.texts("tokenizer.ggml.tokens", &names);
        self.array("tokenizer.ggml.token_type", I32, kinds.len());
        self.bytes
            .extend(kinds.iter().flat_map(|k| k.to_le_bytes()));
        self.texts("tokenizer.ggml.merges", &level.merges);
        self.u32("tokenizer.ggml.bos_token_id", end as usize);
        self.u32("tokenizer.ggml.eos_token_id", end as usize);
        // The split `llama-bpe` would otherwise add one.
        self.bool("tokenizer.ggml.add_bos_token", false);
    }

    /// The number of keys, then keys and values.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = self.count.to_le_bytes().to_vec();
        bytes.extend(self.bytes);
        bytes
    }
}
