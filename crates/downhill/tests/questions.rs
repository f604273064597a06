//! Built-in corpora of questions: accuracies in events, log, report and `eval`; the same bits after
//! a resume; clear errors.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, bits, kind};

/// Small enough for a test, large enough to learn something.
const SUMS: &str = "train --corpus sums --threads 2 --set train.batch=64 --set eval.every=20 \
     --set eval.tokens=600 --set checkpoint.every=20 --set checkpoint.keep=9 \
     --set optim.schedule_steps=100";

#[test]
fn sums_are_first_learned_by_rote_and_a_run_resumes_to_the_same_bits() {
    let place = Place::new();
    let run = place
        .run(&format!("{SUMS} --steps 100 --json --run all"))
        .fine();
    let events = run.events();
    assert_eq!(events[0]["corpus"], "sums");
    let asked = |name: &str| events[0][name].as_u64().unwrap();
    let all = asked("train_questions") + asked("held_out_questions");
    assert_eq!(all, 97 * 97);
    let share = |e: &serde_json::Value, part: &str| {
        let share = e[format!("accuracy_{part}")].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share), "{e}");
        share
    };
    for eval in kind(&events, "eval") {
        share(eval, "train");
        share(eval, "held_out");
    }
    assert!(events.last().unwrap().get("helps").is_none());
    // As many sums are shown as a sample has, each with the model's answer.
    let sample = kind(&events, "sample")[0];
    assert!(sample["prompt"].as_str().unwrap().ends_with('='));
    assert_eq!(sample["text"].as_str().unwrap().lines().count(), 8);
    // The same from `eval`, which scores everything.
    let eval = place.run("eval all --checkpoint last --json").fine().json();
    let last = kind(&events, "eval").into_iter().next_back().unwrap();
    assert_eq!(last["full"], true);
    assert!(
        share(last, "train") > share(last, "held_out") + 0.1,
        "{last}"
    );
    for part in ["train", "held_out"] {
        assert_eq!(share(&eval, part), share(last, part));
        let name = format!("{part}_questions");
        assert_eq!(eval[&name], asked(&name));
    }
    let shown = place.run("eval all --checkpoint last").fine().out;
    assert!(shown.contains("held out"), "{shown}");
    place.run("report all --output all.html").fine();
    let report = String::from_utf8(place.read("all.html")).unwrap();
    assert!(report.contains("Questions with known answers"));

    place
        .run(&format!("{SUMS} --steps 20 --quiet --run part"))
        .fine();
    place
        .run("train --resume part --steps 40 --quiet --schedule keep")
        .fine();
    let twice = bits(&place, "part", 40);
    assert!(bits(&place, "all", 40) == twice, "another 20 steps");
    let log = place
        .run("train --config all/run.toml --steps 1")
        .fine()
        .out;
    for words in ["sums", "trained", "held out", "asks"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[test]
fn what_a_corpus_can_not_be_trained_with_is_refused() {
    let place = Place::with_story();
    place
        .run("train --corpus poems")
        .fails(2, &["poems", "tales", "sums", "recall"]);
    place
        .run("train story.txt --corpus sums")
        .fails(2, &["--corpus", "TEXT"]);
    place
        .run("train --corpus sums --time 1m")
        .fails(2, &["--time", "sums"]);
    place
        .run("train --corpus recall --preset tiny")
        .fails(1, &["recall", "20 tokens", "model.context=20"]);
    place
        .run("train --corpus copy --set data.tokenizer=bytes")
        .fails(1, &["copy", "data.tokenizer"]);
    assert!(!place.has("runs"));
}
