//! `downhill tokenize`, and models with a BPE tokenizer.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use std::io::Write;
use std::process::Stdio;

fn trained() -> Place {
    let place = Place::new();
    let text = "小狗看见了红色的球。The dog saw the red ball, didn't it?\n".repeat(200);
    place.write("mixed.txt", text.as_bytes());
    let line = "train mixed.txt --preset tiny --steps 5 --quiet --set data.tokenizer=bpe:300";
    place.run(line).fine();
    place
}

#[test]
fn a_model_with_bpe_is_used_like_any_other() {
    let place = trained();
    let config = String::from_utf8(place.read("runs/mixed/run.toml")).unwrap();
    assert!(config.contains("tokenizer = \"bpe:300\""), "{config}");
    // Any prompt can be encoded, and `Run::of` refuses invalid UTF-8.
    place
        .run("sample --prompt Ж🦀<|endoftext|> --tokens 100 --temperature 1.5")
        .fine();
    let eval = place.run("eval --json").fine().json();
    assert!(eval["tokens"].as_u64().unwrap() < eval["bytes"].as_u64().unwrap());
    place
        .run("train --resume runs/mixed --steps 8 --quiet")
        .fine();
    // Another run can use a run's tokenizer, and resuming that run doesn't need the file.
    let checkpoint = "runs/mixed/checkpoints/step-000005";
    std::fs::rename(place.path(checkpoint), place.path("outside")).unwrap();
    let line = "train mixed.txt --preset tiny --steps 5 --quiet --run runs/b --set data.tokenizer";
    place.run(&format!("{line}=./outside")).fine();
    std::fs::remove_dir_all(place.path("outside")).unwrap();
    place.run("train --resume runs/b --steps 8 --quiet").fine();
    place
        .run(&format!("{line}=./outside --overwrite"))
        .fails(1, &["outside"]);
    for wrong in [
        "bpe",
        "bpe:256",
        "syllables",
        "syllables:256",
        "bpe:1000001",
        "bpe:x",
        "gpt2",
    ] {
        place
            .run(&format!("train mixed.txt --set data.tokenizer={wrong}"))
            .fails(2, &["data.tokenizer", "bpe:SIZE", "auto"]);
    }
}

#[test]
fn pieces_ids_and_their_sizes_are_shown() {
    let place = trained();
    let json = place.run("tokenize 小狗the --json").fine().json();
    let tokens = json["tokens"].as_array().unwrap();
    let joined: String = tokens.iter().map(|t| t.as_str().unwrap()).collect();
    // A character of several tokens is shown by its bytes.
    assert_eq!(joined.replace("<E7><8B><97>", "狗"), "小狗the");
    assert_eq!(json["ids"].as_array().unwrap().len(), tokens.len());
    assert_eq!(json["bytes"], 9);
    let separator = place.run("tokenize <|endoftext|> --json").fine().json();
    assert!(separator["ids"].as_array().unwrap().len() > 1);
    let file = "runs/mixed/checkpoints/step-000005/tokenizer.json";
    for path in ["runs/mixed", file, file.trim_end_matches("/tokenizer.json")] {
        let run = place.run(&format!("tokenize 小狗the --json --tokenizer {path}"));
        assert_eq!(run.fine().json(), json, "{path}");
    }
    let mut command = place.command("tokenize -");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"the\x1b[31m\n\xFF")
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let out = String::from_utf8(out.stdout).unwrap();
    assert!(
        !out.contains('\x1b') && out.contains("↵\n<FF>\nids "),
        "{out}"
    );
    place.write("bad.json", b"{}");
    for (path, part) in [
        ("bad.json", "bad.json: "),
        ("nowhere", "nowhere"),
        (".", "tokenizer.json"),
    ] {
        place
            .run(&format!("tokenize x --tokenizer {path}"))
            .fails(1, &[part]);
    }
}
