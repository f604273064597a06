//! From paths, or the built-in stories, to tokens; and how run.toml remembers where they came from.

use crate::error::Result;
use engine::cores;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use text::{ReadOptions, Text, Tokenizer};

/// Size of the built-in corpus's parts, and its seed: constants, so that losses compare.
const TALES: (u64, usize, usize) = (1, 6_000_000, 200_000);

/// Where a corpus comes from, as run.toml has it under `[source]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the corpus.
    pub corpus: String,
    /// Absolute paths of its files and folders; none for the built-in stories.
    pub paths: Vec<PathBuf>,
    /// Absolute path of a validation text, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// SHA-256 of the training and the validation part, so that a changed text is noticed.
    pub sha256: String,
}

/// A text in tokens, ready to train on.
pub struct Corpus {
    /// Where it comes from.
    pub source: Source,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Which kind was chosen where the config leaves it to the text; a path is absolute.
    pub chosen: model::Tokenizer,
    /// Training part.
    pub train: Vec<u32>,
    /// Validation part.
    pub validation: Vec<u32>,
    /// Entropy floor of the validation part after its first token, in bits.
    pub floor_bits: Option<f64>,
}

impl Corpus {
    /// Reads paths, or makes the built-in stories where there are none. A run that is there already
    /// has its tokenizer, `known`; otherwise it is made as the config says.
    ///
    /// # Errors
    /// Where a file can't be read, is not text, or is too short for the context.
    pub fn read(
        paths: &[PathBuf],
        validation: Option<&Path>,
        data: &model::DataConfig,
        context: usize,
        known: Option<Tokenizer>,
    ) -> Result<Corpus> {
        let raw_bytes = data.tokenizer == model::Tokenizer::Bytes;
        let text = if paths.is_empty() {
            text::tales(TALES.0, TALES.1, TALES.2)
        } else {
            let options = ReadOptions {
                raw_bytes,
                lossy: data.lossy,
                validation_bytes: data.validation_bytes,
            };
            text::read(paths, validation, &options)?
        };
        let chosen = chosen(&data.tokenizer, &text);
        let tokenizer = match known {
            Some(tokenizer) => tokenizer,
            None => tokenizer(&chosen, &text)?,
        };
        let train = tokenizer.encode_on(&text.train, cores())?;
        let held_out = tokenizer.encode_on(&text.validation, cores())?;
        text::check_length(train.len(), context, "the training text")?;
        text::check_length(held_out.len(), 1, "the validation text")?;
        let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.to_path_buf());
        Ok(Corpus {
            source: Source {
                corpus: text.name.clone(),
                paths: text.sources.clone(),
                validation: validation.map(absolute),
                sha256: digest(&text),
            },
            tokenizer,
            chosen,
            train,
            validation: held_out,
            floor_bits: text.floor_bits,
        })
    }

    /// Tokens of the validation part that are scored (all but the first), and their raw bytes.
    pub fn scored(&self) -> (u64, u64) {
        let each = self.validation.iter().skip(1);
        let bytes = each.map(|&t| self.tokenizer.token_bytes(t) as u64).sum();
        (self.validation.len() as u64 - 1, bytes)
    }

    /// The floor in bits per byte.
    pub fn floor_bits_per_byte(&self) -> Option<f64> {
        let bytes = self.scored().1 as f64;
        self.floor_bits.map(|bits| bits / bytes)
    }
}

/// What a config asks for, once the text is known. The built-in stories have few characters, and a
/// floor that is reckoned in them.
fn chosen(asked: &model::Tokenizer, text: &Text) -> model::Tokenizer {
    match asked {
        model::Tokenizer::Auto if text.sources.is_empty() => model::Tokenizer::Chars,
        model::Tokenizer::Auto => match text::choose(&text.train) {
            text::Choice::Chars => model::Tokenizer::Chars,
            text::Choice::Bpe(size) => model::Tokenizer::Bpe(size),
        },
        model::Tokenizer::Path(path) => {
            model::Tokenizer::Path(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        }
        other => other.clone(),
    }
}

/// The tokenizer of that kind.
fn tokenizer(chosen: &model::Tokenizer, text: &Text) -> Result<Tokenizer> {
    Ok(match chosen {
        model::Tokenizer::Bytes => Tokenizer::bytes(),
        model::Tokenizer::Auto | model::Tokenizer::Chars => {
            Tokenizer::chars(&[&text.train, &text.validation])?
        }
        model::Tokenizer::Bpe(size) => Tokenizer::bpe(&[&text.train], *size),
        model::Tokenizer::Path(path) => Tokenizer::open(path)?,
    })
}

fn digest(text: &Text) -> String {
    let mut hash = Sha256::new();
    hash.update((text.train.len() as u64).to_le_bytes());
    hash.update(&text.train);
    hash.update(&text.validation);
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
