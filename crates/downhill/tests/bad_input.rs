//! Bad input: one clear error, the right exit code, and nothing left behind.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

#[test]
fn a_wrong_config_is_refused_before_anything_runs() {
    let place = Place::with_story();
    let run = place
        .run("--set optim.lrr=1 --set model.heads=3 --set train.batch=0 --set data.tokeniker=x");
    let error = run
        .fails(2, &["optim.lr?", "train.batch", "data.tokenizer?"])
        .error;
    assert!(error.contains("mistakes"), "{error}");
    place
        .run("config --set model.heads=3")
        .fails(2, &["model.heads", "model.width"]);
    place
        .run("train story.txt --preset tinny")
        .fails(2, &["tinny", "tiny"]);
    place
        .run("train story.txt --steps 0")
        .fails(2, &["train.steps"]);
    place.write("my.toml", b"[optim]\nlr = 0.1\nlr_mim = 2\n");
    place
        .run("config --config my.toml")
        .fails(2, &["my.toml", "optim.lr_min?"]);
    place
        .run("config --config none.toml")
        .fails(1, &["none.toml"]);
    assert!(!place.has("runs"));
}

#[test]
fn a_wrong_command_line_gets_a_suggestion() {
    let place = Place::with_story();
    place.run("trian").fails(2, &["train"]);
    place
        .run("story.txt")
        .fails(2, &["downhill train story.txt"]);
    place
        .run("train story.txt --stepps 3")
        .fails(2, &["--steps"]);
    place
        .run("train story.txt --overwrite")
        .fails(2, &["--run"]);
    place
        .run("train story.txt --resume x --seed 1")
        .fails(2, &["--seed"]);
    place.run("--val story.txt").fails(2, &["--val"]);
    place.run("--lr 1e-3").fails(2, &["--set optim.lr="]);
    place
        .run("train story.txt --batch 8")
        .fails(2, &["--set train.batch="]);
    place
        .run("train story.txt --epochs 3")
        .fails(2, &["--steps"]);
    place
        .run("sample --tokens 0")
        .fails(2, &["--tokens 0: must be"]);
    place
        .run("train story.txt --threads 1000")
        .fails(2, &["at most"]);
    let error = place
        .run("eval nowhere --json")
        .fails(1, &["nowhere"])
        .error;
    assert_eq!(common::parse(&error)[0]["code"], 1);
    assert!(place.run("--help").fine().out.contains("verify"));
    assert!(!place.has("runs"));
}

#[test]
fn a_bad_text_is_an_error_and_leaves_no_run_behind() {
    let place = Place::with_story();
    place.write("empty.txt", b"");
    place.write("short.txt", b"Too short.");
    std::fs::create_dir(place.path("folder")).unwrap();
    place.write("folder/picture.bin", &[0, 159, 146, 150]);
    for (path, words) in [
        ("nowhere.txt", "no such file"),
        ("empty.txt", "empty"),
        ("short.txt", "too short"),
        ("folder", "not UTF-8 text"),
    ] {
        let line = format!("train {path} --preset tiny --steps 1 --quiet");
        place.run(&line).fails(1, &[words]);
    }
    let prompt = "train story.txt --preset tiny --steps 1 --set data.tokenizer=chars --set sample.prompt=Zoe";
    place.run(prompt).fails(1, &["'Z'"]);
    let validation = "train story.txt --preset tiny --steps 1 --val nowhere.txt";
    place.run(validation).fails(1, &["nowhere.txt"]);
    assert!(!place.has("runs"));
}

#[test]
fn invalid_utf8_needs_a_flag_or_the_bytes_tokenizer() {
    let place = Place::new();
    let mut text = common::story().into_bytes();
    text[1234] = 0xff;
    place.write("story.txt", &text);
    let line = "train story.txt --preset tiny --steps 1 --quiet";
    place.run(line).fails(1, &["story.txt", "1234", "--lossy"]);
    assert!(!place.has("runs"));
    place.run(&format!("{line} --lossy")).fine();
    place
        .run(&format!("{line} --set data.tokenizer=bytes"))
        .fine();
}

#[test]
fn a_folder_that_cannot_be_created_is_an_error() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 1 --run story.txt/run";
    place.run(line).fails(1, &["story.txt/run"]);
}

#[test]
fn an_error_quotes_a_name_but_never_what_controls_a_terminal() {
    let place = Place::new();
    let name = "\u{1b}[2Ja\u{202e}b\u{9b}";
    for arguments in [
        ["sample", name],
        ["train", name],
        ["--preset", name],
        ["--no-such\u{1b}[2J", name],
    ] {
        let output = place.command("").args(arguments).output().unwrap();
        let run = common::Run::of(output);
        assert_ne!(run.code, 0, "{arguments:?}");
        let hidden = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!run.error.contains(hidden), "{:?}", run.error);
    }
}

#[test]
fn runs_are_listed_and_removed_but_nothing_else_is() {
    let place = Place::with_story();
    let train = "train story.txt --preset tiny --steps 2 --quiet --run";
    place.run(&format!("{train} runs/a")).fine();
    place
        .run("train --config runs/a/run.toml --quiet --run runs/b")
        .fine();
    place.run("runs").fails(2, &["downhill list runs"]);
    let listed = place.run("list --json").fine().json();
    let runs = listed["runs"].as_array().unwrap();
    let texts = ["a", "b"].map(|run| place.read(&format!("runs/{run}/run.toml")));
    assert_eq!(texts[0], texts[1]);
    assert_eq!(
        (runs.len(), &runs[0]["step"], &runs[0]["state"]),
        (2, &2.into(), &"ended".into())
    );
    place
        .run("sample runs/a/checkpoints/step-000002 --tokens 2")
        .fine();
    place
        .run("report runs/a/checkpoints/step-000002 -o r.html")
        .fine();
    place.run("rm runs/a").fails(2, &["--yes"]);
    place.run("rm runs --yes").fails(1, &["isn't a run folder"]);
    place.run("rm story.txt --yes").fails(1, &["is a file"]);
    place.run("rm runs/a --yes").fine();
    assert!(!place.has("runs/a") && place.has("runs/b") && place.has("story.txt"));
}
