//! `downhill train --resume`: the same bits as a run that was never stopped.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, Run, bits, signal};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const LINE: &str =
    "train story.txt --preset tiny --steps 30 --set checkpoint.every=10 --set model.dropout=0.1";

/// A place with a finished run called `whole`.
fn whole() -> Place {
    let place = Place::with_story();
    place.run(&format!("{LINE} --run whole --quiet")).fine();
    place
}

#[test]
fn a_run_stopped_by_ctrl_c_resumes_to_the_same_bits() {
    let place = whole();
    let child = place.start(&format!("{LINE} --run part --json"), r#""step","time""#);
    signal(&child, "-INT");
    let stopped = Run::of(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, 130, "{}", stopped.error);
    let events = String::from_utf8(place.read("part/events.jsonl")).unwrap();
    let end = common::parse(&events).pop().unwrap();
    assert_eq!(end["reason"], "interrupted");
    assert!(end["step"].as_u64().unwrap() < 30);
    place.run("train --resume part --quiet").fine();
    assert!(bits(&place, "whole", 30) == bits(&place, "part", 30));
}

#[test]
fn ctrl_c_prints_how_to_resume() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 100000 --run part";
    let child = place.command(line).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The second sample is that of step 250.
    let prompts = lines
        .by_ref()
        .filter(|l| l.as_ref().unwrap().contains("prompt"));
    assert_eq!(prompts.take(2).count(), 2);
    signal(&child, "-INT");
    let rest: Vec<String> = lines.map(|l| l.unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rest = rest.join("\n");
    assert!(rest.contains("downhill train --resume part"), "{rest}");
}

#[test]
fn a_run_killed_after_a_checkpoint_resumes_to_the_same_bits() {
    let place = whole();
    let mut child = place.start(&format!("{LINE} --run part --json"), r#""event":"saved""#);
    child.kill().unwrap();
    child.wait().unwrap();
    place.run("train --resume part --quiet --threads 1").fine();
    assert!(bits(&place, "whole", 30) == bits(&place, "part", 30));
}

/// The averaged weights, Muon's states and merges left out at random go on as well.
#[test]
fn everything_that_learns_goes_on_to_the_same_bits() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 30 --quiet --set checkpoint.every=10 \
                --set data.tokenizer=bpe:290 --set data.merge_dropout=0.2 \
                --set optim.name=normuon --set optim.lr_min=0 --set train.average=0.6";
    place.run(&format!("{line} --run whole")).fine();
    let state = |run: &str| {
        let read = |file: &str| place.read(&format!("{run}/checkpoints/step-000030/{file}"));
        let state = String::from_utf8(read("trainer_state.json")).unwrap();
        let averaged = common::parse(&state.replace('\n', ""))[0]["averaged"] == true;
        let other = if averaged {
            "raw.safetensors"
        } else {
            "average.safetensors"
        };
        (read("model.safetensors"), read(other), averaged)
    };
    for step in [10, 20] {
        let part = format!("part-{step}");
        place.run(&format!("{line} --run {part}")).fine();
        for later in (step + 10..=30).step_by(10) {
            let checkpoint = format!("{part}/checkpoints/step-0000{later}");
            std::fs::remove_dir_all(place.path(&checkpoint)).unwrap();
        }
        place.run(&format!("train --resume {part} --quiet")).fine();
        assert!(state("whole") == state(&part), "from step {step}");
    }
}

#[test]
fn a_finished_run_says_so_and_can_be_extended() {
    let place = whole();
    let shown = place.run("train --resume whole").fine().out;
    assert!(
        shown.contains("30 of 30") && shown.contains("--steps"),
        "{shown}"
    );
    let events = place
        .run("train --resume whole --steps 33 --json")
        .fine()
        .events();
    assert_eq!(events[0]["first_step"], 30);
    assert_eq!(events.last().unwrap()["step"], 33);
    assert!(place.has("whole/checkpoints/step-000033"));
}

#[test]
fn a_changed_config_or_text_is_not_resumed() {
    let place = whole();
    let toml = String::from_utf8(place.read("whole/run.toml")).unwrap();
    place.write(
        "whole/run.toml",
        toml.replace("lr = 0.003", "lr = 0.004").as_bytes(),
    );
    let resume = "train --resume whole --steps 40";
    place
        .run(resume)
        .fails(1, &["optim.lr was 0.003 and is 0.004"]);
    place.write("whole/run.toml", toml.as_bytes());
    place.write(
        "story.txt",
        common::story().replace("kite", "boat").as_bytes(),
    );
    place.run(resume).fails(1, &["text changed", "story.txt"]);
    place.run("eval whole").fails(1, &["text changed"]);
    let refused = "train story.txt --resume whole";
    place.run(refused).fails(2, &["omit the text"]);
    place
        .run("train --resume nowhere")
        .fails(1, &["nowhere", "whole"]);
}

#[test]
fn a_damaged_checkpoint_is_noticed() {
    let place = whole();
    let file = "whole/checkpoints/step-000030/model.safetensors";
    let mut content = place.read(file);
    let middle = content.len() / 2;
    content[middle] ^= 1;
    place.write(file, &content);
    for line in [
        "train --resume whole --steps 40",
        "sample whole --checkpoint 30",
    ] {
        place.run(line).fails(
            1,
            &[
                "step-000030/model.safetensors",
                "damaged",
                "--checkpoint 20",
            ],
        );
    }
    place.run("sample whole --checkpoint 20 --tokens 3").fine();
}
