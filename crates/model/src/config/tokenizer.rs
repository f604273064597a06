//! How a text is to be cut into tokens, as a config says it: one word.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// `data.tokenizer`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tokenizer {
    /// Chosen by the text's size and script.
    Auto,
    /// One token a byte.
    Bytes,
    /// One token a character of the text.
    Chars,
    /// Byte-level BPE of so many tokens, learnt from the text.
    Bpe(usize),
    /// A tokenizer.json, or a folder with one.
    Path(PathBuf),
}

/// The sizes that `bpe` may have: at least the bytes and the end of text, at most what a file may have.
const SIZES: std::ops::RangeInclusive<usize> = 257..=1_000_000;

impl TryFrom<String> for Tokenizer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let size = text.strip_prefix("bpe:").and_then(|size| size.parse().ok());
        match (text.as_str(), size) {
            ("auto", _) => Ok(Tokenizer::Auto),
            ("bytes", _) => Ok(Tokenizer::Bytes),
            ("chars", _) => Ok(Tokenizer::Chars),
            (_, Some(size)) if SIZES.contains(&size) => Ok(Tokenizer::Bpe(size)),
            // Any other word is more likely a mistake than a file.
            (path, _) if path.contains(['/', '\\']) || path.ends_with(".json") => {
                Ok(Tokenizer::Path(path.into()))
            }
            (other, _) => Err(format!("{other:?} is no tokenizer")),
        }
    }
}

impl From<Tokenizer> for String {
    fn from(tokenizer: Tokenizer) -> String {
        tokenizer.to_string()
    }
}

impl fmt::Display for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Tokenizer::Auto => f.write_str("auto"),
            Tokenizer::Bytes => f.write_str("bytes"),
            Tokenizer::Chars => f.write_str("chars"),
            Tokenizer::Bpe(size) => write!(f, "bpe:{size}"),
            Tokenizer::Path(path) => write!(f, "{}", path.display()),
        }
    }
}
