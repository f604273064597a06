//! The choice of tokenizer: one word in configs, on the command line and in prepared data.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How a text is cut into tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenizerKind {
    /// Chosen by size and script of the text.
    Auto,
    /// One token per byte.
    Bytes,
    /// One token per character of the text.
    Chars,
    /// Byte-level BPE with this many tokens, learned from the text.
    Bpe(usize),
    /// The same, but characters that are syllables or words (Han, kana, Hangul) are never joined
    /// with others: each is a token if it is frequent, else a few bytes.
    Syllables(usize),
    /// A tokenizer.json, or a folder with one.
    Path(PathBuf),
}

/// The sizes that a learned tokenizer may have: at least the bytes and the end of text, at most
/// what a file may hold.
const SIZES: std::ops::RangeInclusive<usize> = 257..=1_000_000;

impl TokenizerKind {
    /// The number of tokens to learn from a text, if the tokenizer is learned.
    pub fn learned(&self) -> Option<usize> {
        match self {
            TokenizerKind::Bpe(size) | TokenizerKind::Syllables(size) => Some(*size),
            _ => None,
        }
    }

    /// The word without a size or path.
    pub fn name(&self) -> &'static str {
        match self {
            TokenizerKind::Auto => "auto",
            TokenizerKind::Bytes => "bytes",
            TokenizerKind::Chars => "chars",
            TokenizerKind::Bpe(_) => "bpe",
            TokenizerKind::Syllables(_) => "syllables",
            TokenizerKind::Path(_) => "path",
        }
    }
}

impl fmt::Display for TokenizerKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            TokenizerKind::Bpe(size) | TokenizerKind::Syllables(size) => {
                write!(f, "{}:{size}", self.name())
            }
            TokenizerKind::Path(path) => write!(f, "{}", path.display()),
            other => f.write_str(other.name()),
        }
    }
}

impl FromStr for TokenizerKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sized = text.split_once(':');
        let sized = sized.and_then(|(name, size)| Some((name, size.parse().ok()?)));
        match (text, sized) {
            ("auto", _) => Ok(TokenizerKind::Auto),
            ("bytes", _) => Ok(TokenizerKind::Bytes),
            ("chars", _) => Ok(TokenizerKind::Chars),
            (_, Some(("bpe", size))) if SIZES.contains(&size) => Ok(TokenizerKind::Bpe(size)),
            (_, Some(("syllables", size))) if SIZES.contains(&size) => {
                Ok(TokenizerKind::Syllables(size))
            }
            // Any other word is more likely a mistake than a file.
            (path, _) if path.contains(['/', '\\']) || path.ends_with(".json") => {
                Ok(TokenizerKind::Path(path.into()))
            }
            (other, _) => Err(format!("{other:?} is not a tokenizer")),
        }
    }
}

impl TryFrom<String> for TokenizerKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TokenizerKind> for String {
    fn from(kind: TokenizerKind) -> String {
        kind.to_string()
    }
}
