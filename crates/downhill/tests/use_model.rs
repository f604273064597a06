//! `downhill sample` and `downhill eval`.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

fn trained() -> Place {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --set data.tokenizer=chars --steps 20 --quiet --set checkpoint.every=10";
    place.run(line).fine();
    place
}

#[test]
fn the_same_seed_generates_the_same_text() {
    let place = trained();
    let line = "sample --prompt Anna --tokens 90 --temperature 1.1 --top-k 20 --top-p 0.9 --seed";
    let text = place.run(&format!("{line} 7")).fine().out;
    assert!(text.starts_with("Anna"));
    assert_eq!(
        text,
        place
            .run(&format!("{line} 7 runs/story --threads 1"))
            .fine()
            .out
    );
    assert_ne!(text, place.run(&format!("{line} 8")).fine().out);
    let json = place.run(&format!("{line} 7 --json")).fine().json();
    assert_eq!(format!("Anna{}\n", json["text"].as_str().unwrap()), text);
    let greedy = "sample --prompt Anna --temperature 0 --tokens 20 --seed";
    let one = place.run(&format!("{greedy} 1")).fine().out;
    assert_eq!(one.chars().count(), 4 + 20 + 1);
    assert_eq!(one, place.run(&format!("{greedy} 2")).fine().out);
}

#[test]
fn what_cannot_be_sampled_is_an_error() {
    let place = trained();
    place
        .run("sample --prompt Ännä")
        .fails(1, &["'Ä'", "U+00C4"]);
    for flag in [
        "--temperature nan",
        "--temperature -1",
        "--top-p 0",
        "--top-k 0",
        "--tokens x",
    ] {
        let key = flag
            .split(' ')
            .next()
            .unwrap()
            .trim_start_matches('-')
            .replace('-', "_");
        place
            .run(&format!("sample {flag}"))
            .fails(2, &[&format!("--{}", key.replace('_', "-"))]);
    }
    place.run("sample nowhere").fails(1, &["nowhere"]);
    place
        .run("sample --checkpoint 7")
        .fails(1, &["step 7", "10, 20"]);
    Place::new().run("sample").fails(1, &["downhill train"]);
}

#[test]
fn bytes_come_out_as_valid_text() {
    let place = Place::new();
    let text = "小狗看见了红色的球。女孩问:球在哪里?没有人知道。\n".repeat(80);
    place.write("中文.txt", text.as_bytes());
    let line = "train 中文.txt --preset tiny --steps 5 --quiet --set data.tokenizer=bytes";
    place.run(line).fine();
    assert!(place.has("runs/中文"));
    // `Run::of` refuses invalid UTF-8.
    place
        .run("sample --prompt 小狗é --tokens 100 --temperature 1.5")
        .fine();
    let eval = place.run("eval --json").fine().json();
    assert_eq!(eval["tokens"], eval["bytes"]);
}

#[test]
fn eval_measures_what_the_run_measured() {
    let place = trained();
    let log = String::from_utf8(place.read("runs/story/events.jsonl")).unwrap();
    let end = common::parse(&log).pop().unwrap();
    let eval = place
        .run("eval runs/story --checkpoint last --json")
        .fine()
        .json();
    let number = |key: &str| eval[key].as_f64().unwrap();
    assert_eq!(eval["step"], 20);
    assert_eq!(eval["nats_per_token"], end["val_nats_per_token"]);
    assert_eq!(eval["bits_per_byte"], end["val_bits_per_byte"]);
    assert_eq!(number("perplexity"), number("nats_per_token").exp());
    let bits = number("nats_per_token") * number("tokens") / number("bytes") / 2f64.ln();
    assert!((number("bits_per_byte") - bits).abs() < 1e-12);
    assert_eq!(end["best_step"], 20, "the text is easy");
    assert_eq!(place.run("eval --json").fine().json(), eval);
    let earlier = place.run("eval --checkpoint 10 --json").fine().json();
    assert!(earlier["nats_per_token"].as_f64().unwrap() > number("nats_per_token"));
}

#[test]
fn eval_of_another_text() {
    let place = trained();
    place.write(
        "other.txt",
        "Anna hides behind the red hat.\n".repeat(9).as_bytes(),
    );
    let eval = place.run("eval --text other.txt --json").fine().json();
    assert_eq!(
        (&eval["tokens"], &eval["bytes"]),
        (&278.into(), &278.into())
    );
    place.write("other.txt", "Zoë".as_bytes());
    place
        .run("eval --text other.txt")
        .fails(1, &["other.txt", "'Z'"]);
    place.write("other.txt", b"");
    place
        .run("eval --text other.txt")
        .fails(1, &["other.txt", "empty"]);
    assert!(place.run("eval").fine().out.contains("bits per byte"));
}
