//! Encodes and decodes arbitrary bytes; decodes arbitrary ids.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use text::Tokenizer;

static TOKENIZERS: LazyLock<[Tokenizer; 2]> = LazyLock::new(|| {
    let text = "The dog didn't see 1234 red balls.\n\n  \u{5C0F}\u{72D7}\u{770B}\u{89C1}\u{4E86} ".repeat(20);
    [Tokenizer::bytes(), Tokenizer::bpe(&[text.as_bytes()], 400)]
});

fuzz_target!(|data: &[u8]| {
    // Also test long repetitions.
    let long = data.first().is_some_and(|&byte| byte == b'L');
    let text = if long { data.repeat(9000 / data.len()) } else { data.to_vec() };
    let any: Vec<u32> = data.chunks(3).map(|c| c.iter().fold(0, |id, &b| id << 8 | u32::from(b))).collect();
    for tokenizer in TOKENIZERS.iter() {
        let ids = tokenizer.encode(&text).expect("every text has ids");
        assert_eq!(tokenizer.decode(&ids), text);
        assert!(!ids.contains(&tokenizer.end_of_text()));
        let bytes: usize = ids.iter().map(|&id| tokenizer.token_bytes(id)).sum();
        assert_eq!(bytes, text.len());
        if let Some(end) = tokenizer.safe_end(&text, text.len() * 2 / 3) {
            let parts = [&text[..end], &text[end..]].map(|part| tokenizer.encode(part).unwrap_or_default());
            assert_eq!(parts.concat(), ids);
        }
        tokenizer.decode(&any);
    }
});
