//! The playground's server: its texts are those of `sample`, its scores those of `eval`, and what
//! it shows of a token is what the token is drawn by.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::page::Page;
use common::{Place, Run, parse};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Posts JSON to the first run's playground; returns the head and the lines of the answer.
fn post(page: &Page, what: &str, body: &Value) -> (String, Vec<u8>) {
    let (port, body) = (page.port, body.to_string());
    let head = format!(
        "POST /api/play/0/{what} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         origin: http://127.0.0.1:{port}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    request(port, &(head + &body))
}

fn request(port: u16, text: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut rest = &answer[end + 4..];
    if !head.contains("transfer-encoding: chunked") {
        return (head, rest.to_vec());
    }
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (head, body);
        }
        body.extend(&rest[line + 2..][..size]);
        rest = &rest[line + 2 + size + 2..];
    }
}

fn lines(page: &Page, what: &str, body: &Value) -> Vec<Value> {
    let (head, body) = post(page, what, body);
    let text = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {text}");
    parse(&text)
}

fn settings() -> Value {
    json!({"temperature": 0.9, "top_k": null, "top_p": 0.95, "min_p": 0.02, "seed": 7,
           "repetition_penalty": 1.1, "frequency_penalty": 0.1, "presence_penalty": 0.1})
}

fn wish(prompt: &str, written: &[u64]) -> Value {
    json!({"step": 20, "prompt": prompt, "written": written, "tokens": 30 - written.len(),
           "settings": settings(), "skip_unknown": false})
}

/// The tokens of an answer and its text.
fn written(lines: &[Value]) -> (Vec<u64>, String) {
    let tokens = lines.iter().filter_map(|l| l.get("token"));
    let (mut ids, mut bytes) = (Vec::new(), Vec::new());
    for token in tokens {
        ids.push(token["id"].as_u64().unwrap());
        let hex = token["bytes"].as_str().unwrap();
        let digits = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
        bytes.extend(digits.map(|two| u8::from_str_radix(two, 16).unwrap()));
    }
    (ids, String::from_utf8(bytes).unwrap())
}

fn trained() -> Place {
    let place = Place::with_story();
    let train = "train story.txt --preset tiny --steps 40 --run r --quiet --set eval.every=20 \
                 --set checkpoint.every=20 --set eval.tokens=1024 --set data.tokenizer=chars";
    place.run(train).fine();
    place
}

#[test]
fn a_look_inside_is_that_of_the_command() {
    let place = trained();
    let page = Page::watch(&place, "play r");
    let ask = |text: &str| {
        let question = json!({"step": 20, "text": text, "skip_unknown": false});
        lines(&page, "inside", &question)
    };
    let mut found = ask("Anna finds a kite")[1]["inside"].clone();
    let mut command = place.command("inside r --checkpoint 20 --json --passage");
    let output = command.arg("Anna finds a kite").output().unwrap();
    let mut printed = Run::of(output).fine().json();
    for key in ["step", "checkpoint", "seconds"] {
        found.as_object_mut().unwrap().remove(key);
        printed.as_object_mut().unwrap().remove(key);
    }
    assert!(found == printed, "{}", found["tokens"]);
    let message = |text: &str| ask(text).pop().unwrap()["error"]["message"].clone();
    assert_eq!(
        message("A"),
        "the passage has 1 tokens; from 2 to 64 can be shown"
    );
    assert_eq!(
        message("Ä山"),
        "the text has characters that the model never saw"
    );
}

#[test]
fn texts_are_those_of_sample_and_go_on_from_any_token() {
    let place = trained();
    let page = Page::watch(&place, "play r");
    let all = lines(&page, "write", &wish("The", &[]));
    assert_eq!(all[0], json!("loading"));
    let prompt = all[1]["prompt"]["tokens"].as_array().unwrap().clone();
    assert_eq!(prompt.len(), 3);
    assert_eq!(all.last().unwrap(), &json!({"end": "length"}));
    let (tokens, text) = written(&all);
    let sample = "sample r --checkpoint 20 --prompt The --tokens 30 --temperature 0.9 --top-p 0.95 \
                  --min-p 0.02 --seed 7 --repetition-penalty 1.1 --frequency-penalty 0.1 \
                  --presence-penalty 0.1 --json";
    assert_eq!(place.run(sample).fine().json()["text"], json!(text));
    // The same token again gives the same text; another one, another.
    let (rest, _) = written(&lines(&page, "write", &wish("The", &tokens[..9])));
    assert_eq!(rest, tokens[9..]);
    let mut other = tokens[..9].to_vec();
    other[8] = u64::from(other[8] == 0);
    let (rest, _) = written(&lines(&page, "write", &wish("The", &other)));
    assert_ne!(rest, tokens[9..]);
    // A place that was read and one that must be read again show the same.
    let place_of = |step: u64, text: &[u64]| {
        let mut tokens = prompt.clone();
        tokens.extend(text.iter().map(|&t| json!(t)));
        json!({"step": step, "tokens": tokens, "first": 3, "settings": settings(), "also": 0})
    };
    let kept = lines(&page, "look", &place_of(20, &tokens[..9]));
    let fresh = Page::watch(&place, "play r");
    let read = lines(&fresh, "look", &place_of(20, &tokens[..9]));
    assert_eq!((&kept[0], read.len()), (&read[1], 2));
    let look = &kept[0]["look"];
    let choices = look["choices"].as_array().unwrap();
    let sum = |what: &str, at: usize| {
        let each = choices.iter().map(|c| c[what].as_f64().unwrap());
        each.sum::<f64>() + look["others"][at].as_f64().unwrap()
    };
    assert!((sum("before", 1) - 1.0).abs() < 1e-9 && (sum("after", 2) - 1.0).abs() < 1e-9);
    let drawn = choices.iter().find(|c| c["id"] == json!(tokens[9]));
    assert!(drawn.unwrap()["after"].as_f64().unwrap() > 0.0);
    let nats = all[2 + 9]["token"]["nats"].as_f64().unwrap();
    let own = drawn.unwrap()["before"].as_f64().unwrap();
    assert!((nats + own.ln()).abs() < 1e-12);
    let can = choices.iter().filter(|c| c["after"] != json!(0.0)).count();
    assert!(look["drawable"].as_u64().unwrap() >= can as u64);
    let before = lines(&page, "look", &place_of(40, &tokens[..9]));
    assert_ne!(before.last().unwrap()["look"]["choices"], look["choices"]);
}

#[test]
fn scores_are_those_of_eval() {
    let place = trained();
    let page = Page::watch(&place, "play r/checkpoints/step-000040");
    let text = common::story()[..1500].to_owned();
    place.write("own.txt", text.as_bytes());
    let ask = json!({"step": 40, "text": text, "skip_unknown": false});
    let all = lines(&page, "score", &ask);
    let score = &all[1]["score"];
    let nats = score["nats"].as_array().unwrap();
    assert_eq!(nats.len() + 1, score["tokens"].as_array().unwrap().len());
    let eval = place
        .run("eval r --checkpoint 40 --text own.txt --json")
        .fine();
    assert_eq!(eval.json()["bits_per_byte"], score["bits_per_byte"]);
    // What a token's surprise says is what its place shows.
    let (at, context) = (700, score["context"].as_u64().unwrap() as usize);
    let from = (at - 1) / context * context;
    let window = &score["tokens"].as_array().unwrap()[from..at];
    let truth = &score["tokens"][at];
    let look = json!({"step": 40, "tokens": window, "first": window.len(),
                      "settings": settings(), "also": truth});
    let look = lines(&page, "look", &look).pop().unwrap();
    let mut choices = look["look"]["choices"].as_array().unwrap().iter();
    let share = &choices.find(|c| c["id"] == *truth).unwrap()["before"];
    let difference = share.as_f64().unwrap().ln() + nats[at - 1].as_f64().unwrap();
    assert!(difference.abs() < 1e-4, "{difference}");
}

#[test]
fn what_cannot_be_answered_says_why() {
    let place = trained();
    let page = Page::watch(&place, "play r");
    let unknown = lines(&page, "write", &wish("The 中é", &[]));
    assert_eq!(unknown[1]["error"]["unknown"], json!(["é", "中"]));
    let mut skips = wish("The 中é", &[]);
    skips["skip_unknown"] = json!(true);
    let skipped = &lines(&page, "write", &skips)[0]["prompt"];
    assert_eq!(
        (&skipped["text"], &skipped["left_out"]),
        (&json!("The "), &json!(["é", "中"]))
    );
    let refused = |what: &str, body: &Value, words: &str| {
        let (head, body) = post(&page, what, body);
        let body = String::from_utf8(body).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 4") && body.contains(words),
            "{head} {body}"
        );
    };
    let mut hot = wish("The", &[]);
    hot["settings"]["temperature"] = json!(-1);
    refused("write", &hot, "temperature = -1 is not allowed");
    refused(
        "write",
        &wish(&"x".repeat(20_000), &[]),
        "at most 16384 bytes",
    );
    let look = |tokens: Value, first: u64| json!({"step": 20, "tokens": tokens, "first": first, "settings": settings(), "also": null});
    refused("look", &look(json!([]), 0), "after at least one token");
    refused("look", &look(json!([1]), 2), "prompt is part of it");
    let many = look(json!(vec![1; 30_000]), 1);
    refused("look", &many, "at most 26384 tokens");
    let error = &lines(&page, "look", &look(json!([9999]), 1))[0]["error"]["message"];
    assert!(
        error
            .as_str()
            .unwrap()
            .contains("token 9999 isn't in the model's vocabulary")
    );
    let mut gone = wish("The", &[]);
    gone["step"] = json!(30);
    let error = &lines(&page, "write", &gone)[1]["error"]["message"];
    assert!(error.as_str().unwrap().contains("step 30"), "{error}");
    place.run("fit --run f --quiet").fine();
    place
        .run("play f")
        .fails(1, &["this is a `downhill fit` run", "language model"]);
    place.run("play nowhere").fails(1, &["nowhere"]);
    place
        .run("play r/checkpoints/step-000030")
        .fails(1, &["step 30"]);
    let live = Page::watch(&place, "watch f");
    let (_, body) = request(
        live.port,
        &format!(
            "GET /api/play/0 HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\r\n",
            live.port
        ),
    );
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("this is a `downhill fit` run")
    );
}
