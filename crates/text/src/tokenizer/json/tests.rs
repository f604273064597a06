use super::*;

fn ours() -> [Tokenizer; 3] {
    [
        Tokenizer::bytes(),
        Tokenizer::chars(&["\n b\u{4F60}\"".as_bytes()]).unwrap(),
        Tokenizer::bpe(&[b"the cat and the hat and the \xFF\xFF\xFF rat"], 270),
    ]
}

fn read(json: &str) -> Result<Tokenizer, Error> {
    Tokenizer::from_json(json, None)
}

#[test]
fn files_come_back() {
    for tokenizer in ours() {
        assert_eq!(read(&tokenizer.to_json()).unwrap(), tokenizer);
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
    assert_eq!(stand_in_order()[..2], *b"!\"");
}

#[test]
fn golden_file() {
    let golden = include_str!("../../../tests/golden/tokenizer_chars.json");
    let chars = Tokenizer::chars(&["a\n\u{4F60}".as_bytes()]).unwrap();
    assert_eq!(chars.to_json(), golden);
}

/// Features of published files that ours don't have.
#[test]
fn files_from_outside_are_read() {
    let [_, _, bpe] = ours();
    let json = bpe.to_json();
    let ids = bpe.encode(b"the cat").unwrap();
    let mut file: Value = serde_json::from_str(&json).unwrap();
    file["normalizer"] = json!({"type": "NFC"});
    file["post_processor"] = json!({"type": "TemplateProcessing", "single": []});
    let pairs = file["model"]["merges"].as_array().unwrap().iter();
    let pairs = pairs.map(|m| m.as_str().unwrap().split(' ').collect::<Vec<_>>());
    file["model"]["merges"] = json!(pairs.collect::<Vec<_>>());
    file["added_tokens"] = json!([{"id": 300, "content": "<s>"}, {"id": 301, "content": "</s>"}]);
    let end = |config| Tokenizer::from_json(&file.to_string(), config).unwrap();
    let added = end(None);
    assert_eq!(added.encode(b"the cat").unwrap(), ids);
    assert_eq!((added.end_of_text(), added.vocabulary_size()), (302, 303));
    for config in [
        r#"{"eos_token": "</s>"}"#,
        r#"{"eos_token": {"content": "</s>"}}"#,
    ] {
        let named = end(Some(config));
        assert_eq!((named.end_of_text(), named.vocabulary_size()), (301, 302));
        let again = Tokenizer::from_json(&named.to_json(), Some(&named.config_json(64)));
        assert_eq!(again.unwrap(), named);
    }
    let gpt2 = json
        .replace("\"Sequence\"", "\"ByteLevel\"")
        .replace("pretokenizers", "_");
    let gpt2 = read(&gpt2).unwrap();
    assert!(matches!(&gpt2, Tokenizer::Bpe(bpe) if bpe.split() == Split::Gpt2));
    assert_eq!(read(&gpt2.to_json()).unwrap(), gpt2);
}

fn swapped(json: &str, from: &str, to: &str) -> String {
    assert!(json.contains(from), "{from}");
    json.replace(from, to)
}

fn refused(cases: &[(String, &str)]) {
    for (case, part) in cases {
        let error = read(case).unwrap_err().to_string();
        assert!(error.contains(part), "{error:?} doesn't say {part:?}");
        assert!(
            error.contains("byte-level BPE") && error.len() < 400,
            "{error}"
        );
    }
}

#[test]
fn golden_bpe_file() {
    let golden = include_str!("../../../tests/golden/tokenizer_bpe.json");
    let text = "low lower lowest newer newest wider aaaa aaaaaa bababab\n".repeat(3);
    assert_eq!(Tokenizer::bpe(&[text.as_bytes()], 270).to_json(), golden);
}

#[test]
fn other_files_are_refused() {
    let [bytes, chars, _] = ours().map(|t| t.to_json());
    let spaced = "\"use_regex\": true, \"add_prefix_space\": true, \"_\": 0";
    let spaced = swapped(&bytes, "\"use_regex\": false", spaced);
    refused(&[
        (String::new(), "EOF"),
        ("[".repeat(100_000), "invalid type"),
        (
            format!("{{\"model\": {}", "{\"vocab\":".repeat(1000)),
            "invalid",
        ),
        (
            format!("{{\"normalizer\": {}", "{\"normalizers\":[".repeat(1000)),
            "recursion",
        ),
        ("{}".into(), "model"),
        (
            r#"{"model": {"type": "Unigram", "vocab": [["a", 0.5]]}}"#.into(),
            "Unigram",
        ),
        (r#"{"model": {"vocab": {}}}"#.into(), "model.type"),
        (swapped(&chars, "\"b\"", "\"bb\""), "one character"),
        (
            swapped(&chars, "\"b\": 3", "\"b\": 4000000000"),
            "code point",
        ),
        (swapped(&chars, "\"b\": 3", "\"b\": 2"), "code point"),
        (swapped(&chars, "Fuse", "Strip"), "characters"),
        (
            spaced.replace("\"add_prefix_space\": false,", ""),
            "space before",
        ),
        (
            swapped(&bytes, "\"merges\": []", "\"merges\": [\"ab\"]"),
            "known splits",
        ),
        (" ".repeat(LARGEST_JSON + 1), "64 MiB"),
    ]);
}

#[test]
fn bpe_files_that_would_cut_texts_otherwise_are_refused() {
    let [_, _, bpe] = ours().map(|t| t.to_json());
    let lowercase = "\"normalizer\": {\"type\": \"Lowercase\"}";
    let cases = [
        ("\"id\": 264", "\"id\": 4000000000", "out of range"),
        ("\"Ġthe\": ", "\"Ġthe\": 9000", "out of range"),
        ("\"!\": 0", "\"!\": 1", "two tokens"),
        ("\"!\": 0", "\"☃\": 0", "isn't byte-level"),
        ("\"!\": 0", "\"!!\": 0", "0x21"),
        ("\"Ġ the\"", "\"Ġ thee\"", "isn't in its vocab"),
        ("\"Ġ the\"", "\"Ġthe\"", "isn't a pair"),
        ("\"Ġ the\"", "[\"Ġ\", \"the\", \"e\"]", "isn't a pair"),
        ("\"id\": 264", "\"id\": 258", "added token"),
        ("\"dropout\": null", "\"dropout\": 0.1", "dropout"),
        ("\"normalizer\": null", lowercase, "Lowercase"),
        ("\\\\p{N}|", "(a+)+$|", "regular expression"),
    ];
    refused(&cases.map(|(from, to, part)| (swapped(&bpe, from, to), part)));
}
