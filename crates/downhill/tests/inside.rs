//! `downhill inside`, and the event of the same name.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, kind};
use serde_json::Value;

fn train(place: &Place) -> Vec<Value> {
    let run = "train story.txt --preset tiny --steps 20 --run r --json --set eval.every=10 \
               --set eval.tokens=512 --set data.tokenizer=chars";
    place.run(run).fine().events()
}

#[test]
fn the_command_prints_what_the_event_has() {
    let place = Place::with_story();
    let events = train(&place);
    let seen = kind(&events, "inside");
    let steps: Vec<&Value> = seen.iter().map(|e| &e["step"]).collect();
    assert_eq!(steps, [0, 10, 20]);
    let heads = |e: &Value| e["heads"].as_array().unwrap().len();
    assert!(seen.iter().all(|e| heads(e) == 4), "2 layers of 2 heads");
    let line = place.run("inside r --checkpoint last --json").fine();
    let mut found = line.json();
    let mut last = seen[2].clone();
    for key in ["event", "time", "step", "seconds", "checkpoint"] {
        found.as_object_mut().unwrap().remove(key);
        last.as_object_mut().unwrap().remove(key);
    }
    assert!(found == last, "{}", found["heads"][0]["scores"]);

    let shown = place.run("inside r").fine().out;
    for words in [
        "layer 1.1",
        "induction",
        "after       layer 0",
        "nats",
        "nearest",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let own = place.run("inside r --passage Anna --json").fine().json();
    assert_eq!(own["tokens"], serde_json::json!(["A", "n", "n", "a"]));
    assert_eq!(
        own["embeddings"]["tokens"],
        serde_json::json!(["A", "n", "a"])
    );
    assert_eq!(own["layers"][1]["top"].as_array().unwrap().len(), 4);
    assert_eq!(own["layers"][1]["nats"].as_array().unwrap().len(), 3);
}

#[test]
fn what_can_not_be_shown_is_refused() {
    let place = Place::with_story();
    train(&place);
    place
        .run("inside r --passage A")
        .fails(1, &["the passage has 1 tokens; from 2 to 64"]);
    let long = "a".repeat(65);
    place
        .run(&format!("inside r --passage {long}"))
        .fails(1, &["65 tokens", "to 64"]);
    place.run("inside r --passage ÄÖ").fails(1, &["Ä"]);
    place.run("inside nothing").fails(1, &["nothing"]);
    place.run("export r --output model/").fine();
    place.run("inside model").fails(2, &["model", "--passage"]);
    place.run("inside model --passage Anna").fine();
}
