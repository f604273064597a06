//! Text to token ids and back.
//!
//! There are three kinds, each saved as a tokenizer.json (see `json.rs`). A new kind is a new
//! variant of [`Tokenizer`].

mod bpe;
mod byte_level;
mod dropout;
mod encoder;
mod json;
mod learn;
mod parallel;
mod split;

use crate::{Error, TokenizerKind, choose};
use json::stand_in_order;
use std::path::Path;
use std::sync::Arc;

pub use bpe::Bpe;
pub use byte_level::{ByteLevel, Named};
pub use dropout::MergeDropout;
pub use encoder::Encoder;
pub use learn::SAMPLE_BYTES;
pub use split::{LONGEST_RUN, Split};

/// The token that ends a text. No text is encoded to it.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// A map between text and token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tokenizer {
    /// A token for each byte, its id the byte's value; then the end of text, 256.
    Bytes,
    /// A token for each character of a closed set.
    Chars(Chars),
    /// Tokens of one or more bytes, learned from a text.
    Bpe(Arc<Bpe>),
}

/// The characters of the `chars` tokenizer; a character's id is its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chars {
    /// Sorted by code point, without duplicates.
    sorted: Vec<char>,
    /// Ids of the ASCII characters, `u32::MAX` for those without one: a fast path.
    ascii: Vec<u32>,
}

impl Chars {
    /// From characters sorted by code point.
    pub(crate) fn from_sorted(sorted: Vec<char>) -> Self {
        let mut ascii = vec![u32::MAX; 128];
        for (id, &c) in sorted.iter().enumerate() {
            if let Some(place) = ascii.get_mut(c as usize) {
                *place = id as u32;
            }
        }
        Chars { sorted, ascii }
    }

    /// The characters, sorted by code point.
    pub fn characters(&self) -> &[char] {
        &self.sorted
    }

    fn id(&self, c: char) -> Option<u32> {
        match self.ascii.get(c as usize) {
            Some(&id) => (id != u32::MAX).then_some(id),
            None => self.sorted.binary_search(&c).ok().map(|id| id as u32),
        }
    }
}

fn utf8(text: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(text).map_err(|e| Error::NotUtf8 {
        offset: e.valid_up_to(),
    })
}

impl Tokenizer {
    /// Makes a tokenizer of the given kind: `chars` from all characters of `whole`, `bpe` from
    /// `sample`, which also resolves `auto`.
    ///
    /// # Errors
    /// If `whole` isn't UTF-8, or a tokenizer.json can't be read.
    pub fn make(kind: &TokenizerKind, whole: &[&[u8]], sample: &[&[u8]]) -> Result<Self, Error> {
        match kind {
            TokenizerKind::Auto => Tokenizer::make(&choose(&sample.concat()), whole, sample),
            TokenizerKind::Bytes => Ok(Tokenizer::Bytes),
            TokenizerKind::Chars => Tokenizer::chars(whole),
            TokenizerKind::Bpe(size) => Ok(Tokenizer::bpe(sample, *size)),
            TokenizerKind::Syllables(size) => Ok(Tokenizer::syllables(sample, *size)),
            TokenizerKind::Path(path) => Tokenizer::open(path),
        }
    }

    /// The tokenizer of raw bytes.
    pub fn bytes() -> Self {
        Tokenizer::Bytes
    }

    /// The tokenizer of all characters of all `texts` (training and validation), sorted by code
    /// point. Errors on a text that isn't UTF-8.
    pub fn chars(texts: &[&[u8]]) -> Result<Self, Error> {
        let mut seen = vec![false; char::MAX as usize + 1];
        for text in texts {
            for c in utf8(text)?.chars() {
                seen[c as usize] = true;
            }
        }
        let codes = (0..=char::MAX as u32).filter(|&code| seen[code as usize]);
        Ok(Tokenizer::Chars(Chars::from_sorted(
            codes.filter_map(char::from_u32).collect(),
        )))
    }

    /// A byte-level BPE of at most `size` tokens, learned from `texts`; beyond [`SAMPLE_BYTES`],
    /// from parts spread evenly over them. It has fewer than `size` tokens if no pair of tokens
    /// occurs twice, but always the 256 bytes and the end of text.
    pub fn bpe(texts: &[&[u8]], size: usize) -> Self {
        Tokenizer::learned(texts, size, Split::Qwen2)
    }

    /// The same, but no token joins a syllable with anything else.
    pub fn syllables(texts: &[&[u8]], size: usize) -> Self {
        let counted = learn::count_apart(texts, Split::Qwen2);
        Tokenizer::Bpe(Arc::new(learn::learn(&counted, size, Split::Qwen2)))
    }

    /// As [`Tokenizer::bpe`], with another split.
    pub(crate) fn learned(texts: &[&[u8]], size: usize, split: Split) -> Self {
        let counted = learn::count_words(texts, split);
        Tokenizer::Bpe(Arc::new(learn::learn(&counted, size, split)))
    }

    /// Opens a tokenizer.json, or a folder that contains one (a Hugging Face model).
    ///
    /// # Errors
    /// If it can't be read, or isn't of a known kind.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = path.is_dir();
        let file = if folder {
            path.join("tokenizer.json")
        } else {
            path.to_owned()
        };
        let unreadable = |e: std::io::Error| Error::Unreadable {
            path: file.clone(),
            reason: e.to_string(),
        };
        let size = std::fs::metadata(&file).map_err(unreadable)?.len();
        let refuse = |reason: String| Error::TokenizerFile {
            path: file.clone(),
            reason,
        };
        if size > json::LARGEST_JSON as u64 {
            return Err(refuse(format!(
                "larger than {} MiB",
                json::LARGEST_JSON >> 20
            )));
        }
        let bytes = std::fs::read(&file).map_err(unreadable)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse("not UTF-8".into()))?;
        // Beside the file, so that a file and its folder give the same tokenizer.
        let config = file.with_file_name("tokenizer_config.json");
        let small = std::fs::metadata(&config).is_ok_and(|m| m.len() <= json::LARGEST_JSON as u64);
        let config = std::fs::read_to_string(config).ok().filter(|_| small);
        Tokenizer::from_json(text, config.as_deref()).map_err(|error| match error {
            Error::Tokenizer { reason } => refuse(reason),
            other => other,
        })
    }

    /// The kind that makes a similar tokenizer: `bytes`, `chars`, or `bpe` of this size.
    pub fn kind(&self) -> TokenizerKind {
        match self {
            Tokenizer::Bytes => TokenizerKind::Bytes,
            Tokenizer::Chars(_) => TokenizerKind::Chars,
            Tokenizer::Bpe(bpe) => TokenizerKind::Bpe(bpe.vocabulary_size()),
        }
    }

    /// The number of ids, including the end of text.
    pub fn vocabulary_size(&self) -> usize {
        match self {
            Tokenizer::Bytes => 257,
            Tokenizer::Chars(chars) => chars.sorted.len() + 1,
            Tokenizer::Bpe(bpe) => bpe.vocabulary_size(),
        }
    }

    /// The id of the end of text: the last one, except in some tokenizers made elsewhere.
    pub fn end_of_text(&self) -> u32 {
        match self {
            Tokenizer::Bytes => 256,
            Tokenizer::Chars(chars) => chars.sorted.len() as u32,
            Tokenizer::Bpe(bpe) => bpe.end_of_text,
        }
    }

    /// The ids of a text. `chars` returns an error for invalid UTF-8 and for unknown characters: an
    /// unknown token would distort bits per byte. No text encodes to a special token, not even one
    /// that spells its name. For many texts, an [`Encoder`] is faster.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<u32>, Error> {
        Encoder::new(self).encode(text)
    }

    /// The bytes of the ids. The end of text and ids outside the vocabulary have none.
    pub fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut text = Vec::with_capacity(ids.len());
        for &id in ids {
            match self {
                Tokenizer::Bytes => text.extend(u8::try_from(id).ok()),
                Tokenizer::Chars(chars) => {
                    if let Some(c) = chars.sorted.get(id as usize) {
                        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                Tokenizer::Bpe(bpe) => text.extend_from_slice(bpe.token(id)),
            }
        }
        text
    }

    /// How many raw bytes a token stands for, to compute bits per byte.
    pub fn token_bytes(&self, id: u32) -> usize {
        match self {
            Tokenizer::Bytes => usize::from(id < 256),
            Tokenizer::Chars(chars) => chars.sorted.get(id as usize).map_or(0, |c| c.len_utf8()),
            Tokenizer::Bpe(bpe) => bpe.token(id).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, RandomUse};

    const MIXED: &str = "  Hello, \u{4F60}\u{597D}\n\t\u{1F600} caf\u{E9} ";

    #[test]
    fn texts_come_back_and_their_bytes_add_up() {
        for tokenizer in [
            Tokenizer::bytes(),
            Tokenizer::chars(&[MIXED.as_bytes()]).unwrap(),
            Tokenizer::bpe(&[MIXED.repeat(9).as_bytes()], 280),
        ] {
            let ids = tokenizer.encode(MIXED.as_bytes()).unwrap();
            assert_eq!(tokenizer.decode(&ids), MIXED.as_bytes());
            let bytes: usize = ids.iter().map(|&id| tokenizer.token_bytes(id)).sum();
            assert_eq!(bytes, MIXED.len());
            assert!(
                tokenizer
                    .decode(&[tokenizer.end_of_text(), 999_999, u32::MAX])
                    .is_empty()
            );
        }
    }

    #[test]
    fn any_text_of_known_characters_comes_back() {
        let mut random = Random::new(11, RandomUse::TrainTales, 0);
        for n in 0..300 {
            // Characters of all planes, few or many.
            let most = [0x80, 0x800, 0x3000, 0x11_0000][n % 4];
            let mut known: Vec<char> = (0..1 + random.below(200))
                .filter_map(|_| char::from_u32(random.below(most) as u32))
                .collect();
            known.push('\n');
            let all: String = known.iter().collect();
            let tokenizer = Tokenizer::chars(&[all.as_bytes()]).unwrap();
            let pick = |_| known[random.below(known.len() as u64) as usize];
            let text: String = (0..n).map(pick).collect();
            let ids = tokenizer.encode(text.as_bytes()).unwrap();
            assert_eq!(ids.len(), text.chars().count());
            assert_eq!(tokenizer.decode(&ids), text.as_bytes());
            assert!(!ids.contains(&tokenizer.end_of_text()));
            // And after a round trip through the file.
            let again = Tokenizer::from_json(&tokenizer.to_json(), None).unwrap();
            assert_eq!(again.encode(text.as_bytes()).unwrap(), ids);
        }
    }

    #[test]
    fn chars_are_sorted_by_code_point_over_all_texts() {
        let tokenizer = Tokenizer::chars(&[b"cab", "\u{E9}a".as_bytes()]).unwrap();
        assert_eq!(tokenizer.vocabulary_size(), 5);
        assert_eq!(
            tokenizer.encode("abc\u{E9}".as_bytes()).unwrap(),
            [0, 1, 2, 3]
        );
        assert_eq!(tokenizer.end_of_text(), 4);
    }

    #[test]
    fn an_unknown_character_is_named_and_invalid_utf8_is_placed() {
        let tokenizer = Tokenizer::chars(&[b"abc"]).unwrap();
        let error = tokenizer
            .encode("ab\u{4F60}".as_bytes())
            .unwrap_err()
            .to_string();
        for part in ["'\u{4F60}'", "U+4F60", "offset 2"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(tokenizer.encode(b"abz").is_err(), "the ASCII fast path");
        let error = Tokenizer::chars(&[b"fine", b"ab\xFF"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("offset 2"), "{error}");
    }
}
