//! `downhill train --time` and `downhill plan`: a run that is planned for a text and ends on time.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, kind, signal};

/// A model whose steps take no time to speak of on any machine.
const SMALL: &str = "--set model.layers=1 --set model.width=32 --set model.heads=2 \
                     --set model.context=16 --set train.batch=2 --threads 1";

fn number(event: &serde_json::Value, field: &str) -> f64 {
    event[field]
        .as_f64()
        .unwrap_or_else(|| panic!("no {field} in {event}"))
}

#[test]
fn a_timed_run_says_what_it_expects_and_can_be_resumed() {
    let place = Place::with_story();
    let line = format!("train story.txt --time 5s --run timed --json {SMALL}");
    let events = place.run(&line).fine().events();
    let start = &events[0];
    assert_eq!(number(start, "planned_seconds"), 5.0);
    let low = number(start, "predicted_low");
    let middle = number(start, "predicted_bits_per_byte");
    assert!(low < middle && middle < number(start, "predicted_high"));
    let end = events.last().unwrap();
    assert_eq!(end["reason"], "finished");
    for field in ["tokens", "epochs", "val_bits_per_byte", "train_seconds"] {
        assert!(number(end, field) > 0.0, "{field}");
    }
    // The last rates are (nearly) 0, whatever the number of steps turned out to be.
    let rates = kind(&events, "step");
    let rate = |step: &serde_json::Value| number(step, "lr");
    let most = rates.iter().map(|step| rate(step)).fold(0.0, f64::max);
    assert!(rate(rates.last().unwrap()) < 0.2 * most);
    let steps = end["step"].as_u64().unwrap();
    let toml = String::from_utf8(place.read("timed/run.toml")).unwrap();
    assert!(toml.contains(&format!("steps = {steps}\n")), "{toml}");

    let line = format!("train story.txt --time 1h --members 1 --run part --json {SMALL}");
    let line = format!("{line} --set checkpoint.every=5");
    let child = place.start(&line, r#""event":"saved""#);
    signal(&child, "-INT");
    child.wait_with_output().unwrap();
    let toml = String::from_utf8(place.read("part/run.toml")).unwrap();
    let planned = toml
        .lines()
        .find(|line| line.starts_with("steps = "))
        .unwrap();
    let planned: u64 = planned.trim_start_matches("steps = ").parse().unwrap();
    assert!(planned > steps);
    let stopped = common::parse(&String::from_utf8(place.read("part/events.jsonl")).unwrap());
    let stopped = stopped.last().unwrap()["step"].as_u64().unwrap();
    let more = place.run(&format!(
        "train --resume part --steps {} --json",
        stopped + 4
    ));
    assert_eq!(more.fine().events().last().unwrap()["step"], stopped + 4);
}

#[test]
fn a_timed_run_is_repeated_from_its_config_to_the_same_bits() {
    let place = Place::with_story();
    let short = "--set train.short_context=8 --set train.short_share=0.5";
    let line = format!("train story.txt --time 5s --run timed --json {SMALL} {short}");
    let first = place.run(&line).fine().events();
    let last = |events: &[serde_json::Value]| {
        let saved = kind(events, "saved");
        let path = saved.last().unwrap()["path"].as_str().unwrap();
        place.read(&format!("{path}/model.safetensors"))
    };
    let first = last(&first);
    for (text, run) in [("story.txt", "named"), ("", "same")] {
        let line = format!("train {text} --config timed/run.toml --run {run} --json");
        assert!(first == last(&place.run(&line).fine().events()), "{run}");
    }
}

/// It is read so often that merges would be dropped, but those within characters stay.
#[test]
fn chinese_is_learned_by_syllable() {
    let place = Place::new();
    let character = |i: u32| char::from_u32(0x4e00 + i * i % 97 + i % 13).unwrap();
    let text: String = (0..20_000).map(character).collect();
    place.write("poem.txt", text.as_bytes());
    let line = format!("train poem.txt --time 5s --run poem --json {SMALL}");
    let events = place.run(&line).fine().events();
    let end = events.last().unwrap();
    let each = number(end, "tokens") / number(end, "epochs");
    assert!((each - 18_000.0).abs() < 200.0, "{each} tokens in an epoch");
    let toml = String::from_utf8(place.read("poem/run.toml")).unwrap();
    assert!(toml.contains("tokenizer = \"syllables:"), "{toml}");
}

#[test]
fn a_plan_is_the_config_and_what_to_expect() {
    let place = Place::with_story();
    let plan = place.run("plan story.txt --time 1m --json").fine().json();
    assert_eq!(number(&plan, "planned_seconds"), 60.0);
    assert!(number(&plan, "predicted_low") < number(&plan, "predicted_high"));
    assert_eq!(plan["config"]["optim"]["name"], "normuon");
    assert_eq!(plan["config"]["train"]["steps"], plan["steps"]);
    let shown = place.run("plan story.txt --time 1m --explain").fine().out;
    assert!(
        shown.contains("bits per byte") && shown.contains("chosen"),
        "{shown}"
    );
    let own = place.run("plan story.txt --time 1m --json --set model.width=32 --set model.heads=2");
    assert_eq!(own.fine().json()["config"]["model"]["width"], 32);
}

/// A small text has too few long windows.
#[test]
fn only_a_large_text_is_planned_with_long_windows() {
    let place = Place::new();
    let windows = |bytes: usize| {
        place.write("text.txt", common::letters(bytes).as_bytes());
        let plan = place.run("plan text.txt --time 10m --json").fine().json();
        let [model, train] = [&plan["config"]["model"], &plan["config"]["train"]];
        let [context, short] = [&model["context"], &train["short_context"]];
        (context.as_u64().unwrap(), short.as_u64().unwrap())
    };
    assert_eq!((windows(20_000), windows(200_000)), ((128, 0), (512, 128)));
}

#[test]
fn times_that_make_no_sense_are_refused() {
    let place = Place::with_story();
    place
        .run("train story.txt --time 10m --steps 5")
        .fails(2, &["--time", "--steps"]);
    place.run("train story.txt --time soon").fails(2, &["soon"]);
    place
        .run("train story.txt --time 1m --set train.steps=5")
        .fails(2, &["--time", "train.steps"]);
    place
        .run("train story.txt --time 9999999999s")
        .fails(2, &["--time", "365 days"]);
    place
        .run("train story.txt --time 1ms --run r")
        .fails(1, &["--time is too short", "at least"]);
    assert!(!place.has("r"));
}
