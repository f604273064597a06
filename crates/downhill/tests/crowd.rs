//! `downhill landscape --crowd`: runs from different random starts.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Place, signal};
use serde_json::Value;

const TRAIN: &str = "train story.txt --preset tiny --steps 20 --set eval.every=5 \
                     --set checkpoint.every=10 --threads 1 --quiet";

/// The numbers of a list.
fn numbers(of: &Value) -> Vec<f64> {
    let all = of.as_array().unwrap().iter();
    all.map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn runs_from_other_starts_are_trained_compared_and_shown() {
    let place = Place::with_story();
    place.run(&format!("{TRAIN} --run r")).fine();
    let found = place.run("landscape r --crowd 3 --json").fine().json();
    let crowd = &found["crowd"];
    let runs = crowd["runs"].as_array().unwrap();
    let seeds: Vec<&Value> = runs.iter().map(|run| &run["seed"]).collect();
    assert_eq!(seeds, [1, 2, 3]);
    assert_eq!(
        [&runs[0]["folder"], &runs[2]["folder"]],
        ["r", "r/crowd/seed3"]
    );
    // The others are runs like any other, with the bits of the same run alone.
    place.run(&format!("{TRAIN} --seed 2 --run alone")).fine();
    assert!(common::bits(&place, "r/crowd/seed2", 20) == common::bits(&place, "alone", 20));
    let pairs = crowd["pairs"].as_array().unwrap();
    let of: Vec<[&Value; 2]> = pairs.iter().map(|pair| [&pair["a"], &pair["b"]]).collect();
    assert_eq!(of, [[0, 1], [0, 2], [1, 2]]);
    for pair in pairs {
        let line = &pair["line"];
        let x = numbers(&line["x"]);
        assert_eq!((x.len(), x[0], x[10]), (11, 0.0, 1.0));
        for (costs, barrier) in [("before", "barrier_before"), ("after", "barrier_after")] {
            let costs = numbers(&line[costs]);
            let end = |run: &Value| runs[run.as_u64().unwrap() as usize]["cost"].clone();
            assert_eq!(costs[0], end(&pair["a"]));
            assert_eq!(costs[10], end(&pair["b"]));
            let rise = |i: usize| costs[i] - (costs[0] + x[i] * (costs[10] - costs[0]));
            let most = (0..11).map(rise).fold(0.0, f64::max);
            assert_eq!(pair[barrier].as_f64().unwrap(), most);
        }
        let share = pair["agreement"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share), "{pair}");
        let divergence = pair["divergence"].as_f64().unwrap();
        assert!((0.0..=std::f64::consts::LN_2).contains(&divergence) && divergence > 0.0);
    }
    let ensemble = crowd["ensemble"].as_f64().unwrap();
    let mean = runs
        .iter()
        .map(|run| run["cost"].as_f64().unwrap())
        .sum::<f64>()
        / 3.0;
    assert!(
        ensemble <= mean,
        "by Jensen's inequality: {ensemble}, {mean}"
    );
    // Trained only once; the same in words, on the page and in the report.
    let events = place.read("r/crowd/seed2/events.jsonl");
    let shown = place.run("landscape r --crowd 3").fine().out;
    assert!(place.read("r/crowd/seed2/events.jsonl") == events);
    let verdict = crowd["verdict"].as_str().unwrap();
    assert!(shown.starts_with(verdict), "{shown}");
    let html = place.run("report r -o -").fine().out;
    for part in [verdict, "Different random starts", "after matching"] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn the_same_start_is_no_barrier() {
    let place = Place::with_story();
    place.run(&format!("{TRAIN} --run r")).fine();
    place.run("landscape r --crowd 2 --json").fine();
    // The second run becomes a copy of the first.
    let folder = "r/crowd/seed2/checkpoints";
    std::fs::remove_dir_all(place.path(folder)).unwrap();
    std::fs::create_dir(place.path(folder)).unwrap();
    for step in ["step-000010", "step-000020"] {
        std::fs::create_dir(place.path(folder).join(step)).unwrap();
        for file in std::fs::read_dir(place.path("r/checkpoints").join(step)).unwrap() {
            let file = file.unwrap();
            let to = place.path(folder).join(step).join(file.file_name());
            std::fs::copy(file.path(), to).unwrap();
        }
    }
    let text = String::from_utf8(place.read("r/run.toml")).unwrap();
    place.write("r/crowd/seed2/run.toml", text.as_bytes());
    let words = ["train.seed"];
    let _ = words;
    let found = place.run("landscape r --crowd 2 --json").fine().json();
    let pair = &found["crowd"]["pairs"][0];
    assert_eq!(pair["barrier_after"], 0.0, "{pair}");
    assert_eq!(found["crowd"]["finding"], "one_valley");
    assert_eq!(
        (&pair["agreement"], &pair["divergence"]),
        (&1.0.into(), &0.0.into())
    );
}

#[test]
fn a_crowd_is_stopped_and_resumed() {
    let place = Place::with_story();
    let longer = TRAIN.replace("--steps 20", "--steps 40");
    place.run(&format!("{longer} --run r")).fine();
    std::fs::create_dir_all(place.path("r/crowd/seed2")).unwrap();
    let child = place.start("landscape r --crowd 3", " 10/40");
    place.run("landscape r --crowd 3").fails(1, &["r"]);
    place.run("rm r --yes").fails(1, &["is being trained"]);
    signal(&child, "-INT");
    let stopped = common::Run::of(child.wait_with_output().unwrap());
    stopped.fails(130, &["downhill landscape r --crowd 3"]);
    assert!(!place.has("r/probes/crowd.json"));
    place.run("landscape r --crowd 3 --json").fine();
    place.run(&format!("{longer} --seed 3 --run alone")).fine();
    assert!(common::bits(&place, "r/crowd/seed3", 40) == common::bits(&place, "alone", 40));
}

#[test]
fn members_are_a_crowd() {
    let place = Place::with_story();
    place.run(&format!("{TRAIN} --members 2 --run m")).fine();
    let found = place.run("landscape m --crowd 2 --json").fine().json();
    let runs = &found["crowd"]["runs"];
    assert_eq!([&runs[0]["seed"], &runs[1]["seed"]], [2, 3]);
    assert_eq!(runs[1]["folder"], "m/members/2");
    assert!(!place.has("m/crowd"));
    let words = ["m has 2 members", "--crowd 2 at most"];
    place.run("landscape m --crowd 3").fails(2, &words);
}

#[test]
fn what_is_no_crowd_is_refused() {
    let place = Place::with_story();
    place.run(&format!("{TRAIN} --run r")).fine();
    for count in ["1", "17", "x"] {
        let line = format!("landscape r --crowd {count}");
        place.run(&line).fails(2, &["--crowd", count]);
    }
    place
        .run("landscape nowhere --crowd 2")
        .fails(1, &["nowhere"]);
    place.run("fit --quiet --steps 5 --run f").fine();
    let words = ["--crowd is for runs of language models", "f is a fit"];
    place.run("landscape f --crowd 2").fails(2, &words);
    place
        .run("landscape r --crowd 2 --grid 5")
        .fails(2, &["--crowd", "--grid"]);

    std::fs::remove_dir_all(place.path("r/checkpoints/step-000020")).unwrap();
    let words = ["r isn't finished", "downhill train --resume r"];
    place.run("landscape r --crowd 2").fails(1, &words);
    place.run("train --resume r --quiet").fine();
    place.run("landscape r --crowd 2 --json").fine();

    // The run goes on; its crowd is of the old length.
    place.run("train --resume r --steps 24 --quiet").fine();
    let words = [
        "r/crowd/seed2 has train.steps = 20",
        "24",
        "downhill rm r/crowd/seed2",
    ];
    place.run("landscape r --crowd 2").fails(1, &words);
    place.run("rm r/crowd/seed2 --yes").fine();
    place.run("landscape r --crowd 2 --json").fine();

    let story = String::from_utf8(place.read("story.txt")).unwrap();
    place.write("story.txt", story.replace('e', "a").as_bytes());
    place
        .run("landscape r --crowd 2")
        .fails(1, &["story.txt", "changed since"]);
    std::fs::remove_file(place.path("story.txt")).unwrap();
    place.run("landscape r --crowd 2").fails(1, &["story.txt"]);
}
