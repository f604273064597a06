//! The lessons in the terminal and over the page's server: their numbers, their bounds, and their
//! questions.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::page::Page;
use common::{Place, parse, signal};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

#[test]
fn a_lesson_has_its_numbers_its_knob_and_its_question() {
    let place = Place::new();
    let step = place.run("lesson 4 --rate 0.1 --json").fine().json();
    assert_eq!(step["step"]["before"]["slope"], json!(30.0));
    assert_eq!(step["step"]["after"]["weight"], json!(2.0));
    assert_eq!(step["step"]["after"]["cost"], json!(1.0));
    let text = place.run("lesson 4 --rate 0.5").fine().out;
    for part in [
        "Lesson 4: One step down",
        "w = 5 - 0.5 * 30 = -10",
        "--answer",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    for (lesson, right, wrong) in [
        (2, "1", "2"),
        (3, "2", "-2"),
        (4, "0,1", "0.2"),
        (6, "0.25", "0.4"),
        (7, "1", "0"),
        (9, "2", "1"),
    ] {
        for (answer, verdict) in [(right, "Right. "), (wrong, "Not quite. ")] {
            let out = place
                .run(&format!("lesson {lesson} --answer {answer}"))
                .fine()
                .out;
            assert!(out.starts_with(verdict), "{lesson} {answer}: {out}");
        }
    }
    // The other lessons that train nothing.
    for (lesson, part) in [
        ("2 --probability 0.001", "6.9078"),
        ("3 --weight 2", "slope                              0"),
        ("5 --steps 60", "200 of 200"),
        ("6 --rate 0.26", "0 of 200"),
        ("7 --weight 1", "target    1"),
    ] {
        let out = place.run(&format!("lesson {lesson}")).fine().out;
        assert!(out.contains(part), "{part} is not in: {out}");
    }
}

#[test]
fn values_out_of_bounds_are_one_clear_error() {
    let place = Place::new();
    for (arguments, words) in [
        ("lesson 0", &["no lesson 0", "1 to 9"][..]),
        ("lesson 4 --rate nan", &["rate in lesson 4", "from 0 to 1"]),
        (
            "lesson 4 --rate 1e308",
            &["rate in lesson 4", "from 0 to 1"],
        ),
        ("lesson 4 --rate -1", &["from 0 to 1"]),
        (
            "lesson 4 --weight 1",
            &["lesson 4 has no --weight", "--rate"],
        ),
        ("lesson 5 --steps 1.5", &["a whole number from 0 to 60"]),
        ("lesson 4 --answer much", &["the answer is a number"]),
        ("lesson 2 --answer 3", &["one of the choices: 1 to 2"]),
        ("lesson --rate 1", &["<N>"]),
    ] {
        let out = place.run(arguments).fails(2, words).out;
        assert!(out.is_empty(), "{out}");
    }
}

/// Posts JSON; returns the status and the body.
fn post(port: u16, path: &str, body: &str, origin: bool) -> (String, String) {
    let origin = match origin {
        true => format!("origin: http://127.0.0.1:{port}\r\n"),
        false => String::new(),
    };
    let mut answer = String::new();
    let mut stream = send(port, path, body, &origin);
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, body.to_owned())
}

/// Sends a request.
fn send(port: u16, path: &str, body: &str, origin: &str) -> TcpStream {
    let head = format!(
        "POST /api/lessons/{path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n{origin}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all((head + body).as_bytes()).unwrap();
    stream
}

#[test]
fn the_server_teaches_our_own_page_within_bounds() {
    let place = Place::new();
    let page = Page::watch(&place, "lesson");
    let ask = |path: &str, body: Value| -> Vec<Value> {
        let (status, lines) = post(page.port, path, &body.to_string(), true);
        assert_eq!(status, "200", "{lines}");
        parse(&lines)
    };
    let turned = |value: Value| json!({"value": value, "language": "zh"});
    let step = ask("4", turned(json!(0.1)));
    assert_eq!(step[0]["step"]["after"]["cost"], json!(1.0));
    for (path, value, words) in [
        ("4", json!(1e308), "from 0 to 1"),
        ("4", json!("much"), "from 0 to 1"),
        ("4", json!({"rate": [1]}), "from 0 to 1"),
        ("1", json!("x".repeat(401)), "at most 400 bytes"),
        ("1", json!(3), "at most 400 bytes"),
        ("10", json!(null), "no lesson 10"),
    ] {
        let told = ask(path, turned(value));
        let message = told[0]["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    let answered = |answer: &str| ask("4/check", json!({"answer": answer, "language": "en"}));
    assert_eq!(answered("0.1")[0]["right"], json!(true));
    assert_eq!(answered("0.3")[0]["right"], json!(false));
    assert!(answered("∞")[0]["error"]["message"].is_string());
    // Not for other sites, and not without bounds.
    let body = turned(json!(0.1)).to_string();
    assert_eq!(post(page.port, "4", &body, false).0, "403");
    let long = json!({"value": "x".repeat(9000), "language": "en"}).to_string();
    assert_eq!(post(page.port, "1", &long, true).0, "413");
    assert_eq!(post(page.port, "4", "{}", true).0, "422");
}

#[test]
fn a_model_leaves_nothing_behind_when_the_server_ends() {
    let place = Place::new();
    let temporary = place.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = place.command("lesson --threads 1");
    command.env("TMPDIR", &temporary);
    let mut page = Page::of(command);
    let origin = format!("origin: http://127.0.0.1:{}\r\n", page.port);
    let body = json!({"value": 1000, "language": "en"}).to_string();
    let training = BufReader::new(send(page.port, "8", &body, &origin));
    let mut lines = training.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"training\"")));
    let folders = || std::fs::read_dir(&temporary).unwrap().count();
    assert_eq!(folders(), 1);
    signal(&page.child, "-INT");
    page.child.wait().unwrap();
    assert_eq!(folders(), 0);
}
