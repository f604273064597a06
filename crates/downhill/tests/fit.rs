//! `downhill fit` and `downhill predict`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, parse};
use serde_json::Value;
use std::fmt::Write as _;

/// Reproducible numbers between -1 and 1 that look random.
fn numbers(count: usize) -> Vec<f64> {
    let at = |i: usize| ((i * i * 7919 + i * 104_729) % 20_011) as f64 / 10_005.0 - 1.0;
    (1..=count).map(at).collect()
}

/// A table of y = 2a - 3b + c/2 + 7; for small `close`, column c is nearly column a.
fn plane(close: f64) -> String {
    let mut text = String::from("a,y,b,c\n");
    for row in numbers(600).chunks(3) {
        let (a, b) = (1000.0 + row[0], 0.01 * row[1]);
        let c = row[2] * close + if close < 1.0 { row[0] } else { 0.0 };
        let y = 2.0 * a - 3.0 * b + 0.5 * c + 7.0;
        writeln!(text, "{a},{y},{b},{c}").unwrap();
    }
    text
}

fn assert_close(found: &Value, expected: &Value, bound: f64) {
    let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= bound, "{found} is not {expected}");
}

#[test]
fn the_built_in_line_is_fitted_and_reported() {
    let place = Place::new();
    let fit = place.run("fit --json").fine().json();
    let closed = &fit["closed_form"];
    assert_close(&fit["weights"]["x"], &closed["weights"]["x"], 1e-6);
    assert_close(&fit["intercept"], &closed["intercept"], 1e-6);
    assert_close(&fit["weights"]["x"], &fit["known"]["weights"]["x"], 0.02);
    assert!(fit["r2"].as_f64().unwrap() > 0.9 && fit["mse"].as_f64().unwrap() < 2.0);
    assert_eq!(fit["reason"], "target");

    let shown = place.run("fit").fine().out;
    for words in ["grad", "R²", "closed form", "true", "1e-7 of the first"] {
        assert!(shown.contains(words), "{words} is not in: {shown}");
    }
    assert!(place.has("runs/fit/run.toml") && place.has("runs/fit-2/run.toml"));
    let events = parse(&String::from_utf8(place.read("runs/fit-2/events.jsonl")).unwrap());
    let steps = common::kind(&events, "step");
    let of = |at: usize, key: &str| steps[at][key].as_f64().unwrap();
    let last = steps.len() - 1;
    assert!(of(last, "mse") < 0.1 * of(0, "mse"));
    assert!(of(last, "grad_norm") <= 1e-7 * of(0, "grad_norm"));
    assert_eq!(fit["steps"].as_u64(), steps[last]["step"].as_u64());
}

#[test]
fn a_plane_is_fitted_whatever_its_units_and_predicts() {
    let place = Place::new();
    place.write("plane.csv", plane(1.0).as_bytes());
    let fit = place.run("fit plane.csv --target y --json").fine().json();
    for (column, weight) in [("a", 2.0), ("b", -3.0), ("c", 0.5)] {
        let found = &fit["weights"][column];
        assert_close(found, &weight.into(), 1e-6);
        assert_close(found, &fit["closed_form"]["weights"][column], 1e-6);
    }
    // Other columns, in another order, and one that isn't a number.
    place.write("new.csv", b"c,name,b,a\n2,Anna,0,1000\n");
    let shown = place.run("predict runs/fit new.csv").fine().out;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "y");
    assert!((lines[1].parse::<f64>().unwrap() - 2008.0).abs() < 1e-4);
    let json = place.run("predict runs/fit new.csv --json").fine().json();
    assert_close(&json["predictions"][0], &2008.0.into(), 1e-7);
    place.write("less.csv", b"a,b\n1,2\n");
    place
        .run("predict runs/fit less.csv")
        .fails(1, &["less.csv", "\"c\"", "it has a, b"]);
    place
        .run("predict runs/none new.csv")
        .fails(1, &["runs/none"]);
    place.run("sample runs/fit").fails(1, &["language model"]);
}

#[test]
fn a_run_names_its_kind_and_other_kinds_are_refused() {
    let place = Place::with_story();
    place.run("fit --quiet --steps 5 --run f").fine();
    let train = "train story.txt --preset tiny --steps 2 --quiet --run t";
    place.run(train).fine();
    for (run, kind) in [("f", "fit"), ("t", "language")] {
        let text = String::from_utf8(place.read(&format!("{run}/run.toml"))).unwrap();
        let line = format!("kind = \"{kind}\"\n");
        assert!(text.starts_with(&line), "{text}");
        let events = parse(&String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap());
        assert_eq!(common::kind(&events, "start")[0]["kind"], kind);
        // Older runs don't name their kind.
        place.write(
            &format!("{run}/run.toml"),
            text.replace(&line, "").as_bytes(),
        );
    }
    place.write("x.csv", b"x\n1\n");
    place.run("predict f x.csv").fine();
    place.run("sample t --tokens 3").fine();
    place
        .run("predict t x.csv")
        .fails(1, &["t/run.toml", "language model run", "`downhill fit`"]);
    place.write("t/run.toml", b"kind = \"race\"\n");
    place
        .run("sample t")
        .fails(1, &["t/run.toml", "unknown kind \"race\""]);
    place.write("f/run.toml", b"kind = \"fit\"\n\n[fit]\ntarget = 1\n");
    place
        .run("predict f x.csv")
        .fails(1, &["f/run.toml: line 4: invalid type"]);
}

#[test]
fn weights_are_exact_up_to_condition_number_100_and_above_it_a_warning() {
    let place = Place::new();
    place.write("near.csv", plane(0.03).as_bytes());
    let fit = place.run("fit near.csv --target y --json").fine().json();
    let condition = fit["condition_number"].as_f64().unwrap();
    assert!((50.0..100.0).contains(&condition), "{condition}");
    for column in ["a", "b", "c"] {
        let closed = &fit["closed_form"]["weights"][column];
        assert_close(&fit["weights"][column], closed, 1e-6);
    }
    place.write("nearer.csv", plane(0.01).as_bytes());
    let run = place.run("fit nearer.csv --target y --json --steps 50");
    assert_eq!(run.code, 0);
    assert!(run.error.contains("condition number"), "{}", run.error);
    assert_eq!(run.json()["reason"], "finished");
    place.write("twice.csv", b"a,b,y\n1,2,1\n2,4,3\n3,6,2\n5,10,4\n");
    let shown = place.run("fit twice.csv --target y").fine().out;
    assert!(
        shown.contains("warning: some columns are linearly dependent"),
        "{shown}"
    );
}

#[test]
fn optimizers_can_be_chosen() {
    let place = Place::new();
    for name in ["sgd", "nesterov", "adam"] {
        let set = format!("fit --json --set optim.name={name}");
        let fit = place.run(&set).fine().json();
        let closed = &fit["closed_form"]["weights"]["x"];
        assert_close(&fit["weights"]["x"], closed, 1e-6);
    }
    place
        .run("fit --set optim.lr=50 --run wild")
        .fails(1, &["not finite", "optim.lr"]);
    place
        .run("fit --set optim.nme=sgd")
        .fails(2, &["optim.name"]);
    place.run("fit --run wild").fails(1, &["wild"]);
}

#[test]
fn each_bad_table_is_one_clear_error() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 16] = [
        ("", &["empty"]),
        ("a,y\n", &["no row"]),
        ("1,2\n3,4\n", &["line 1", "name the columns"]),
        ("a,y,a\n1,2,3\n", &["line 1", "\"a\""]),
        ("a,,y\n1,2,3\n", &["line 1", "column 2"]),
        ("y\n1\n", &["only one column"]),
        ("a,b\n1,2\n", &["no column \"y\"", "it has a, b"]),
        ("a,y\n1,2\n\n2,x7\n", &["line 4", "\"y\"", "\"x7\""]),
        ("a,y\r\n1,2\r\n,3\r\n", &["line 3", "\"a\"", "empty"]),
        ("a,y\n1,2\n3,inf\n", &["line 3", "finite"]),
        ("a,y\n1,2\n3,1e999\n", &["line 3", "finite"]),
        ("a,y\n1,2\n\n\n3\n", &["line 5", "1 cell"]),
        ("a,b,y\n1,2,3\n2,3,5\n", &["2 rows", "at least 3"]),
        ("a,b,y\n1,2,3\n1,3,5\n1,7,8\n", &["\"a\"", "leave it out"]),
        ("a,y\n1,2\n2,2\n3,2\n", &["\"y\"", "same value"]),
        (
            "a,y\n1e308,1\n1e308,2\n-1e308,3\n9e307,4\n",
            &["\"a\"", "too large"],
        ),
    ];
    for (text, words) in cases {
        place.write("bad.csv", text.as_bytes());
        let run = place.run("fit bad.csv --target y --quiet").fails(1, words);
        assert!(
            run.error.contains("bad.csv") && run.out.is_empty(),
            "{text}"
        );
    }
    place.run("fit none.csv --target y").fails(1, &["none.csv"]);
    place.write("good.csv", b"a,y\n1,2\n2,3\n4,5.5\n");
    place.run("fit good.csv").fails(2, &["--target", "a, y"]);
    place.run("fit --target y").fails(2, &["file"]);
    place
        .run("fit good.csv --target y --steps 0")
        .fails(2, &["train.steps"]);
    assert!(!place.has("runs"), "a mistake left a run behind");
}
