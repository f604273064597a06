//! A tokenizer in the form that llama.cpp knows as `gpt2`: names in GPT-2's byte-level alphabet,
//! and merges.
//!
//! `bytes` and `chars` have this form too. For `bytes` there are no merges. For `chars`, merges
//! join the bytes of each character and nothing else: a merge starts with a character's first byte
//! and adds the bytes that follow one by one, so none crosses into the next character.

use super::{Split, Tokenizer};
use std::collections::HashSet;

/// What an id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Bytes, in the byte-level alphabet.
    Bytes(String),
    /// A special token, to which no text encodes.
    Special(String),
    /// An id that no text and no special token uses.
    Unused,
}

/// A byte-level BPE as names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteLevel {
    /// By id.
    pub tokens: Vec<Named>,
    /// Left and right name, separated by a space, by rank.
    pub merges: Vec<String>,
    /// The split before the merges. For `bytes` and `chars` any split gives the same ids.
    pub split: Split,
    /// Whether a piece that is a token as a whole skips the merges.
    pub ignore_merges: bool,
}

/// GPT-2's printable stand-in for each byte: printable Latin-1 bytes stand for themselves, the
/// others, in order, for U+0100 and up (Radford et al. 2019, `bytes_to_unicode`).
pub(super) fn byte_alphabet() -> Vec<char> {
    let mut next = 256;
    let stand_in = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        _ => {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    };
    (0..=u8::MAX).map(stand_in).collect()
}

impl Tokenizer {
    /// This tokenizer as names and merges.
    pub fn byte_level(&self) -> ByteLevel {
        let alphabet = byte_alphabet();
        let name = |bytes: &[u8]| -> String {
            let stand_in = |&byte: &u8| alphabet[usize::from(byte)];
            bytes.iter().map(stand_in).collect()
        };
        let named = |id: u32| match &self.decode(&[id])[..] {
            [] => Named::Unused,
            bytes => Named::Bytes(name(bytes)),
        };
        let mut tokens: Vec<Named> = (0..self.vocabulary_size() as u32).map(named).collect();
        for (id, special) in self.special() {
            tokens[id as usize] = Named::Special(special.to_owned());
        }
        let pair = |left: &[u8], right: &[u8]| format!("{} {}", name(left), name(right));
        let (merges, split, ignore_merges) = match self {
            Tokenizer::Bytes => (Vec::new(), Split::Gpt2, false),
            Tokenizer::Chars(chars) => {
                let mut seen = HashSet::new();
                let mut merges = Vec::new();
                for c in chars.characters() {
                    let mut bytes = [0; 4];
                    let bytes = c.encode_utf8(&mut bytes).as_bytes();
                    for at in 1..bytes.len() {
                        if seen.insert(bytes[..=at].to_vec()) {
                            merges.push(pair(&bytes[..at], &bytes[at..=at]));
                        }
                    }
                }
                (merges, Split::Gpt2, false)
            }
            Tokenizer::Bpe(bpe) => {
                let merges = bpe.merges.iter();
                let merges = merges.map(|&(a, b, _)| pair(bpe.token(a), bpe.token(b)));
                (merges.collect(), bpe.split, bpe.ignores_merges())
            }
        };
        ByteLevel {
            tokens,
            merges,
            split,
            ignore_merges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges by name until none applies, the lowest rank first: what llama.cpp does.
    fn encode(level: &ByteLevel, text: &str) -> Vec<usize> {
        let alphabet = byte_alphabet();
        let mut symbols: Vec<String> = text
            .bytes()
            .map(|byte| alphabet[usize::from(byte)].to_string())
            .collect();
        while let Some((_, at)) = (1..symbols.len())
            .filter_map(|at| {
                let pair = format!("{} {}", symbols[at - 1], symbols[at]);
                let rank = level.merges.iter().position(|merge| *merge == pair);
                Some((rank?, at))
            })
            .min()
        {
            let right = symbols.remove(at);
            symbols[at - 1].push_str(&right);
        }
        let id = |symbol: String| {
            let token = Named::Bytes(symbol);
            level.tokens.iter().position(|t| *t == token).unwrap()
        };
        symbols.into_iter().map(id).collect()
    }

    #[test]
    fn characters_and_bytes_have_merges_that_give_the_same_ids() {
        let text = "aé你佞好\u{1F600}\u{1F601} \nāä";
        for tokenizer in [
            Tokenizer::bytes(),
            Tokenizer::chars(&[text.as_bytes()]).unwrap(),
        ] {
            let level = tokenizer.byte_level();
            let ids = tokenizer.encode(text.as_bytes()).unwrap();
            let ids: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
            assert_eq!(encode(&level, text), ids);
            let end = &level.tokens[tokenizer.end_of_text() as usize];
            assert_eq!(*end, Named::Special(super::super::END_OF_TEXT.into()));
        }
    }
}
