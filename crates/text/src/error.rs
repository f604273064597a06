//! All errors of texts and tokenizer files.

use std::path::PathBuf;

/// What a refused tokenizer.json could be instead.
const KNOWN_TOKENIZERS: &str = "the supported kinds are this program's own and byte-level \
     BPE with the split of GPT-2, Llama 3 or Qwen2";

/// What is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder that can't be read.
    #[error("{}: can't be read: {reason}", path.display())]
    Unreadable {
        /// The path that failed.
        path: PathBuf,
        /// The system's error message.
        reason: String,
    },
    /// Bytes given to the `chars` tokenizer that aren't UTF-8.
    #[error("not UTF-8 text: the byte at offset {offset} is invalid")]
    NotUtf8 {
        /// Offset of the first invalid byte.
        offset: usize,
    },
    /// A character that the tokenizer has no token for.
    #[error(
        "unknown character {character:?} (U+{:04X}) at byte offset {offset}: \
         it doesn't occur in the text that the tokenizer was made from",
        *character as u32
    )]
    UnknownCharacter {
        /// The character.
        character: char,
        /// Its byte offset in the text.
        offset: usize,
    },
    /// A text with too few tokens.
    #[error(
        "{what} is too short: {tokens} tokens, but at least {needed} are needed; give more text{}",
        // Two is the least: one to read and one to predict.
        if *needed > 2 { " or set a smaller model.context" } else { "" }
    )]
    TooShort {
        /// Which text.
        what: String,
        /// How many tokens it has.
        tokens: usize,
        /// How many it needs.
        needed: usize,
    },
    /// A tokenizer.json of no known kind.
    #[error("tokenizer.json: {reason}; {KNOWN_TOKENIZERS}")]
    Tokenizer {
        /// What is wrong with it.
        reason: String,
    },
    /// The same, for a file whose path is known.
    #[error("{}: {reason}; {KNOWN_TOKENIZERS}", path.display())]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The same error of a text that begins `by` bytes earlier.
    pub(crate) fn moved(mut self, by: usize) -> Error {
        if let Error::NotUtf8 { offset } | Error::UnknownCharacter { offset, .. } = &mut self {
            *offset += by;
        }
        self
    }
}
