//! Parses arbitrary bytes as tokenizer.json.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::Tokenizer;

fuzz_target!(|data: &[u8]| {
    let Ok(json) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(tokenizer) = Tokenizer::from_json(json, None) else {
        return;
    };
    let text = "It's 12 \u{4F60}\u{597D},\n\n  the <|endoftext|>".as_bytes();
    if let Ok(ids) = tokenizer.encode(text) {
        assert_eq!(tokenizer.decode(&ids), text);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocabulary_size()));
        assert!(!ids.contains(&tokenizer.end_of_text()));
    }
    let config = tokenizer.config_json(64);
    let again = Tokenizer::from_json(&tokenizer.to_json(), Some(&config));
    assert_eq!(again.ok(), Some(tokenizer));
});
