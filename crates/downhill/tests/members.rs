//! `downhill train --members`: models that differ in their seed, distilled into one.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, bits, kind};

const LINE: &str = "train story.txt --preset tiny --steps 12 --members 2 --set model.dropout=0.1 \
                    --set train.average=0.5 --set checkpoint.every=4 --set sample.tokens=5";

#[test]
fn members_teach_one_model_and_resume_to_the_same_bits() {
    let place = Place::with_story();
    let events = place
        .run(&format!("{LINE} --run whole --json"))
        .fine()
        .events();
    assert_eq!(kind(&events, "start").len(), 1, "events of one model");
    let wrapped = kind(&events, "member");
    let ends = wrapped.iter().filter(|e| e["wrapped"]["event"] == "end");
    let ends: Vec<_> = ends.map(|e| (&e["member"], &e["members"])).collect();
    assert_eq!(ends, [(&1.into(), &2.into()), (&2.into(), &2.into())]);
    let whole = bits(&place, "whole", 12);
    let members = [1, 2].map(|member| bits(&place, &format!("whole/members/{member}"), 12));
    assert!(members[0] != members[1] && members[0] != whole);
    // The model that is kept is like any other.
    place.run("sample whole --tokens 3").fine();
    place.run("verify whole").fine();

    place.run(&format!("{LINE} --run part --quiet")).fine();
    let remove = |name: &str| std::fs::remove_dir_all(place.path(name)).unwrap();
    for later in ["checkpoints/step-000008", "checkpoints/step-000012"] {
        remove(&format!("part/{later}"));
    }
    place.run("train --resume part --quiet").fine();
    assert!(bits(&place, "part", 12) == whole, "the model");
    remove("part/checkpoints");
    // Before its own first step, the run isn't finished, and has nothing to report.
    std::fs::remove_file(place.path("part/events.jsonl")).unwrap();
    assert!(place.run("list .").fine().out.contains("stopped"));
    place
        .run("report part")
        .fails(1, &["no events yet", "--resume part"]);
    remove("part/members/2");
    remove("part/members/1/checkpoints/step-000012");
    let shown = place.run("train --resume part --no-page").fine().out;
    for told in [
        "member 1 of 2 · seed 2",
        "member 2 of 2 · seed 3",
        "the 2 members",
    ] {
        assert!(shown.contains(told), "no {told:?} in {shown}");
    }
    assert!(bits(&place, "part", 12) == whole, "its members");
}

#[test]
fn timed_members_are_repeated_to_the_same_bits() {
    let place = Place::with_story();
    let line = "train story.txt --time 8s --members 2 --set model.layers=1 --set model.width=32 \
                --set model.heads=2 --set model.context=16 --set train.batch=2 --threads 1";
    let events = place
        .run(&format!("{line} --run timed --json"))
        .fine()
        .events();
    let end = events.last().unwrap();
    let step = end["step"].as_u64().unwrap();
    let again = "train --config timed/run.toml --run again --json";
    place.run(again).fine();
    assert!(bits(&place, "timed", step) == bits(&place, "again", step));
}

#[test]
fn members_that_do_not_fit_the_memory_are_refused() {
    let place = Place::with_story();
    let line = "train story.txt --steps 3 --members 64 --run big --set model.width=65536 \
                --set model.layers=2 --set model.heads=256 --set model.kv_heads=256";
    place
        .run(line)
        .fails(1, &["distilling 64 members needs", "--members"]);
    assert!(!place.has("big/members"));
}
