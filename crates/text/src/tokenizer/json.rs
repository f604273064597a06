//! tokenizer.json, the file that Hugging Face `tokenizers` loads, written and read.
//!
//! `bytes` is a BPE without merges over the 256 characters of GPT-2's byte-level alphabet; `chars`
//! is a WordLevel model behind a splitter that cuts off every character; `bpe` is what GPT-2, Llama 3
//! and Qwen2 have. Unlike ours, that library turns the letters `<|endoftext|>` within a text into the
//! special token.
//!
//! A file from outside is read into a structure that has room for what these kinds need and no more;
//! lists are bounded, and no expression in it is run. What it would do to a text beside BPE is left
//! out where that is harmless (Qwen2's NFC, tokens added around a text) and refused otherwise.

use super::bpe::Bpe;
use super::split::Split;
use super::{Chars, END_OF_TEXT, Tokenizer};
use crate::Error;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

mod bounded;

use bounded::{AtMost, Merge, Vocabulary};

/// More than any published file of these kinds has, so that a hostile one can't fill the memory.
pub(super) const LARGEST_JSON: usize = 64 << 20;

/// The most ids, merges and added tokens.
const MOST_TOKENS: usize = 1 << 20;

/// WordLevel wants the name of an unknown token. A name that isn't in the vocabulary makes an
/// unknown character an error there too; being longer than a character, it never can be in it.
const NO_UNKNOWN: &str = "<|unknown characters are an error|>";

/// The expression that cuts off every character.
const EACH_CHARACTER: &str = r"[\s\S]";

/// GPT-2's printable stand-in for each byte: printable Latin-1 bytes stand for themselves, the
/// others, in order, for U+0100 and up (Radford et al. 2019, `bytes_to_unicode`).
fn byte_alphabet() -> Vec<char> {
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

impl Bpe {
    /// Pre-tokenizer and model.
    fn to_values(&self) -> (Value, Value) {
        let alphabet = byte_alphabet();
        let stands_for = |id: u32| -> String {
            self.token(id)
                .iter()
                .map(|&byte| alphabet[usize::from(byte)])
                .collect()
        };
        let ids = 0..self.vocabulary_size() as u32;
        let ordinary = ids.filter(|&id| !self.token(id).is_empty());
        let vocab = ordinary.map(|id| (stands_for(id), json!(id))).collect();
        let merges = self.merges.iter();
        let merges = merges.map(|&(a, b, _)| format!("{} {}", stands_for(a), stands_for(b)));
        let model = bpe_model(vocab, merges.collect(), self.ignores_merges());
        let cuts = match self.split {
            Split::Gpt2 => byte_level(true),
            other => json!({
                "type": "Sequence",
                "pretokenizers": [split(other.expression()), byte_level(false)],
            }),
        };
        (cuts, model)
    }
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
            Tokenizer::Bpe(bpe) => {
                let (splitter, model) = bpe.to_values();
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

    /// The tokenizer of a tokenizer.json: ours, or a byte-level BPE from outside whose split is
    /// known. `config` is the tokenizer_config.json beside it, which may name the end of a text;
    /// where neither file has one, a token is added for it.
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

    /// The tokens that no text is encoded to.
    fn special(&self) -> Vec<(u32, &str)> {
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

/// An error's text, of bounded length whatever the file has in it.
fn shortened(message: &str) -> String {
    match message.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", message.get(..at).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// The bytes of each id.
type Tokens = Vec<Vec<u8>>;
/// Ids and names of the added tokens.
type Special = Vec<(u32, String)>;

/// What of a tokenizer.json matters.
#[derive(Deserialize)]
struct File {
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

/// A normaliser, pre-tokenizer or decoder.
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

/// What of a tokenizer_config.json matters.
#[derive(Deserialize)]
struct Config {
    eos_token: Option<Name>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Token { content: String },
}

impl Name {
    fn into_text(self) -> String {
        match self {
            Name::Text(text) | Name::Token { content: text } => text,
        }
    }
}

impl Part {
    /// The expression of a part that cuts a text into its matches.
    fn cuts_at(&self) -> Option<&str> {
        let isolated = self.behavior.as_deref() == Some("Isolated") && !self.invert;
        // What is between the matches is taken away, and there is nothing between them.
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

    /// The split that a pre-tokenizer is.
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
    fn into_tokenizer(self, end: Option<&str>) -> Result<Tokenizer, String> {
        self.check_normaliser()?;
        let kind = self.model.r#type.as_deref();
        let kind = kind.or(self.model.merges.as_ref().map(|_| "BPE"));
        match kind {
            Some("WordLevel") => self.into_chars(),
            Some("BPE") if self.is_bytes() => Ok(Tokenizer::Bytes),
            Some("BPE") => Ok(Tokenizer::Bpe(Arc::new(self.into_bpe(end)?))),
            Some(other) => Err(format!("a model of type {other:?}")),
            None => Err("it has no model.type".into()),
        }
    }

    /// NFC changes hardly any text, and a model that never sees it changed learns as well.
    fn check_normaliser(&self) -> Result<(), String> {
        let Some(normaliser) = &self.normalizer else {
            return Ok(());
        };
        let harmless = |part: &Part| part.r#type == "NFC";
        let parts = normaliser.parts();
        if harmless(normaliser) || (normaliser.r#type == "Sequence" && parts.iter().all(harmless)) {
            return Ok(());
        }
        let kind = parts.first().unwrap_or(normaliser);
        Err(format!("its normaliser {:?} changes the text", kind.r#type))
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
            return Err("its WordLevel model isn't one of characters".into());
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
            return Err(format!("the id of {c:?} isn't its place by code point"));
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
            return Err("its model has a prefix or suffix for parts of words".into());
        }
        if model.dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err("its model has dropout, so that a text has no fixed ids".into());
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
                // An added token may stand in the vocabulary too.
                Some(bytes) if bytes.is_empty() => continue,
                Some(_) => return Err(format!("two tokens have the id {id}")),
                None => {}
            }
            let bytes: Option<Vec<u8>> = token.chars().map(byte).collect();
            let bytes = bytes.filter(|bytes| !bytes.is_empty());
            let bytes = bytes.ok_or_else(|| format!("the token {token:?} isn't made of bytes"))?;
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
            return Err("a token stands twice in its vocab".into());
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
                found.ok_or_else(|| format!("merge {rank} has {token:?}, which isn't in its vocab"))
            };
            merges.push((id(left)?, id(right)?, id(&joined)?));
        }
        Ok(merges)
    }
}

/// Every byte has a token, so that every text has ids; no merge takes or makes an added token, so
/// that no text is encoded to one.
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
        Some(rank) => Err(format!("merge {rank} has an added token in it")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
