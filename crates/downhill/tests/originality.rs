//! `downhill originality`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{BY_HEART as TRAIN, Place, letters};
use serde_json::Value;

fn place() -> Place {
    let place = Place::new();
    place.write("text.txt", letters(1600).as_bytes());
    place
}

#[test]
fn a_copy_is_told_from_new_text() {
    let place = place();
    let more = "--steps 320 --set checkpoint.every=10 --set checkpoint.keep=40";
    place.run(&format!("{TRAIN} {more}")).fine();
    let line = "originality --samples 10 --tokens 100 --checkpoint";
    let text = place.run(&format!("{line} last")).fine().out;
    assert!(text.starts_with("It has learned "), "{text}");
    for part in ["% of the corpus by heart", "new 10-grams", "token "] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }

    // The page and the report show what was stored.
    let stored = place.read("runs/text/probes/originality.json");
    let last: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(last["finding"], "by_heart");
    let share = |of: &Value| of.as_f64().unwrap();
    assert!(share(&last["train_prefix_extraction"]) > 0.5, "{text}");
    assert!(share(&last["human"]["prefix_extraction"]) < 0.1, "{text}");
    assert!(share(&last["model"]["new_ngrams"]["8"]) < 0.5, "{text}");
    assert!(share(&last["human"]["new_ngrams"]["8"]) > 0.9, "{text}");

    // What is marked stands in the text, where it is said to stand.
    let train = &letters(1600)[..1440];
    let mut marked = 0;
    for sample in last["texts"].as_array().unwrap() {
        for copy in sample["copies"].as_array().unwrap() {
            let text = copy["text"].as_str().unwrap();
            let at = copy["token"].as_u64().unwrap() as usize;
            assert_eq!(&train[at..at + text.len()], text);
            assert!(text.len() as u64 > last["marked_beyond"].as_u64().unwrap());
            marked += 1;
        }
    }
    assert!(marked > 0);

    // Before it has learned anything, the same model copies nothing.
    let first = place.run(&format!("{line} 10 --json")).fine().json();
    assert_eq!(first["finding"], "new");
    let verdict = first["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("It writes new text: "), "{verdict}");
    for of in ["model", "human"] {
        let of = &first[of];
        assert_eq!(of["new_ngrams"].as_object().unwrap().len(), 10);
        for name in ["median", "p90", "largest"] {
            assert!(of["longest_match"][name].is_u64(), "{of}");
        }
        assert!(of["prefix_extraction"].is_f64(), "{of}");
    }
    assert!(first["train_prefix_extraction"].is_f64());
    let again = place.run(&format!("{line} 10 --json --threads 1")).fine();
    assert_eq!(
        first,
        again.json(),
        "the same command gives the same result"
    );
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let place = place();
    let more = "--steps 1 --set eval.tokens=50";
    place.run(&format!("{TRAIN} {more}")).fine();
    for flag in [
        "--samples 0",
        "--tokens 99",
        "--temperature nan",
        "--index-tokens 5",
    ] {
        let name = flag.split(' ').next().unwrap();
        place.run(&format!("originality {flag}")).fails(2, &[name]);
    }
    // A checkpoint by itself, as other programs load it.
    let from = place.path("runs/text/checkpoints/step-000001");
    std::fs::create_dir(place.path("alone")).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), place.path("alone").join(file.file_name())).unwrap();
    }
    let parts = ["alone", "training text is unknown", "name a run"];
    place.run("originality alone").fails(2, &parts);

    place.write("text.txt", letters(1700).as_bytes());
    let parts = ["runs/text", "text.txt", "changed since", "restore it"];
    place.run("originality").fails(1, &parts);
    std::fs::remove_file(place.path("text.txt")).unwrap();
    place
        .run("originality")
        .fails(1, &["text.txt", "put it back"]);

    place.run("fit --quiet --steps 5").fine();
    place.run("originality runs/fit").fails(1, &["runs/fit"]);
    place.write("text.txt", letters(700).as_bytes());
    place.run(&format!("{TRAIN} {more} --run short")).fine();
    let parts = ["the validation text has 70 tokens", "too few"];
    place.run("originality short").fails(1, &parts);
}

#[test]
fn planted_strings_are_known_by_heart_the_sooner_the_more_often_they_stand_in_the_text() {
    let place = Place::new();
    place.write("text.txt", letters(30_000).as_bytes());
    let canaries = "--set data.canaries=2 --set data.canary_tokens=10";
    let more = "--steps 250 --set eval.every=50 --set checkpoint.every=250";
    let line = TRAIN.replace("--quiet", "--json").replace("1000", "50");
    let events = place
        .run(&format!("{line} {more} {canaries}"))
        .fine()
        .events();
    let seen = common::kind(&events, "canaries");
    assert_eq!(seen.len(), 6);
    let recall: Vec<f64> = serde_json::from_value(seen[5]["recall"].clone()).unwrap();
    assert_eq!((recall[0], recall[6]), (0.0, 1.0), "{}", seen[5]);
    let rank: Vec<f64> = serde_json::from_value(seen[5]["rank"].clone()).unwrap();
    assert!(rank[6] == 1.0 && rank[0] > 1.0, "{}", seen[5]);
    // The search sees the text as it was trained on.
    let line = "originality --samples 2 --tokens 100 --checkpoint last --show 0";
    place.run(line).fine();
    let report = "report -o -";
    let html = place.run(report).fine().out;
    for part in [
        "Planted strings at step 250",
        "<td>64<td>100%",
        "Validation is best at step",
    ] {
        assert!(html.contains(part), "{part}");
    }

    for (sets, code, parts) in [
        (
            "--set data.canaries=1 --set data.canary_tokens=65",
            2,
            ["data.canary_tokens = 65", "longer than a window"],
        ),
        (
            "--set data.canaries=9",
            1,
            ["a tenth of the training text", "27000 tokens"],
        ),
        (
            "--set data.canaries=1 --set data.merge_dropout=0.1",
            2,
            ["data.merge_dropout = 0.1", "data.merge_dropout=0"],
        ),
    ] {
        let failed = place.run(&format!("{TRAIN} --steps 1 {sets} --run other"));
        failed.fails(code, &parts);
        assert!(!place.has("other"));
    }
}
