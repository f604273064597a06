//! tokenizer.json, the file that Hugging Face `tokenizers` loads, written and read.
//!
//! `bytes` is a BPE without merges over the 256 characters of GPT-2's byte-level alphabet; `chars`
//! is a WordLevel model behind a split into single characters; `bpe` has the layout of GPT-2, Llama
//! 3 and Qwen2. Unlike this crate, that library turns the letters `<|endoftext|>` within a text
//! into the special token.
//!
//! An untrusted file is parsed into a structure with only the fields that these kinds need; lists
//! are bounded, and its regular expressions are never run. Processing beyond BPE is ignored if
//! harmless (Qwen2's NFC, tokens added around a text) and refused otherwise.

use super::byte_level::{ByteLevel, Named, byte_alphabet};
use super::split::Split;
use super::{END_OF_TEXT, Tokenizer};
use crate::Error;
use serde_json::{Map, Value, json};

mod bounded;
mod read;

use read::{Config, File, Name};

/// Larger than any published file of these kinds, but too small to exhaust memory.
pub(super) const LARGEST_JSON: usize = 64 << 20;

/// The limit on ids, merges and added tokens.
const MOST_TOKENS: usize = 1 << 20;

/// WordLevel requires the name of an unknown token. With a name outside the vocabulary, an unknown
/// character is an error there too. This one is longer than a character, so it is never in it.
const NO_UNKNOWN: &str = "<|unknown characters are an error|>";

/// The expression that matches every single character.
const EACH_CHARACTER: &str = r"[\s\S]";

/// The bytes in the order of their stand-ins, which is that of their ids in GPT-2.
pub(super) fn stand_in_order() -> Vec<u8> {
    let alphabet = byte_alphabet();
    let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
    bytes.sort_by_key(|&byte| alphabet[usize::from(byte)]);
    bytes
}

fn vocabulary(characters: &[char]) -> Map<String, Value> {
    characters
        .iter()
        .enumerate()
        .map(|(id, c)| (c.to_string(), json!(id)))
        .collect()
}

/// A byte-level BPE model, as the library writes it.
fn bpe_model(vocab: Map<String, Value>, merges: Vec<String>, ignore_merges: bool) -> Value {
    json!({
        "type": "BPE", "dropout": null, "unk_token": null,
        "continuing_subword_prefix": null, "end_of_word_suffix": null,
        "fuse_unk": false, "byte_fallback": false, "ignore_merges": ignore_merges,
        "vocab": vocab, "merges": merges,
    })
}

fn byte_level(use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex,
    })
}

fn split(expression: &str) -> Value {
    json!({
        "type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": false,
    })
}

/// Pre-tokenizer and model of a learned tokenizer.
fn bpe_values(level: ByteLevel) -> (Value, Value) {
    let tokens = (0..).zip(level.tokens);
    let ordinary = tokens.filter_map(|(id, token): (u32, Named)| match token {
        Named::Bytes(name) => Some((name, json!(id))),
        Named::Special(_) | Named::Unused => None,
    });
    let model = bpe_model(ordinary.collect(), level.merges, level.ignore_merges);
    let cuts = match level.split {
        Split::Gpt2 => byte_level(true),
        other => json!({
            "type": "Sequence",
            "pretokenizers": [split(other.expression()), byte_level(false)],
        }),
    };
    (cuts, model)
}

impl Tokenizer {
    /// The content of tokenizer.json.
    pub fn to_json(&self) -> String {
        let (splitter, decoder, model) = match self {
            Tokenizer::Bytes => {
                let model = bpe_model(vocabulary(&byte_alphabet()), Vec::new(), false);
                (byte_level(false), byte_level(false), model)
            }
            Tokenizer::Chars(chars) => {
                let vocab = vocabulary(chars.characters());
                let model = json!({"type": "WordLevel", "vocab": vocab, "unk_token": NO_UNKNOWN});
                (split(EACH_CHARACTER), json!({"type": "Fuse"}), model)
            }
            Tokenizer::Bpe(_) => {
                let (splitter, model) = bpe_values(self.byte_level());
                (splitter, byte_level(true), model)
            }
        };
        let special = |(id, content): (u32, &str)| {
            json!({
                "id": id, "content": content, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false, "special": true,
            })
        };
        let added: Vec<Value> = self.special().into_iter().map(special).collect();
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": null, "pre_tokenizer": splitter, "post_processor": null,
            "decoder": decoder, "model": model,
        });
        format!("{file:#}\n")
    }

    /// Parses a tokenizer.json: one of ours, or any byte-level BPE whose split is known. `config`
    /// is the tokenizer_config.json beside it, which may name the end of text; if neither file
    /// does, a token is added for it.
    pub fn from_json(json: &str, config: Option<&str>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Tokenizer { reason };
        if json.len() > LARGEST_JSON {
            return Err(refuse(format!("larger than {} MiB", LARGEST_JSON >> 20)));
        }
        let file: File =
            serde_json::from_str(json).map_err(|e| refuse(shortened(&e.to_string())))?;
        let end = config.and_then(|config| serde_json::from_str::<Config>(config).ok());
        let end = end.and_then(|config| config.eos_token).map(Name::into_text);
        file.into_tokenizer(end.as_deref())
            .map_err(|e| refuse(shortened(&e)))
    }

    /// The content of tokenizer_config.json for a model of `context` tokens.
    pub fn config_json(&self, context: usize) -> String {
        let special = self.special();
        let end = special.iter().find(|(id, _)| *id == self.end_of_text());
        let end = end.map_or(END_OF_TEXT, |(_, name)| name);
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": end, "eos_token": end,
            "clean_up_tokenization_spaces": false,
            "model_max_length": context,
        });
        format!("{config:#}\n")
    }

    /// The tokens to which no text encodes, with their names.
    pub fn special(&self) -> Vec<(u32, &str)> {
        match self {
            Tokenizer::Bpe(bpe) => bpe
                .special
                .iter()
                .map(|(id, name)| (*id, name.as_str()))
                .collect(),
            _ => vec![(self.end_of_text(), END_OF_TEXT)],
        }
    }
}

/// An error's text, cut to a bounded length: it may quote the file.
fn shortened(message: &str) -> String {
    match message.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", message.get(..at).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
