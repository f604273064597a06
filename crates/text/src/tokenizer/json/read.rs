//! Parses any tokenizer.json into a structure with only the fields that the known kinds need, then
//! checks it.

use super::bounded::{AtMost, Merge, Vocabulary};
use super::{EACH_CHARACTER, MOST_TOKENS};
use crate::tokenizer::bpe::Bpe;
use crate::tokenizer::byte_level::byte_alphabet;
use crate::tokenizer::split::Split;
use crate::tokenizer::{Chars, END_OF_TEXT, Tokenizer};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// The bytes of each id.
type Tokens = Vec<Vec<u8>>;
/// Ids and names of the added tokens.
type Special = Vec<(u32, String)>;

/// The fields of a tokenizer.json that matter.
#[derive(Deserialize)]
pub(super) struct File {
    added_tokens: Option<AtMost<MOST_TOKENS, Added>>,
    normalizer: Option<Part>,
    pre_tokenizer: Option<Part>,
    decoder: Option<Part>,
    model: Model,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

/// A normalizer, pre-tokenizer or decoder.
#[derive(Deserialize)]
struct Part {
    r#type: String,
    #[serde(alias = "normalizers", alias = "decoders")]
    pretokenizers: Option<AtMost<8, Part>>,
    pattern: Option<Pattern>,
    behavior: Option<String>,
    #[serde(default)]
    invert: bool,
    #[serde(default)]
    add_prefix_space: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Pattern {
    #[serde(rename = "Regex")]
    regex: Option<String>,
}

#[derive(Deserialize)]
struct Model {
    r#type: Option<String>,
    #[serde(default)]
    vocab: Vocabulary,
    merges: Option<AtMost<MOST_TOKENS, Merge>>,
    dropout: Option<f64>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    ignore_merges: bool,
}

/// The fields of a tokenizer_config.json that matter.
#[derive(Deserialize)]
pub(super) struct Config {
    pub eos_token: Option<Name>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    Text(String),
    Token { content: String },
}

impl Name {
    pub fn into_text(self) -> String {
        match self {
            Name::Text(text) | Name::Token { content: text } => text,
        }
    }
}

impl Part {
    /// The expression of a part that splits a text into its matches.
    fn cuts_at(&self) -> Option<&str> {
        let isolated = self.behavior.as_deref() == Some("Isolated") && !self.invert;
        // Text between the matches is removed, but these expressions leave none.
        let kept = self.behavior.as_deref() == Some("Removed") && self.invert;
        let expression = self.pattern.as_ref()?.regex.as_deref();
        expression.filter(|_| self.r#type == "Split" && (isolated || kept))
    }

    fn is_byte_level(&self) -> bool {
        self.r#type == "ByteLevel" && !self.add_prefix_space
    }

    fn parts(&self) -> &[Part] {
        self.pretokenizers.as_ref().map_or(&[], |parts| &parts.0)
    }

    /// The split that this pre-tokenizer performs.
    fn split(&self) -> Result<Split, String> {
        let unknown = |what: &str| {
            let known = Split::ALL.map(Split::name).join(", ");
            Err(format!(
                "{what} is not on the list of known splits ({known})"
            ))
        };
        match self.parts() {
            [] if self.is_byte_level() && self.use_regex => Ok(Split::Gpt2),
            [cuts, bytes]
                if self.r#type == "Sequence" && bytes.is_byte_level() && !bytes.use_regex =>
            {
                let Some(expression) = cuts.cuts_at() else {
                    return unknown(&format!("its pre-tokenizer {:?}", cuts.r#type));
                };
                let known = Split::ALL
                    .into_iter()
                    .find(|split| split.expression() == expression);
                known.map_or_else(
                    || unknown("the regular expression of its pre-tokenizer"),
                    Ok,
                )
            }
            [] if self.add_prefix_space => Err("it puts a space before every text".into()),
            _ => unknown(&format!("its pre-tokenizer {:?}", self.r#type)),
        }
    }
}

impl File {
    pub fn into_tokenizer(self, end: Option<&str>) -> Result<Tokenizer, String> {
        self.check_normalizer()?;
        let kind = self.model.r#type.as_deref();
        let kind = kind.or(self.model.merges.as_ref().map(|_| "BPE"));
        match kind {
            Some("WordLevel") => self.into_chars(),
            Some("BPE") if self.is_bytes() => Ok(Tokenizer::Bytes),
            Some("BPE") => Ok(Tokenizer::Bpe(Arc::new(self.into_bpe(end)?))),
            Some(other) => Err(format!("its model has the type {other:?}")),
            None => Err("it has no model.type".into()),
        }
    }

    /// Allows NFC: it changes hardly any text, and a model trained without it learns as well.
    fn check_normalizer(&self) -> Result<(), String> {
        let Some(normalizer) = &self.normalizer else {
            return Ok(());
        };
        let harmless = |part: &Part| part.r#type == "NFC";
        let parts = normalizer.parts();
        if harmless(normalizer) || (normalizer.r#type == "Sequence" && parts.iter().all(harmless)) {
            return Ok(());
        }
        let kind = parts.first().unwrap_or(normalizer);
        Err(format!("its normalizer {:?} changes the text", kind.r#type))
    }

    fn added(&self) -> &[Added] {
        self.added_tokens.as_ref().map_or(&[], |added| &added.0)
    }

    fn merges(&self) -> &[Merge] {
        self.model.merges.as_ref().map_or(&[], |merges| &merges.0)
    }

    /// Whether the end of text is the only added token, and comes right after the others.
    fn ends_with_end_of_text(&self) -> bool {
        match self.added() {
            [end] => end.content == END_OF_TEXT && end.id as usize == self.model.vocab.0.len(),
            _ => false,
        }
    }

    fn is_bytes(&self) -> bool {
        let whole = self
            .pre_tokenizer
            .as_ref()
            .is_some_and(|p| p.is_byte_level() && !p.use_regex);
        let expected = byte_alphabet();
        let same = |(token, id): &(String, u32)| {
            expected
                .get(*id as usize)
                .is_some_and(|c| token.chars().eq([*c]))
        };
        let vocab = &self.model.vocab.0;
        let is_alphabet = vocab.len() == expected.len() && vocab.iter().all(same);
        whole && is_alphabet && self.merges().is_empty() && self.ends_with_end_of_text()
    }

    /// The characters of a WordLevel vocabulary, in the order of their ids.
    fn into_chars(self) -> Result<Tokenizer, String> {
        let cuts = self.pre_tokenizer.as_ref().and_then(Part::cuts_at);
        let fuses = self
            .decoder
            .as_ref()
            .is_some_and(|decoder| decoder.r#type == "Fuse");
        if cuts != Some(EACH_CHARACTER) || !fuses || !self.ends_with_end_of_text() {
            return Err("its WordLevel model doesn't split text into characters".into());
        }
        let mut sorted = Vec::with_capacity(self.model.vocab.0.len());
        for (word, id) in &self.model.vocab.0 {
            let mut characters = word.chars();
            match (characters.next(), characters.next()) {
                (Some(c), None) => sorted.push((c, *id)),
                _ => return Err(format!("{word:?} in its vocab isn't one character")),
            }
        }
        sorted.sort_unstable();
        let misplaced = sorted
            .iter()
            .enumerate()
            .find(|(at, (_, id))| *at != *id as usize);
        if let Some((_, (c, _))) = misplaced {
            return Err(format!("the id of {c:?} isn't its position by code point"));
        }
        let sorted = sorted.into_iter().map(|(c, _)| c).collect();
        Ok(Tokenizer::Chars(Chars::from_sorted(sorted)))
    }

    fn into_bpe(self, end: Option<&str>) -> Result<Bpe, String> {
        let split = self
            .pre_tokenizer
            .as_ref()
            .ok_or("it has no pre_tokenizer")?
            .split()?;
        let decoder = self.decoder.as_ref().map(|decoder| decoder.r#type.as_str());
        if decoder != Some("ByteLevel") {
            return Err("its decoder isn't ByteLevel".into());
        }
        let model = &self.model;
        let affix = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if affix(&model.continuing_subword_prefix) || affix(&model.end_of_word_suffix) {
            return Err("its model has a prefix or suffix for subwords".into());
        }
        if model.dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err("its model uses dropout, so a text has no fixed ids".into());
        }
        let (mut tokens, mut special) = self.tokens()?;
        let merges = self.merge_ids()?;
        check_tokens(&tokens, &merges)?;
        let named = |name: &str| special.iter().find(|(_, content)| content == name);
        let end = end
            .and_then(named)
            .or_else(|| named(END_OF_TEXT))
            .map(|(id, _)| *id);
        let end = end.unwrap_or_else(|| {
            tokens.push(Vec::new());
            special.push((tokens.len() as u32 - 1, END_OF_TEXT.into()));
            tokens.len() as u32 - 1
        });
        Ok(Bpe::new(
            split,
            &tokens,
            merges,
            special,
            end,
            model.ignore_merges,
        ))
    }

    /// The bytes of each id, none for an added token; and the added tokens.
    fn tokens(&self) -> Result<(Tokens, Special), String> {
        let vocab = &self.model.vocab.0;
        let ids = vocab
            .iter()
            .map(|(_, id)| *id)
            .chain(self.added().iter().map(|added| added.id));
        let size = ids.max().map_or(0, |id| id as usize + 1);
        if size > MOST_TOKENS {
            return Err(format!(
                "the id {} is out of range (below {MOST_TOKENS})",
                size - 1
            ));
        }
        let mut bytes_of = [None; 512];
        for (byte, c) in (0..=u8::MAX).zip(byte_alphabet()) {
            bytes_of[c as usize] = Some(byte);
        }
        let byte = |c: char| bytes_of.get(c as usize).copied().flatten();
        let mut tokens: Vec<Option<Vec<u8>>> = vec![None; size];
        let mut special = Vec::new();
        for added in self.added() {
            let place = &mut tokens[added.id as usize];
            if place.replace(Vec::new()).is_some() {
                return Err(format!("two added tokens have the id {}", added.id));
            }
            special.push((added.id, added.content.clone()));
        }
        for (token, id) in vocab {
            let place = &mut tokens[*id as usize];
            match place {
                // An added token may be in the vocabulary too.
                Some(bytes) if bytes.is_empty() => continue,
                Some(_) => return Err(format!("two tokens have the id {id}")),
                None => {}
            }
            let bytes: Option<Vec<u8>> = token.chars().map(byte).collect();
            let bytes = bytes.filter(|bytes| !bytes.is_empty());
            let bytes = bytes.ok_or_else(|| format!("the token {token:?} isn't byte-level"))?;
            *place = Some(bytes);
        }
        special.sort();
        Ok((
            tokens.into_iter().map(Option::unwrap_or_default).collect(),
            special,
        ))
    }

    /// Left, right and merged id of each merge, in order.
    fn merge_ids(&self) -> Result<Vec<(u32, u32, u32)>, String> {
        let vocab = self.model.vocab.0.iter();
        let ids: HashMap<&str, u32> = vocab.map(|(token, id)| (token.as_str(), *id)).collect();
        if ids.len() != self.model.vocab.0.len() {
            return Err("a token occurs twice in its vocab".into());
        }
        let mut joined = String::new();
        let mut merges = Vec::with_capacity(self.merges().len());
        for (rank, merge) in self.merges().iter().enumerate() {
            let (left, right) = merge
                .parts()
                .ok_or_else(|| format!("merge {rank} isn't a pair"))?;
            joined.clear();
            joined.extend([left, right]);
            let id = |token: &str| {
                let found = ids.get(token).copied();
                found
                    .ok_or_else(|| format!("merge {rank} uses {token:?}, which isn't in its vocab"))
            };
            merges.push((id(left)?, id(right)?, id(&joined)?));
        }
        Ok(merges)
    }
}

/// Checks that every byte has a token, so every text can be encoded, and that no merge uses or
/// makes an added token, so no text encodes to one.
fn check_tokens(tokens: &[Vec<u8>], merges: &[(u32, u32, u32)]) -> Result<(), String> {
    let mut missing = [true; 256];
    for token in tokens {
        if let [byte] = token[..] {
            missing[usize::from(byte)] = false;
        }
    }
    if let Some(byte) = missing.iter().position(|missing| *missing) {
        return Err(format!("no token stands for the byte 0x{byte:02X}"));
    }
    let empty = |id: u32| tokens.get(id as usize).is_none_or(Vec::is_empty);
    let bad = |&(a, b, c): &(u32, u32, u32)| empty(a) || empty(b) || empty(c);
    match merges.iter().position(bad) {
        Some(rank) => Err(format!("merge {rank} contains an added token")),
        None => Ok(()),
    }
}
