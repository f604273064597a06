//! `downhill train --resume`: the same bits as a run that was never stopped.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, Run, bits, kind, signal};
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

/// The averaged weights, Muon's states, merges left out at random and short windows (up to step 15)
/// go on as well.
#[test]
fn everything_that_learns_goes_on_to_the_same_bits() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 30 --quiet --set checkpoint.every=10 \
                --set data.tokenizer=bpe:290 --set data.merge_dropout=0.2 \
                --set optim.name=normuon --set optim.lr_min=0 --set train.average=0.6 \
                --set train.short_context=16 --set train.short_share=0.5";
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
fn a_run_ends_when_the_model_is_at_its_best() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 4000 --stop-when-best --set eval.every=10 \
                --set optim.lr=1e-2 --set checkpoint.keep=100 --set sample.tokens=1 --json";
    let events = place.run(&format!("{line} --run best")).fine().events();
    let end = events.last().unwrap();
    assert_eq!(end["reason"], "best");
    assert_eq!(end["helps"], "text");
    let (last, best) = (end["step"].as_u64().unwrap(), &end["best_step"]);
    let evals = kind(&events, "eval");
    let mut marked = evals.iter().filter(|e| e["best"] == true);
    assert_eq!(&marked.next_back().unwrap()["step"], best);
    assert_eq!(best.as_u64(), Some(last - 50), "five evaluations later");

    let shown = place.run("train --resume best").fine().out;
    assert!(shown.contains("--set train.patience=0"), "{shown}");
    // A checkpoint knows how long the error hasn't improved.
    for step in (last - 20..=last).step_by(10) {
        let _ = std::fs::remove_dir_all(place.path(&format!("best/checkpoints/step-{step:06}")));
    }
    let again = place.run("train --resume best --json").fine().events();
    assert_eq!(again.last().unwrap()["step"], last);
}

#[test]
fn a_changed_config_or_text_is_not_resumed() {
    let place = whole();
    let toml = String::from_utf8(place.read("whole/run.toml")).unwrap();
    place.write(
        "whole/run.toml",
        toml.replace("beta1 = 0.9", "beta1 = 0.8").as_bytes(),
    );
    let resume = "train --resume whole --steps 40";
    place
        .run(resume)
        .fails(1, &["optim.beta1 was 0.9 and is 0.8"]);
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

/// Changes one bit in the middle of a file.
fn flip(place: &Place, file: &str) {
    let mut content = place.read(file);
    let middle = content.len() / 2;
    content[middle] ^= 1;
    place.write(file, &content);
}

fn warnings(run: &Run) -> String {
    let events = run.events();
    let messages = kind(&events, "warning").into_iter();
    messages.map(|w| w["message"].to_string()).collect()
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_told() {
    let place = whole();
    let expected = bits(&place, "whole", 30);
    let file = "whole/checkpoints/step-000030/model.safetensors";
    flip(&place, file);
    let named = [
        "step-000030/model.safetensors",
        "damaged",
        "--checkpoint 20",
    ];
    for line in [
        "train --resume whole --checkpoint 30",
        "sample whole --checkpoint 30",
    ] {
        place.run(line).fails(1, &named);
    }
    let sample = place.run("sample whole --checkpoint last --tokens 3");
    assert_eq!(sample.code, 0);
    for words in [named[0], "step 20 instead"] {
        assert!(sample.error.contains(words), "{}", sample.error);
    }
    let verified = place.run("verify whole --json");
    assert_eq!(verified.code, 1);
    let sound = verified.json();
    let sound: Vec<bool> = sound["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["sound"].as_bool().unwrap())
        .collect();
    assert_eq!(sound, [true, true, false]);
    let resumed = place.run("train --resume whole --json").fine();
    assert_eq!(resumed.events()[0]["first_step"], 20);
    let told = warnings(&resumed);
    assert!(
        told.contains(named[0]) && told.contains("step 20 instead"),
        "{told}"
    );
    assert!(bits(&place, "whole", 30) == expected);
    assert!(
        place
            .run("verify whole")
            .fine()
            .out
            .contains("step 30        sound")
    );
}

#[test]
fn a_run_goes_back_to_a_checkpoint_or_to_the_beginning() {
    let place = whole();
    let expected = bits(&place, "whole", 30);
    place
        .run("train --resume whole --checkpoint 10 --quiet")
        .fine();
    assert!(bits(&place, "whole", 30) == expected);
    // The course that was left doesn't come back.
    let stopped = "train --resume whole --checkpoint 10 --steps 15 --quiet";
    place.run(stopped).fine();
    assert!(!place.has("whole/checkpoints/step-000030"));
    std::fs::remove_dir_all(place.path("whole/checkpoints")).unwrap();
    let again = place.run("train --resume whole --steps 30 --json").fine();
    assert!(warnings(&again).contains("starting again at step 0"));
    assert!(bits(&place, "whole", 30) == expected);
}

#[test]
fn a_start_that_is_refused_changes_nothing() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 100000 --run part --json";
    let mut child = place.start(line, r#""event":"step""#);
    let before = place.read("part/run.toml");
    let busy = ["part", "busy", &format!("process {}", child.id())];
    place
        .run("train --resume part --steps 7777")
        .fails(1, &busy);
    place
        .run("train story.txt --preset tiny --run part --overwrite")
        .fails(1, &busy);
    assert!(place.read("part/run.toml") == before);
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    place
        .run("train story.txt --preset tiny --steps 1 --quiet --run part --overwrite")
        .fine();
}

#[test]
fn a_run_whose_folder_was_moved_is_saved_beside_it_and_ends() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 100000 --run part --json \
                --set checkpoint.every=1 --set eval.tokens=1";
    let child = place.start(line, r#""event":"saved""#);
    std::fs::rename(place.path("part"), place.path("moved")).unwrap();
    let ended = Run::of(child.wait_with_output().unwrap());
    ended.fails(1, &["part was moved or removed", "train --resume part"]);
    let again = place.run("train --resume part --checkpoint 100000 --quiet");
    again.fails(1, &["Available steps: "]);
}

#[test]
fn settings_that_may_change_do_and_are_told() {
    let place = whole();
    let resume = "train --resume whole --steps 40 --json";
    place
        .run(&format!("{resume} --set train.batch=3"))
        .fails(2, &["train.batch", "optim.lr"]);
    let sets = "--set optim.lr=0.5 --set eval.every=5";
    let changed = place.run(&format!("{resume} {sets}")).fine();
    let told = warnings(&changed);
    for words in [
        "optim.lr = 0.5 (was 0.003)",
        "eval.every = 5",
        "rises again to",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // Too high a rate makes it worse: the figures at the end are of the best checkpoint.
    let end = changed.events().pop().unwrap();
    assert_eq!(end["best_step"], 30);
    let eval = place.run("eval whole --json").fine().json();
    assert_eq!(eval["step"], 30);
    assert_eq!(end["val_nats_per_token"], eval["nats_per_token"]);
    assert_eq!(end["val_bits_per_byte"], eval["bits_per_byte"]);
    let kept = place
        .run("train --resume whole --checkpoint 30 --steps 40 --set optim.lr=0.003 --schedule keep --json")
        .fine();
    let events = kept.events();
    let rates: Vec<&serde_json::Value> = kind(&events, "step").iter().map(|s| &s["lr"]).collect();
    assert!(rates.iter().all(|rate| *rate == rates[0]), "{rates:?}");
}

#[test]
fn a_path_to_a_checkpoint_works_wherever_a_run_does() {
    let place = whole();
    let expected = bits(&place, "whole", 30);
    let at = "whole/checkpoints/step-000010";
    for line in ["verify", "eval", "sample --tokens 1", "report -o r.html"] {
        place.run(&format!("{line} {at}")).fine();
    }
    let ids = |of: &str| place.run(&format!("tokenize Anna --json --tokenizer {of}"));
    assert_eq!(ids(at).fine().out, ids("whole").fine().out);
    let resumed = place.run(&format!("train --resume {at} --json")).fine();
    assert_eq!(resumed.events()[0]["first_step"], 10);
    assert!(bits(&place, "whole", 30) == expected);
}

#[test]
fn a_text_that_was_moved_can_be_named() {
    let place = whole();
    std::fs::rename(place.path("story.txt"), place.path("moved.txt")).unwrap();
    let gone = ["story.txt: no such file", "--text"];
    place.run("eval whole").fails(1, &gone);
    place.run("eval whole --text moved.txt").fine();
    let edit = ["story.txt: no such file", "[source] of whole/run.toml"];
    place.run("train --resume whole --steps 40").fails(1, &edit);
}

/// The system's limit of a file's size ends a run as a full disk does: with one error, and what was
/// saved intact.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_is_an_error_and_the_run_goes_on_later() {
    let place = whole();
    let expected = bits(&place, "whole", 30);
    let line = format!("{LINE} --run part --quiet");
    let limited = |limit: &str, line: &str| {
        let program = place.command(line);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -f {limit}; exec \"$0\" \"$@\"")]);
        shell.arg(program.get_program()).args(program.get_args());
        shell.current_dir(place.path("")).stdin(Stdio::null());
        Run::of(shell.output().unwrap())
    };
    // In blocks of 512 bytes: the log fits, the weights don't.
    let full = [
        "as large as the system allows",
        "part/checkpoints",
        "Raise the limit",
    ];
    let failed = limited("100", &line).fails(1, &full);
    assert!(!failed.error.contains("intact"), "nothing was saved");
    place.run("train --resume part --steps 20 --quiet").fine();
    let full = ["The checkpoint of step 20 is intact", "train --resume part"];
    limited("100", "train --resume part --steps 30 --quiet").fails(1, &full);
    place.run("train --resume part --steps 30 --quiet").fine();
    assert!(bits(&place, "part", 30).0 == expected.0);
}
