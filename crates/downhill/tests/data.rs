//! `downhill data`, and training on files of many formats.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, bits, signal, story};
use std::io::Write;
use std::process::Stdio;

/// Some documents in several formats.
fn with_texts() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("notes")).unwrap();
    place.write("notes/a.md", story().as_bytes());
    place.write("notes/b.txt", b"A short note, once.\n");
    place.write("notes/copy.txt", b"A short note, once.\n");
    place.write("notes/picture.png", b"\x89PNG\r\n\x1A\n\0");
    let chats: String = (0..300)
        .map(|n| {
            format!(
                "{{\"text\": \"Chat {n}: the dog finds ball {}.\"}}\n",
                n * n
            )
        })
        .collect();
    place.write("chats.jsonl", chats.as_bytes());
    place
}

const TINY: &str = "--preset tiny --steps 3 --quiet";

#[test]
fn prepared_once_inspected_sampled_and_trained_on() {
    let place = with_texts();
    let line = "data prepare notes chats.jsonl --tokenizer chars --out d";
    let shown = place.run(line).fine().out;
    for part in [
        "302 documents in 4 files",
        "1 × an image, not text: notes/picture.png",
        "train d",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let seen = place.run("data inspect d --json").fine().json();
    assert_eq!(
        (&seen["documents"], &seen["duplicates"]),
        (&302.into(), &1.into())
    );
    assert_eq!(seen["tokenizer"], "chars");
    let tokens = seen["tokens"].as_f64().unwrap();
    let ratio = seen["bytes"].as_f64().unwrap() / tokens;
    assert!((seen["bytes_per_token"].as_f64().unwrap() - ratio).abs() < 1e-9);
    assert!(seen["scripts"]["Latin"].as_u64().unwrap() > 10_000);
    assert!(
        place
            .run("data inspect d")
            .fine()
            .out
            .contains("longest line")
    );
    let all = place.run("data sample d -n 400 --json").fine().out;
    let tokens: std::collections::BTreeSet<&str> = all.lines().collect();
    assert_eq!(tokens.len(), all.lines().count(), "one was drawn twice");
    let shown = place.run("data sample d -n 2").fine().out;
    assert_eq!(shown.matches("── document at token").count(), 2, "{shown}");
    // Training on the files and on the prepared folder gives the same bits.
    place.run(&format!("train d {TINY} --run one")).fine();
    let raw = format!("train notes chats.jsonl --set data.tokenizer=chars {TINY} --run two");
    place.run(&raw).fine();
    assert!(bits(&place, "one", 3) == bits(&place, "two", 3));
    place.run("train --resume one --steps 6 --quiet").fine();
    place.run("train --resume two --steps 6 --quiet").fine();
    assert!(bits(&place, "one", 6) == bits(&place, "two", 6));
    place.run("eval one --json").fine();
    // Preparing again does nothing, and never overwrites other data.
    place.run(line).fine();
    let other = "data prepare notes --tokenizer chars --out d";
    place.run(other).fails(
        1,
        &["d: contains data from other texts or settings", "--out"],
    );
    place
        .run("train d notes --quiet")
        .fails(1, &["prepared data", "alone"]);
    place
        .run("data sample notes")
        .fails(1, &["no prepared data", "data prepare"]);
    place
        .run("train one")
        .fails(1, &["one: a run", "--resume one"]);
    // A character that the tokenizer doesn't know isn't what is wrong.
    place.write("chats.jsonl", "{\"text\": \"Ω\"}\n".as_bytes());
    place
        .run("train --resume two --steps 9 --quiet")
        .fails(1, &["its text changed"]);
}

#[test]
fn bpe_of_several_documents() {
    let place = with_texts();
    place
        .run("data prepare notes chats.jsonl --tokenizer bpe:300 --out d")
        .fine();
    let seen = place.run("data inspect d --json").fine().json();
    assert_eq!(
        (&seen["tokenizer"], &seen["vocabulary"]),
        (&"bpe".into(), &300.into())
    );
    assert!(seen["bytes_per_token"].as_f64().unwrap() > 1.5);
    place.run(&format!("train d {TINY} --run r")).fine();
    assert!(place.has("r/checkpoints/step-000003/tokenizer.json"));
}

#[test]
fn a_large_text_is_prepared_in_the_cache_and_a_change_is_noticed() {
    let place = Place::new();
    let line = |n: usize| format!("{n} and {} are numbers, and this is a line.\n", n * 7);
    let mut text: String = (0..250_000).map(line).collect();
    place.write("big.txt", text.as_bytes());
    let train = format!("train big.txt --set data.tokenizer=bytes {TINY} --run");
    place.run(&format!("{train} one")).fine();
    let caches = || {
        std::fs::read_dir(place.path(".cache/downhill/data"))
            .unwrap()
            .count()
    };
    assert_eq!(caches(), 1);
    place.run(&format!("{train} two")).fine();
    assert_eq!(caches(), 1);
    assert!(bits(&place, "one", 3) == bits(&place, "two", 3));
    text.replace_range(100..101, "#");
    place.write("big.txt", text.as_bytes());
    place
        .run("train --resume one --steps 6")
        .fails(1, &["its text changed", "big.txt"]);
    assert_eq!(caches(), 1, "refused before anything is encoded");
    place.run(&format!("{train} three")).fine();
    assert_eq!(caches(), 2);
    // The sample that the tokenizer has learned from is reported.
    place
        .run("data prepare big.txt --tokenizer bpe:300 --out d")
        .fine();
    let tiny = TINY.replace(" --quiet", "");
    for look in ["data inspect d", &format!("train d {tiny} --run four")] {
        let shown = place.run(look).fine().out;
        assert!(shown.contains("learned from a sample"), "{shown}");
    }
}

#[test]
fn texts_are_inspected_before_one_trains() {
    let place = Place::new();
    std::fs::create_dir(place.path("mixed")).unwrap();
    let chat = r#"{"messages": [{"role": "user", "content": "Hi"}]}"#;
    place.write("mixed/chat.jsonl", chat.as_bytes());
    place.write("mixed/scan.pdf", &[&b"%PDF-1.7"[..], &[0; 200]].concat());
    let told = "1 × a PDF, not text";
    place
        .run("train mixed --quiet")
        .fails(1, &["read 1 of 2 files", told, "--skip-bad"]);
    let out = place.run("data inspect mixed --skip-bad").fine().out;
    for part in ["1 × chats", told, "user: Hi"] {
        assert!(out.contains(part), "{part} is not in: {out}");
    }
    place.write("唐诗 三百首.txt", story().as_bytes());
    let mut command = place.command("train");
    command.arg("唐诗 三百首.txt").args(TINY.split(' '));
    assert!(command.output().unwrap().status.success());
    assert!(place.has("runs/唐诗-三百首/run.toml"));
}

#[test]
fn the_cache_is_listed_and_bounded() {
    let place = Place::new();
    let line = |n: usize| format!("{n} and {} are numbers, and this is a line.\n", n * 7);
    let text: String = (0..250_000).map(line).collect();
    place.write("big.txt", text.as_bytes());
    let train = format!("train big.txt --set data.tokenizer=bytes {TINY} --cache-limit");
    place
        .run(&format!("{train} 1MB"))
        .fails(1, &["--cache-limit"]);
    place.run(&format!("{train} 1GB")).fine();
    let listed = place.run("data cache --json").fine().out;
    let entry: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert!(entry["bytes"].as_u64().unwrap() > 10_000_000, "{listed}");
    assert!(entry["sources"][0].as_str().unwrap().ends_with("big.txt"));
    let shown = place.run("data cache").fine().out;
    assert!(
        shown.contains("big.txt") && shown.contains("can be deleted"),
        "{shown}"
    );
}

#[test]
fn standard_input_is_a_text() {
    let place = Place::new();
    let mut command = place.command(&format!("train - {TINY} --run r"));
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(story().as_bytes())
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    // Resuming finds the text that was read.
    place.run("train --resume r --steps 5 --quiet").fine();
}

#[test]
fn bad_records_can_be_skipped() {
    let place = with_texts();
    place.write("bad.jsonl", b"{\"text\": \"fine\"}\n{\"text\": \n");
    let line = "data prepare bad.jsonl chats.jsonl --tokenizer chars --out d";
    place
        .run(line)
        .fails(1, &["bad.jsonl, line 2: not JSON", "--skip-bad"]);
    let shown = place.run(&format!("{line} --skip-bad")).fine().out;
    assert!(shown.contains("1 × not JSON: bad.jsonl, line 2"), "{shown}");
    place
        .run("data prepare chats.jsonl --field body --out e")
        .fails(1, &["no field `body`", "--field"]);
    assert!(!place.has("e/data.json"));
}

#[test]
fn a_killed_preparation_resumes_to_the_same_bytes() {
    let place = Place::new();
    let text = "Whoever stops may go on.\n".repeat(2_000_000);
    place.write("big.txt", text.as_bytes());
    let line = "data prepare big.txt --tokenizer bytes --out d";
    let mut command = place.command(line);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let shard = place.path("d/train-00000.safetensors");
    while !shard.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    signal(&child, "-KILL");
    child.wait().unwrap();
    place.run(line).fine();
    place
        .run("data prepare big.txt --tokenizer bytes --out e")
        .fine();
    for file in [
        "data.json",
        "train-00000.safetensors",
        "train-00002.safetensors",
    ] {
        assert!(
            place.read(&format!("d/{file}")) == place.read(&format!("e/{file}")),
            "{file}"
        );
    }
}

/// 20 MB of texts that are hard to read line by line or word by word; `scripts/bench_data.py` does
/// the same at 1 GB.
#[test]
fn strange_texts_need_no_more_memory() {
    const SIZE: usize = 20_000_000;
    let place = Place::new();
    let words = story().replace('\n', " ");
    for (name, unit) in [
        ("line", words.as_str()),
        ("nul", "\0"),
        ("letter", "A"),
        ("unspaced", &words.replace(' ', "")),
        (
            "chinese",
            "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
        ),
    ] {
        let file = format!("{name}.txt");
        place.write(&file, unit.repeat(SIZE / unit.len()).as_bytes());
        let line = format!("data prepare {file} --tokenizer bpe:512 --out {name} --json");
        let seen = place.run(&line).fine().json();
        let peak = seen["peak_bytes"].as_u64().unwrap();
        assert!(peak < 300_000_000, "{name}: {peak} bytes");
        assert_eq!(seen["documents"], 1);
        std::fs::remove_file(place.path(&file)).unwrap();
    }
}
