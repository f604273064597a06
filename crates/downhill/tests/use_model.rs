//! `downhill sample` and `downhill eval`.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use std::io::Write;
use std::process::Stdio;

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
        .fails(1, &["'Ä'", "U+00C4", "--skip-unknown"]);
    for flag in [
        "--temperature nan",
        "--temperature -1",
        "--top-p 0",
        "--top-k 0",
        "--tokens x",
        "--min-p 1.1",
        "--repetition-penalty nan",
        "--frequency-penalty -3",
        "--presence-penalty 3",
        "--logprobs 2000 --json",
        "--n 0",
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
fn several_texts_have_successive_seeds_and_end_before_a_stop_text() {
    let place = trained();
    let line = "sample --prompt Anna --tokens 30 --temperature 0.7 --min-p 0.05 --json";
    let all = place.run(&format!("{line} --seed 4 --n 3")).fine().events();
    for (seed, text) in (4..7).zip(&all) {
        let alone = place.run(&format!("{line} --seed {seed}")).fine().json();
        assert_eq!(*text, alone);
        assert_eq!(alone["ending"], "length");
    }
    let whole = all[0]["text"].as_str().unwrap();
    let middle: String = whole.chars().skip(12).take(3).collect();
    let mut command = place.command(&format!("{line} --seed 4 --stop"));
    let stopped = common::Run::of(command.arg(&middle).output().unwrap())
        .fine()
        .json();
    let expected = &whole[..whole.find(&middle).unwrap()];
    assert_eq!(
        (&stopped["text"], &stopped["ending"]),
        (&expected.into(), &"stop".into())
    );
    let known = place.run("sample --prompt ÄAnÖna --skip-unknown --seed 3 --tokens 9");
    assert!(known.error.contains("'Ä', 'Ö'"), "{}", known.error);
    assert_eq!(
        known.out,
        place
            .run("sample --prompt Anna --seed 3 --tokens 9")
            .fine()
            .out
    );
}

#[test]
fn log_probabilities_are_those_that_eval_adds_up() {
    let place = trained();
    let line =
        "sample --prompt A --tokens 20 --temperature 0 --json --logprobs 3 --presence-penalty 2";
    let sample = place.run(line).fine().json();
    let tokens = sample["logprobs"].as_array().unwrap();
    assert_eq!(tokens.len(), 20);
    let text: String = tokens
        .iter()
        .map(|t| t["token"].as_str().unwrap())
        .collect();
    assert_eq!(sample["text"], text.as_str());
    for token in tokens {
        let top = token["top"].as_array().unwrap();
        let likely = top[0]["logprob"].as_f64().unwrap();
        assert_eq!(top.len(), 3);
        assert!(token["logprob"].as_f64().unwrap() <= likely && likely < 0.0);
    }
    place.write("text.txt", format!("A{text}").as_bytes());
    let eval = place.run("eval --text text.txt --json").fine().json();
    let sum: f64 = tokens.iter().map(|t| t["logprob"].as_f64().unwrap()).sum();
    let expected = -20.0 * eval["nats_per_token"].as_f64().unwrap();
    assert!((sum - expected).abs() < 1e-3, "{sum} {expected}");
}

#[test]
fn a_chat_continues_what_is_typed_and_survives_mistakes() {
    let place = trained();
    let mut chat = place.command("chat --tokens 12 --temperature 0");
    chat.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut chat = chat.spawn().unwrap();
    let lines = "Anna\n/top-p 7\n/nonsense\nÄ\n/new\nAnna\n/tokens 5\n/retry\n/quit\n";
    chat.stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let chat = common::Run::of(chat.wait_with_output().unwrap());
    let once = place
        .run("sample --prompt Anna --tokens 12 --temperature 0 --json")
        .fine()
        .json();
    let once = once["text"].as_str().unwrap();
    assert_eq!(chat.out, format!("{once}\n{once}\n{}\n", &once[..5]));
    assert_eq!(chat.code, 0);
    for mistake in ["top_p = 7", "/nonsense", "'Ä'"] {
        assert!(chat.error.contains(mistake), "{}", chat.error);
    }
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
