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
