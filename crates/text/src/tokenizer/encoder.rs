//! Encodes many texts, keeping a cache of pieces from one to the next.

use super::bpe::Memory;
use super::{Tokenizer, utf8};
use crate::Error;

/// Encodes texts, each as [`Tokenizer::encode`] does. Words repeat, so a long series of texts is
/// faster through one encoder. It takes at most 2 MiB.
#[derive(Debug)]
pub struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    memory: Memory,
}

impl<'a> Encoder<'a> {
    /// An encoder with an empty cache.
    pub fn new(tokenizer: &'a Tokenizer) -> Encoder<'a> {
        Encoder {
            tokenizer,
            memory: Memory::default(),
        }
    }

    /// The ids of a text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode(&mut self, text: &[u8]) -> Result<Vec<u32>, Error> {
        match self.tokenizer {
            Tokenizer::Bytes => Ok(text.iter().map(|&byte| u32::from(byte)).collect()),
            Tokenizer::Chars(chars) => {
                let text = utf8(text)?;
                let mut ids = Vec::with_capacity(text.len());
                for (offset, character) in text.char_indices() {
                    let id = chars.id(character);
                    ids.push(id.ok_or(Error::UnknownCharacter { character, offset })?);
                }
                Ok(ids)
            }
            Tokenizer::Bpe(bpe) => {
                let mut ids = Vec::with_capacity(text.len() / 3);
                bpe.encode(text, &mut self.memory, &mut ids);
                Ok(ids)
            }
        }
    }
}
