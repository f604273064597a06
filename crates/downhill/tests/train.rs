//! `downhill train`: its files, its output, and where the run folder goes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, bits, kind, parse};

const TINY: &str = "train story.txt --preset tiny --threads 2";

#[test]
fn printed_events_equal_those_on_disk() {
    let place = Place::with_story();
    let run = place.run(&format!("{TINY} --steps 20 --json")).fine();
    let events = run.events();
    let disk = String::from_utf8(place.read("runs/story/events.jsonl")).unwrap();
    assert_eq!(events, parse(&disk));
    assert!(events.iter().all(|e| e["time"].as_f64().unwrap() > 1e9));
    assert_eq!(events[0]["event"], "start");
    assert_eq!(events[0]["steps"], 20);
    let steps = kind(&events, "step");
    assert_eq!(steps.len(), 20);
    for (i, step) in steps.iter().enumerate() {
        assert_eq!(step["step"], i + 1);
        for field in ["nats_per_token", "grad_norm", "lr", "step_seconds"] {
            assert!(step[field].as_f64().unwrap() > 0.0, "{field}");
        }
        assert!(step["tokens_per_second"].as_f64().unwrap() > 0.0);
    }
    let shown: Vec<_> = kind(&events, "sample").iter().map(|s| &s["step"]).collect();
    assert_eq!(shown, [0, 20]);
    let evals = kind(&events, "eval");
    let (first, last) = (&evals[0], &evals[evals.len() - 1]);
    let nats = |e: &serde_json::Value| e["val_nats_per_token"].as_f64().unwrap();
    assert!(nats(last) < nats(first) - 0.1, "the model has not learned");
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["step"]), (&"end".into(), &20.into()));
    assert_eq!(nats(end), nats(last));
    for field in [
        "train_seconds",
        "wall_seconds",
        "val_bits_per_byte",
        "peak_bytes",
    ] {
        assert!(end[field].as_f64().unwrap() > 0.0, "{field}");
    }
    assert!(end.get("floor_bits_per_byte").is_none());
}

#[test]
fn a_run_leaves_a_model_directory_and_its_state() {
    let place = Place::with_story();
    place.run(&format!("{TINY} --steps 2 --quiet")).fine();
    for file in [
        "config.json",
        "model.safetensors",
        "optimizer.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "trainer_state.json",
        "manifest.json",
    ] {
        assert!(
            place.has(&format!("runs/story/checkpoints/step-000002/{file}")),
            "{file}"
        );
    }
    let config = String::from_utf8(place.read("runs/story/run.toml")).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let path = config["source"]["paths"][0].as_str().unwrap();
    assert!(std::path::Path::new(path).is_absolute(), "{path}");
    assert_eq!(config["train"]["steps"].as_integer(), Some(2));
}

#[test]
fn the_log_is_plain_in_a_pipe_and_quiet_shows_the_end() {
    let place = Place::with_story();
    let log = place.run(&format!("{TINY} --steps 3")).fine().out;
    assert!(log.chars().all(|c| !c.is_control() || c == '\n'), "{log}");
    assert!(
        log.contains("finished after step 3") && log.contains("parameters"),
        "{log}"
    );
    let quiet = place.run(&format!("{TINY} --steps 3 --quiet")).fine().out;
    assert!(quiet.starts_with("finished after step 3"), "{quiet}");
    assert!(quiet.contains("downhill sample runs/story-2"), "{quiet}");
}

#[test]
fn a_run_replaces_another_only_with_overwrite() {
    let place = Place::with_story();
    for folder in ["runs/story", "runs/story-2"] {
        place.run(&format!("{TINY} --steps 1 --quiet")).fine();
        assert!(place.has(&format!("{folder}/checkpoints/step-000001")));
    }
    let before = place.read("runs/story/events.jsonl");
    let again = format!("{TINY} --steps 2 --quiet --run runs/story");
    place.run(&again).fails(1, &["runs/story", "--overwrite"]);
    assert_eq!(place.read("runs/story/events.jsonl"), before);
    place.run(&format!("{again} --overwrite")).fine();
    assert!(place.has("runs/story/checkpoints/step-000002"));
    assert!(!place.has("runs/story/checkpoints/step-000001"));
    place.write("mine.txt", b"not a run");
    place
        .run(&format!("{TINY} --steps 1 --run mine.txt --overwrite"))
        .fails(1, &["mine.txt"]);
    assert_eq!(place.read("mine.txt"), b"not a run");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let place = Place::with_story();
    for threads in 1..=3 {
        let line = format!("train story.txt --preset tiny --steps 6 --quiet --run {threads}");
        place
            .run(&format!(
                "{line} --threads {threads} --set model.dropout=0.1"
            ))
            .fine();
    }
    let one = bits(&place, "1", 6);
    assert!(one == bits(&place, "2", 6) && one == bits(&place, "3", 6));
    place
        .run("train story.txt --preset tiny --steps 6 --quiet --run seed --seed 2")
        .fine();
    assert!(one != bits(&place, "seed", 6));
}

/// A run may begin with short windows. A model that is taken from that part has a short context,
/// and its loss is not compared with that of whole windows. Short windows as long as whole ones
/// change no bit.
#[test]
fn short_windows_come_first_and_a_model_has_the_context_that_it_has_seen() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 8 --json --set checkpoint.every=4 --run";
    let run = |name: &str, short: u64| {
        let short = format!("--set train.short_context={short} --set train.short_share=0.5");
        place.run(&format!("{line} {name} {short}")).fine().events()
    };
    let events = run("short", 16);
    assert_eq!(events[0]["short_context"], 16);
    let context = |step: u64| {
        let folder = format!("short/checkpoints/step-00000{step}");
        let config = String::from_utf8(place.read(&format!("{folder}/config.json"))).unwrap();
        let manifest = String::from_utf8(place.read(&format!("{folder}/manifest.json"))).unwrap();
        let [config, manifest] =
            [config, manifest].map(|json| common::parse(&json.replace('\n', " ")).remove(0));
        let context = config["max_position_embeddings"].as_u64().unwrap();
        (context, manifest["loss"].is_f64())
    };
    assert_eq!((context(4), context(8)), ((16, false), (64, true)));
    assert_eq!(events.last().unwrap()["best_step"], 8);

    let (whole, same) = (run("whole", 0), run("same", 64));
    assert!(bits(&place, "whole", 8) == bits(&place, "same", 8));
    let flops = |events: &[serde_json::Value]| events[0]["flops_per_step"].as_u64().unwrap();
    assert_eq!(flops(&whole), flops(&same));
    assert!(flops(&events) < flops(&whole));
    place
        .run("train story.txt --preset tiny --set train.short_context=24")
        .fails(2, &["train.short_context = 24", "model.context = 64"]);
}

#[test]
fn without_a_text_the_stories_are_learned_and_their_floor_is_known() {
    let place = Place::new();
    let run = place
        .run("--steps 1 --json --set model.layers=1 --set train.batch=1")
        .fine();
    let events = run.events();
    assert_eq!(events[0]["corpus"], "tales");
    assert!(place.has("runs/tales/checkpoints/step-000001"));
    let end = events.last().unwrap();
    let floor = end["floor_bits_per_byte"].as_f64().unwrap();
    assert!(floor > 0.5 && floor < end["val_bits_per_byte"].as_f64().unwrap());
}

#[test]
fn numbers_that_blow_up_stop_the_run_with_the_last_checkpoint_intact() {
    let place = Place::with_story();
    let line =
        format!("{TINY} --steps 200 --quiet --run r --set optim.name=sgd --set optim.clip=none");
    place
        .run(&format!(
            "{line} --set optim.lr=1000 --set optim.warmup=30 --set checkpoint.every=1"
        ))
        .fails(1, &["step ", "not finite", "r is intact", "optim.lr"]);
    place.run("eval r --checkpoint last --json").fine();
    // The advice works.
    let lower = "train --resume r --checkpoint 0 --steps 40 --json --set optim.lr=0.001";
    place.run(lower).fine();
}

#[test]
fn runs_are_removed_only_if_they_are_runs_and_with_consent() {
    let place = Place::with_story();
    place
        .run(&format!("{TINY} --steps 1 --quiet --run r"))
        .fine();
    std::fs::create_dir(place.path("photos")).unwrap();
    place.write("photos/cat.jpg", b"not a run");
    // Nobody is at a terminal to be asked.
    place.run("rm r").fails(2, &["confirm with --yes"]);
    for other in [
        "photos",
        "story.txt",
        "nowhere",
        "r/checkpoints/step-000001",
        "r/checkpoints",
    ] {
        place.run(&format!("rm r {other} --yes")).fails(1, &[other]);
    }
    assert!(place.has("r/run.toml") && place.has("photos/cat.jpg"));
    let removed = place.run("rm r --yes").fine().out;
    assert!(removed.starts_with("removed r"), "{removed}");
    assert!(!place.has("r"));
    // A race is removed with all its runs, none of which may be live.
    let race = TINY.replace("train", "race");
    let line = format!("{race} --steps 2 --seeds 1 --recipe a --recipe b:optim.lr=1e-4 --out both");
    place.run(&format!("{line} --json")).fine();
    let listed = place.run("list .").fine().out;
    assert!(
        listed.contains("race both · 2 runs: downhill list both"),
        "{listed}"
    );
    let listed = place.run("list . --json").fine().json();
    assert_eq!(listed["races"], serde_json::json!(["both"]));
    place.run("rm both").fails(2, &["confirm with --yes"]);
    let removed = place.run("rm both --yes").fine().out;
    assert!(removed.starts_with("removed both · 2 runs, "), "{removed}");
    assert!(!place.has("both"));
    let long = line
        .replace("--steps 2", "--steps 100000")
        .replace("both", "live");
    let child = place.start(&format!("{long} --no-page --set eval.every=2"), "/100000");
    place
        .run("rm live --yes")
        .fails(1, &["live/a-seed1 is being trained"]);
    common::signal(&child, "-INT");
    common::Run::of(child.wait_with_output().unwrap()).fails(130, &["all runs are saved"]);
    place.run("rm live --yes").fine();
}

#[test]
fn the_list_shows_the_loss_that_the_end_reports() {
    let place = Place::with_story();
    let averaged = "--set train.average=0.5 --set eval.tokens=64";
    let run = place
        .run(&format!("{TINY} --steps 20 --json --run runs/r {averaged}"))
        .fine();
    let mut events = run.events();
    let end = events.pop().unwrap();
    // The subset told whether the weights or their average are better; they alone were measured.
    let evals: Vec<_> = events.iter().filter(|e| e["event"] == "eval").collect();
    let full: Vec<_> = evals.iter().filter(|e| e["full"] == true).collect();
    let subset = evals.iter().rfind(|e| e["full"] == false).unwrap();
    assert_eq!(full.len(), 1);
    for of in [subset, &end] {
        assert_eq!(full[0]["averaged"], of["averaged"]);
    }
    assert_eq!(full[0]["val_nats_per_token"], end["val_nats_per_token"]);
    let scored = place.run("eval runs/r --json").fine().json();
    let nats =
        [&scored["nats_per_token"], &end["val_nats_per_token"]].map(|of| of.as_f64().unwrap());
    assert!((nats[0] - nats[1]).abs() < 1e-6, "{nats:?}");
    let listed = place.run("list --json").fine().json();
    let listed = &listed["runs"][0];
    assert_eq!(listed["best"], end["val_nats_per_token"]);
    assert_eq!(listed["full"], true);
}

#[test]
fn a_run_records_which_keys_the_user_set() {
    let place = Place::with_story();
    let given = |run: &str| -> Vec<String> {
        let text = String::from_utf8(place.read(&format!("{run}/run.toml"))).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let keys = table["given"].as_array().unwrap().iter();
        keys.map(|key| key.as_str().unwrap().to_owned()).collect()
    };
    let line = "train story.txt --set eval.every=7 --set train.batch=2 --set model.context=16";
    place
        .run(&format!("{line} --steps 1 --quiet --run r"))
        .fine();
    let set = ["eval.every", "model.context", "train.batch", "train.steps"];
    assert_eq!(given("r"), set);
    let resume = "train --resume r --steps 2 --set optim.lr=0.01 --quiet";
    place.run(resume).fine();
    let mut more = set.to_vec();
    more.insert(2, "optim.lr");
    assert_eq!(given("r"), more);
    // Repeated from its config, which has all keys.
    place
        .run("train --config r/run.toml --quiet --run again")
        .fine();
    assert_eq!(given("again"), more);
}
