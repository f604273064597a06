//! `downhill race`: turns change nothing, results are compared, mistakes are refused.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Place, bits, kind, parse, signal};
use serde_json::Value;

const TINY: &str = "--preset tiny --set eval.every=5 --set checkpoint.every=10 --threads 1";

/// The events of a run without what depends on the clock or the folder.
fn events(place: &Place, run: &str) -> Vec<Value> {
    let text = String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap();
    let mut events = parse(&text);
    events.retain(|event| event["event"] != "profile");
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        let clock = ["time", "path", "run", "peak_bytes", "peak_flops_per_second"];
        event.retain(|key, _| !(key.contains("second") || clock.contains(&key.as_str())));
    }
    events
}

#[test]
fn runs_that_take_turns_have_the_bits_of_runs_alone() {
    let place = Place::with_story();
    let line = format!(
        "race story.txt {TINY} --steps 40 --seeds 2 --out race --json \
         --recipe plain --recipe normuon:optim.name=normuon,train.average=0.3"
    );
    let objects = place.run(&line).fine().events();
    assert_eq!(objects.len(), 2);
    for object in &objects {
        assert_eq!(object["seeds"], 2);
        for field in ["mean", "spread", "seconds"] {
            assert!(object[field].as_f64().unwrap() > 0.0, "{field} in {object}");
        }
    }
    let mean = |at: usize| objects[at]["mean"].as_f64().unwrap();
    assert!(mean(0) <= mean(1), "the best is first");
    for (recipe, sets) in [
        ("plain", ""),
        (
            "normuon",
            "--set optim.name=normuon --set train.average=0.3",
        ),
    ] {
        for seed in [1, 2] {
            let alone = format!("alone-{recipe}-{seed}");
            let line = format!(
                "train story.txt {TINY} --steps 40 --seed {seed} {sets} --run {alone} --quiet"
            );
            place.run(&line).fine();
            let run = format!("race/{recipe}-seed{seed}");
            for step in [30, 40] {
                assert!(
                    bits(&place, &run, step) == bits(&place, &alone, step),
                    "{run}"
                );
            }
            let config = |run: &str| place.read(&format!("{run}/run.toml"));
            assert!(config(&run) == config(&alone), "{run}");
            assert_eq!(events(&place, &run), events(&place, &alone), "{run}");
        }
    }
    let object = objects.iter().find(|o| o["name"] == "plain").unwrap();
    let ends = [1, 2].map(|seed| {
        let events = events(&place, &format!("race/plain-seed{seed}"));
        kind(&events, "end")[0]["val_bits_per_byte"]
            .as_f64()
            .unwrap()
    });
    assert_eq!(object["values"], serde_json::json!(ends));
    // A finished race only shows its result again.
    let again = place.run("race --resume race --json").fine().events();
    assert_eq!(again, objects);
    let shown = place.run("race --resume race").fine().out;
    assert!(
        shown.contains("nothing is left") && shown.contains("bits/byte"),
        "{shown}"
    );
}

#[test]
fn a_built_in_corpus_is_raced_with_its_preset() {
    let place = Place::new();
    let line = "race --corpus copy --steps 2 --seeds 1 --set eval.every=2 --out race --json \
                --recipe plain --recipe slow:optim.lr=1e-4";
    assert_eq!(place.run(line).fine().events().len(), 2);
    let config = String::from_utf8(place.read("race/plain-seed1/run.toml")).unwrap();
    let preset = place.run("config --preset copy").fine().out;
    let batch = preset.lines().find(|line| line.starts_with("batch"));
    assert!(config.contains("\"copy\"") && config.contains(batch.unwrap()));
    place
        .run("race --corpus copy --time 1m --recipe a --recipe b:optim.lr=1e-4")
        .fails(2, &["--corpus copy has a preset"]);
}

#[test]
fn a_race_is_stopped_resumed_and_says_what_it_saw() {
    let place = Place::with_story();
    let recipes = "--recipe a --recipe b:optim.lr=1e-4";
    let line = format!("race story.txt {TINY} --steps 40 --seeds 2 {recipes} --no-page");
    let whole = place.run(&format!("{line} --out whole")).fine().out;
    assert!(!whole.contains('\x1b'), "{whole}");
    for words in [
        "2 recipes × 2 seeds",
        "40/40",
        "a beats b by",
        "95% interval",
    ] {
        assert!(whole.contains(words), "{words} is not in: {whole}");
    }
    let child = place.start(&format!("{line} --out part"), " 10/40");
    signal(&child, "-INT");
    let stopped = common::Run::of(child.wait_with_output().unwrap());
    stopped.fails(130, &["downhill race --resume part"]);
    place.run("race --resume part --json").fine();
    for run in ["a-seed1", "a-seed2", "b-seed1", "b-seed2"] {
        let same =
            bits(&place, &format!("part/{run}"), 40) == bits(&place, &format!("whole/{run}"), 40);
        assert!(same, "{run}");
    }
}

#[test]
fn each_run_has_its_own_time() {
    let place = Place::with_story();
    let line = format!(
        "race story.txt {TINY} --time 2s --seeds 1 --out race --json \
         --recipe a --recipe b:optim.lr=1e-4"
    );
    let objects = place.run(&line).fine().events();
    for object in &objects {
        assert_eq!(object["spread"], Value::Null);
        let run = object["runs"][0].as_str().unwrap();
        let text = String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap();
        let events = parse(&text);
        assert_eq!(events[0]["planned_seconds"], 2.0);
        let end = events.last().unwrap();
        assert_eq!(end["reason"], "finished");
        // Without the turns of the other run, which took as long.
        let times = [&events[0], end].map(|event| event["time"].as_f64().unwrap());
        assert!(end["wall_seconds"].as_f64().unwrap() < times[1] - times[0]);
        let toml = String::from_utf8(place.read(&format!("{run}/run.toml"))).unwrap();
        assert!(
            toml.contains(&format!("steps = {}\n", end["step"])),
            "{toml}"
        );
    }
}

#[test]
fn a_recipe_that_diverges_loses_and_the_race_goes_on() {
    let place = Place::with_story();
    let line = format!(
        "race story.txt {TINY} --steps 60 --seeds 1 --out race --json --set optim.warmup=10 \
         --recipe wild:optim.name=sgd,optim.clip=none,optim.lr=1000 --recipe calm"
    );
    let run = place.run(&line);
    assert_eq!(run.code, 0, "{}", run.error);
    assert!(
        run.error.contains("race/wild-seed1 diverged"),
        "{}",
        run.error
    );
    let objects = run.events();
    assert_eq!(objects[0]["name"], "calm");
    assert_eq!(
        (&objects[1]["seeds"], &objects[1]["diverged"]),
        (&0.into(), &1.into())
    );
    assert_eq!(objects[1]["mean"], Value::Null);
}

#[test]
fn optimizers_are_recipes() {
    let place = Place::with_story();
    let line = format!("race story.txt {TINY} --steps 5 --seeds 1 --out race --json");
    let objects = place
        .run(&format!("{line} --optimizers sgd,momentum,adam,muon"))
        .fine()
        .events();
    let sets = |name: &str| {
        let object = objects.iter().find(|object| object["name"] == name);
        object.unwrap()["sets"].clone()
    };
    assert_eq!(
        sets("sgd"),
        serde_json::json!(["optim.name=sgd", "optim.lr=0.2"])
    );
    assert_eq!(sets("muon"), serde_json::json!(["optim.name=muon"]));
    assert_eq!(objects.len(), 4);
    let line = line.replace("race --json", "other --json");
    for (names, words) in [
        ("sgd,lion", ["recipe lion", "optim.name"]),
        ("sgd", ["at least two", "--optimizers"]),
        ("sgd,sgd", ["two recipes", "name sgd"]),
    ] {
        place
            .run(&format!("{line} --optimizers {names}"))
            .fails(2, &words);
    }
    assert!(!place.has("other"));
}

#[test]
fn mistakes_are_refused_and_leave_nothing_behind() {
    let place = Place::with_story();
    let line = format!("race story.txt {TINY} --out race");
    let fails = |more: &str, code: i32, words: &[&str]| {
        place.run(&format!("{line} {more}")).fails(code, words);
        assert!(!place.has("race"), "{more}");
    };
    fails("--steps 5", 2, &["at least two recipes"]);
    fails("--recipe a", 2, &["at least two recipes"]);
    for (recipe, words) in [
        ("A:optim.lr=1e-3", ["two recipes", "name A"]),
        ("b", ["a and b", "same values"]),
        ("../b:optim.lr=1e-3", ["../b", "letters"]),
        ("b:optim.lr", ["recipe b", "KEY=VALUE"]),
        ("b:optim.rate=1", ["recipe b", "optim.rate"]),
        ("b:optim.lr=-1", ["recipe b", "optim.lr"]),
        (
            "b:data.tokenizer=bytes",
            ["data.tokenizer can't differ", "--set data.tokenizer"],
        ),
        (
            "b:eval.every=2",
            ["eval.every can't differ", "--set eval.every=2"],
        ),
        (
            "b:checkpoint.every=3",
            ["checkpoint.every can't differ", "--set"],
        ),
        ("b:train.seed=4", ["train.seed can't differ", "--seeds"]),
    ] {
        fails(
            &format!("--steps 5 --recipe a --recipe {recipe}"),
            2,
            &words,
        );
    }
    let two = "--recipe a --recipe b:optim.lr=1";
    for (time, code, words) in [
        ("99999999999s", 2, ["--time", "365 days"]),
        ("1us", 1, ["--time is too short", "at least"]),
        ("1m --steps 9", 2, ["--time", "--steps"]),
        ("1m --recipe c:train.steps=9", 2, ["--time", "train.steps"]),
    ] {
        fails(&format!("--time {time} {two}"), code, &words);
    }
    // Elsewhere it isn't known how much memory is free.
    if cfg!(target_os = "linux") {
        let large = "--preset gpt2-124m --seeds 100 --recipe a --recipe b:optim.lr=1 --out race";
        let words = ["of memory", "is free", "fewer recipes"];
        place.run(&format!("race {large}")).fails(1, &words);
        assert!(!place.has("race"));
    }
    place
        .run("race --resume nowhere")
        .fails(1, &["nowhere", "race.toml"]);
    place
        .run("race story.txt --resume nowhere")
        .fails(2, &["--resume"]);
    place.write("race", b"mine");
    let words = ["race already exists", "--out"];
    place
        .run(&format!("{line} --steps 5 {two}"))
        .fails(1, &words);
    assert_eq!(place.read("race"), b"mine");
}
