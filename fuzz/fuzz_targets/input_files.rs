//! Reads arbitrary bytes as a file of every format: the first byte chooses the name.
#![no_main]

use data::{Destination, JobControl, ReadOptions, scan};
use libfuzzer_sys::fuzz_target;
use text::TokenizerKind;

const NAMES: [&str; 12] = [
    "a.txt", "a.jsonl", "a.json", "a.csv", "a.tsv", "a.html", "a.epub", "a.ipynb", "a.srt", "a.vtt",
    "a.parquet", "a.txt.gz",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, content)) = data.split_first() else {
        return;
    };
    let name = NAMES[usize::from(first & 15) % NAMES.len()];
    let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, content).expect("the file is written");
    let options = ReadOptions {
        lossy: first & 16 > 0,
        skip_bad: first & 32 > 0,
        quotes: first & 64 > 0,
        raw: first & 128 > 0,
        validation_bytes: 0,
        ..ReadOptions::default()
    };
    let control = JobControl::silent();
    let found = scan(&[path], None, &options, 0, Destination::Memory, &control);
    // Both passes see the same text.
    if let Ok(found) = found {
        let encoded = found.encode(&TokenizerKind::Bytes, None, &control);
        assert!(encoded.is_ok(), "{encoded:?}");
    }
});
