//! tokenizer.json, the file that Hugging Face `tokenizers` loads, written and read.
//!
//! `bytes` is a BPE without merges over the 256 characters of GPT-2's byte-level alphabet; `chars`
//! is a WordLevel model behind a splitter that cuts off every character. Every field that the
//! library itself writes is there, so that a file which it saved again is still recognised.
//! Unlike ours, that library turns the letters `<|endoftext|>` within a text into the special token.

use crate::Error;
use crate::tokenizer::{Chars, END_OF_TEXT, Tokenizer};
use serde_json::{Map, Value, json};

/// More than every character of Unicode takes, so that a hostile file can't fill the memory.
const LARGEST_JSON: usize = 64 << 20;

/// WordLevel wants the name of an unknown token. A name that isn't in the vocabulary makes an
/// unknown character an error there too; being longer than a character, it never can be in it.
const NO_UNKNOWN: &str = "<|unknown characters are an error|>";

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

fn vocabulary(characters: &[char]) -> Map<String, Value> {
    characters
        .iter()
        .enumerate()
        .map(|(id, c)| (c.to_string(), json!(id)))
        .collect()
}

impl Tokenizer {
    /// The content of tokenizer.json.
    pub fn to_json(&self) -> String {
        let (splitter, decoder, model) = match self {
            Tokenizer::Bytes => {
                let byte_level = json!({
                    "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
                });
                let model = json!({
                    "type": "BPE", "dropout": null, "unk_token": null,
                    "continuing_subword_prefix": null, "end_of_word_suffix": null,
                    "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                    "vocab": vocabulary(&byte_alphabet()), "merges": [],
                });
                (byte_level.clone(), byte_level, model)
            }
            Tokenizer::Chars(chars) => {
                let splitter = json!({
                    "type": "Split", "pattern": {"Regex": "[\\s\\S]"}, "behavior": "Isolated", "invert": false,
                });
                let vocab = vocabulary(chars.characters());
                let model = json!({"type": "WordLevel", "vocab": vocab, "unk_token": NO_UNKNOWN});
                (splitter, json!({"type": "Fuse"}), model)
            }
        };
        let end = json!({
            "id": self.end_of_text(), "content": END_OF_TEXT, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        });
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [end],
            "normalizer": null, "pre_tokenizer": splitter, "post_processor": null,
            "decoder": decoder, "model": model,
        });
        format!("{file:#}\n")
    }

    /// The tokenizer of a tokenizer.json. Only what [`Tokenizer::to_json`] writes is accepted (in
    /// any layout): a file that merely resembles it might cut texts differently.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Tokenizer { reason };
        if json.len() > LARGEST_JSON {
            return Err(refuse(format!("larger than {} MiB", LARGEST_JSON >> 20)));
        }
        let file: Value =
            serde_json::from_str(json).map_err(|e| refuse(format!("not valid JSON: {e}")))?;
        let tokenizer = match file.pointer("/model/type").and_then(Value::as_str) {
            Some("BPE") => Tokenizer::Bytes,
            Some("WordLevel") => Tokenizer::Chars(read_chars(&file)?),
            Some(other) => return Err(refuse(format!("a model of type {other:?}"))),
            None => return Err(refuse("it has no model.type".into())),
        };
        let expected: Value = serde_json::from_str(&tokenizer.to_json())
            .map_err(|e| refuse(format!("not valid JSON: {e}")))?;
        let cuts = [
            "model",
            "added_tokens",
            "normalizer",
            "pre_tokenizer",
            "decoder",
        ];
        if let Some(key) = cuts
            .into_iter()
            .find(|key| file.get(key) != expected.get(key))
        {
            let kind = tokenizer.kind();
            return Err(refuse(format!(
                "{key:?} isn't that of a {kind:?} tokenizer"
            )));
        }
        // `transformers` saves a template that adds nothing in place of null.
        let adds = file
            .pointer("/post_processor/special_tokens")
            .and_then(Value::as_object);
        if file.get("post_processor") != Some(&Value::Null) && adds.is_none_or(|a| !a.is_empty()) {
            return Err(refuse("its post_processor adds tokens".into()));
        }
        Ok(tokenizer)
    }

    /// The content of tokenizer_config.json for a model of `context` tokens.
    pub fn config_json(&self, context: usize) -> String {
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT,
            "clean_up_tokenization_spaces": false,
            "model_max_length": context,
        });
        format!("{config:#}\n")
    }
}

/// The characters of a WordLevel vocabulary, in the order of their ids.
fn read_chars(file: &Value) -> Result<Chars, Error> {
    let refuse = |reason: String| Error::Tokenizer { reason };
    let vocab = file.pointer("/model/vocab").and_then(Value::as_object);
    let vocab = vocab.ok_or_else(|| refuse("its model has no vocab".into()))?;
    let mut sorted = Vec::with_capacity(vocab.len());
    for word in vocab.keys() {
        let mut characters = word.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) => sorted.push(c),
            _ => return Err(refuse(format!("{word:?} in its vocab isn't one character"))),
        }
    }
    // Ids in any other order than that of the code points are caught by the comparison of the whole.
    sorted.sort_unstable();
    Ok(Chars::from_sorted(sorted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> [Tokenizer; 2] {
        [
            Tokenizer::bytes(),
            Tokenizer::chars(&["\n b\u{4F60}\"".as_bytes()]).unwrap(),
        ]
    }

    #[test]
    fn files_come_back() {
        for tokenizer in both() {
            assert_eq!(
                Tokenizer::from_json(&tokenizer.to_json()).unwrap(),
                tokenizer
            );
        }
    }

    #[test]
    fn the_alphabet_is_that_of_gpt2() {
        let alphabet = byte_alphabet();
        let at = |byte: u8| alphabet[byte as usize];
        assert_eq!([at(b' '), at(b'\n'), at(b'a')], ['\u{120}', '\u{10A}', 'a']);
        assert_eq!(
            [at(0), at(0x7F), at(0xAD), at(0xFF)],
            ['\u{100}', '\u{121}', '\u{143}', '\u{FF}']
        );
    }

    #[test]
    fn golden_file() {
        let golden = include_str!("../tests/golden/tokenizer_chars.json");
        assert_eq!(
            Tokenizer::chars(&["a\n\u{4F60}".as_bytes()])
                .unwrap()
                .to_json(),
            golden
        );
    }

    #[test]
    fn other_files_are_refused() {
        let [bytes, chars] = both().map(|t| t.to_json());
        let cases = [
            String::new(),
            "[".repeat(100_000),
            "{}".into(),
            r#"{"model": {"type": "Unigram"}}"#.into(),
            r#"{"model": {"type": "WordLevel", "vocab": {"ab": 0}}}"#.into(),
            bytes.replace("\"merges\": []", "\"merges\": [\"a b\"]"),
            bytes.replace("\"use_regex\": false", "\"use_regex\": true"),
            bytes.replace(
                "\"post_processor\": null",
                "\"post_processor\": {\"type\": \"BertProcessing\"}",
            ),
            chars.replace("\"b\": 3", "\"b\": 4000000000"),
            chars.replace("\"b\": 3", "\"b\": 2"),
            chars.replace("Fuse", "Strip"),
            " ".repeat(LARGEST_JSON + 1),
        ];
        for case in cases {
            let error = Tokenizer::from_json(&case).unwrap_err().to_string();
            assert!(error.contains("\"bytes\" and \"chars\""), "{error}");
            assert!(error.len() < 300, "{error}");
        }
    }
}
