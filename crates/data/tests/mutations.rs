//! Mutated input files: whatever the bytes, the parser returns documents or one clear error, and
//! never panics, hangs or exhausts memory.
//!
//! A test run tries a few hundred files of each kind. To search longer, with other seeds:
//!
//! ```text
//! MUTATE_SECONDS=600 MUTATE_SEED=2 cargo test --release -p downhill-data --test mutations parquet
//! ```
#![allow(clippy::unwrap_used)]

mod common;

use common::{Files, all, gz, parquet, read, with_bytes, zst};
use data::{Destination, JobControl, Prepared, ReadOptions};
use std::time::{Duration, Instant};
use text::random::{Random, RandomUse};

/// Files of each kind in a normal run.
const TRIES: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Calls `check` with mutations of the seeds.
fn mutate(seeds: &[Vec<u8>], words: &[&[u8]], mut check: impl FnMut(&[u8])) {
    let time = number("MUTATE_SECONDS").map(Duration::from_secs);
    let seed = number("MUTATE_SEED").unwrap_or(1);
    let from = Instant::now();
    let mut tries = 0;
    while match time {
        Some(time) => from.elapsed() < time,
        None => tries < TRIES,
    } {
        let mut random = Random::new(seed, RandomUse::Documents, tries);
        let mut below = |n: usize| random.below(n.max(1) as u64) as usize;
        let mut bytes = seeds[below(seeds.len())].clone();
        for _ in 0..=below(6) {
            let at = below(bytes.len() + 1);
            match below(7) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << below(8),
                2 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][below(5)],
                3 => {
                    let word = words[below(words.len())];
                    bytes.splice(at..at, word.iter().copied());
                }
                4 => {
                    let end = (at + below(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
                5 => {
                    let end = (at + below(40)).min(bytes.len());
                    let part = bytes[at..end].repeat(1 + below(4));
                    let to = below(bytes.len() + 1);
                    bytes.splice(to..to, part);
                }
                _ => {
                    let other = &seeds[below(seeds.len())];
                    let part = &other[below(other.len())..];
                    let part = part[..part.len().min(64)].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        check(&bytes);
        tries += 1;
    }
    println!("{tries} files in {:.0} s", from.elapsed().as_secs_f64());
}

/// Reads mutations of a file with this name in every mode.
fn read_mutations(name: &str, seeds: &[Vec<u8>], words: &[&[u8]]) {
    let files = Files::new();
    mutate(seeds, words, |bytes| {
        let path = files.put(name, bytes);
        for (skip_bad, lossy) in [(false, false), (true, false), (true, true)] {
            let o = ReadOptions {
                skip_bad,
                lossy,
                ..all()
            };
            if let Err(error) = read(std::slice::from_ref(&path), &o) {
                let told = error.to_string();
                assert!(!told.is_empty() && told.len() < 1000, "{told}");
            }
        }
    });
}

const JSON_WORDS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\\u",
    b"\\ud800",
    b"1e999",
    b"\"text\":",
    b"null",
    b"\xFF",
    b"\xEF\xBB\xBF",
    b"[[[[[[[[",
];

#[test]
fn jsonl() {
    let seed =
        b"{\"text\": \"a \\u4f60\\n\", \"n\": [1, 2.5e3, true]}\n\"b\"\n{\"content\": \"c\"}\n";
    read_mutations("a.jsonl", &[seed.to_vec()], JSON_WORDS);
}

#[test]
fn json() {
    let seeds: [&[u8]; 2] = [
        b"[{\"text\": \"a\", \"x\": {\"y\": [\"}\"]}},\n \"b\", {\"content\": \"c\\\"\"}]\n",
        b"{\"text\": \"a\"} {\"text\":\"b\"}\n\"c\" 12",
    ];
    read_mutations("a.json", &seeds.map(<[u8]>::to_vec), JSON_WORDS);
}

#[test]
fn csv() {
    let seed = "id,text,more\n1,\"a, \"\"b\"\"\nc\",x\n2,你好,y\r\n3,,\n";
    let words: &[&[u8]] = &[
        b"\"", b",", b"\n", b"\r", b"text", b"\0", b"\xFF", b"\"\"\"",
    ];
    read_mutations("a.csv", &[seed.as_bytes().to_vec()], words);
}

#[test]
fn pages_and_books() {
    let page = "<html><title>T</title><body><p>a &amp; b<br>c<pre> d</pre><script>x</script>";
    let words: &[&[u8]] = &[
        b"<", b">", b"</p>", b"<svg>", b"&#", b"<!--", b"\xFF", b"<pre>",
    ];
    read_mutations("a.html", &[page.as_bytes().to_vec()], words);
    let package = "<package><item id='a' href='a.xhtml'/><spine><itemref idref='a'/></spine>";
    let book = common::zip(&[
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", "<rootfile full-path='p.opf'/>"),
        ("p.opf", package),
        ("a.xhtml", page),
    ]);
    let words: &[&[u8]] = &[b"PK\x03\x04", b"PK\x01\x02", &[0xFF; 4], &[0; 4]];
    read_mutations("a.epub", &[book], words);
}

#[test]
fn chats_and_subtitles() {
    let chat = r#"{"messages": [{"role": "a", "content": ["b", {"text": "c\uD83D"}], "n": NaN}]}"#;
    let notebook = r##"{"cells": [{"source": ["# A\n", "b"]}, {"source": "c"}]}"##;
    let seeds = [chat, notebook].map(|seed| seed.as_bytes().to_vec());
    read_mutations("a.json", &seeds, JSON_WORDS);
    let subtitles = "1\r\n00:01 --> 00:02\r\n<i>Hi</i> {\\an8}you\r\n\r\n";
    let words: &[&[u8]] = &[b"-->", b"{\\", b"}", b"\n", b"<", b"\xFF"];
    read_mutations("a.srt", &[subtitles.as_bytes().to_vec()], words);
    let whatsapp = "[31.12.20, 21:15:03] Ann: Hi\n[31.12.20, 21:16:00] Bob: a\nb\n";
    let words: &[&[u8]] = &[b"[", b"] ", b", ", b" - ", b"\xE2\x80\x8E", b"\xFF\xFE"];
    let wide = whatsapp.encode_utf16().flat_map(u16::to_le_bytes).collect();
    read_mutations("a.txt", &[whatsapp.into(), wide], words);
}

#[test]
fn parquet_files() {
    let texts: Vec<String> = (0..50).map(|n| format!("text {}", n % 7)).collect();
    let each: Vec<Option<&[u8]>> = texts
        .iter()
        .enumerate()
        .map(|(n, t)| (n % 9 > 0).then_some(t.as_bytes()))
        .collect();
    let words: &[&[u8]] = &[
        b"PAR1",
        &[0xFF; 4],
        &[0; 4],
        &[0x15, 0x80],
        &[0x7F, 0xFF, 0xFF, 0xFF],
    ];
    read_mutations("a.parquet", &[parquet(&each), parquet(&each[..2])], words);
}

#[test]
fn compressed() {
    let text = "{\"text\": \"a line of text\"}\n".repeat(200);
    let seeds = [gz(text.as_bytes()), zst(text.as_bytes())];
    let words: &[&[u8]] = &[
        &[0x1F, 0x8B],
        &[0x28, 0xB5, 0x2F, 0xFD],
        &[0xFF; 8],
        &[0; 8],
    ];
    read_mutations("a.jsonl.gz", &seeds, words);
}

#[test]
fn plain() {
    let seeds = [
        "a text, 你好 \u{1F600}\r\n".repeat(20).into_bytes(),
        vec![0; 300],
    ];
    read_mutations(
        "a.txt",
        &seeds,
        &[b"\xFF", b"\xE4\xBD", b"\xEF\xBB\xBF", b"\0", b"\xFF\xFE"],
    );
}

/// A modified shard is refused. A modified data.json is refused too, unless its meaning is the
/// same.
#[test]
fn prepared() {
    let files = Files::new();
    let path = files.put("a.txt", "A short text for a short shard.\n".repeat(9));
    let out = files.path("out");
    let place = Destination::Folder(out.clone());
    with_bytes(
        &[path],
        None,
        &ReadOptions::default(),
        &place,
        &JobControl::silent(),
    )
    .unwrap();
    for name in ["train-00000.safetensors", "data.json"] {
        let file = out.join(name);
        let good = std::fs::read(&file).unwrap();
        let tokens = Prepared::open(&out).unwrap().train.all().unwrap();
        let words: &[&[u8]] = &[b"\"", b"0", b"9999999999", b"{}", b"[", &[0xFF; 8]];
        mutate(std::slice::from_ref(&good), words, |bytes| {
            std::fs::write(&file, bytes).unwrap();
            match Prepared::open(&out) {
                Ok(p) => assert!(p.train.all().unwrap() == tokens, "{name}: other tokens"),
                Err(error) => assert!(bytes != good, "{error}"),
            }
        });
        std::fs::write(&file, &good).unwrap();
    }
}
