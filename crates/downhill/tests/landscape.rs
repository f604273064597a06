//! `downhill landscape` of language models.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, letters, signal};
use serde_json::Value;
use std::time::Duration;

/// Ten checkpoints of a small model whose validation part is five windows and a token.
const TRAIN: &str = "train text.txt --preset tiny --set data.tokenizer=chars --quiet --steps 40 \
                     --set model.context=32 --set train.batch=8 --set checkpoint.every=5 \
                     --set checkpoint.keep=20 --set eval.every=1000";

fn place() -> Place {
    let place = Place::new();
    place.write("text.txt", letters(1610).as_bytes());
    place.run(&format!("{TRAIN} --run a")).fine();
    place
}

fn numbers(of: &Value) -> Vec<f64> {
    let all = of.as_array().unwrap().iter();
    all.map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn a_model_has_a_landscape_with_its_path_and_walkers() {
    let place = place();
    let line = "landscape a --steps 6 --walkers 2 --json --grid";
    let land = place.run(&format!("{line} 9")).fine().json();
    let keys: Vec<&String> = land.as_object().unwrap().keys().collect();
    let promised = "axes share_of_motion x y cost path walkers tokens seconds";
    assert_eq!(keys, promised.split(' ').collect::<Vec<_>>());
    assert_eq!(
        (&land["axes"], &land["tokens"]),
        (&"pca".into(), &160.into())
    );
    let share = land["share_of_motion"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&share), "{share}");
    let (x, y) = (numbers(&land["x"]), numbers(&land["y"]));
    let cost: Vec<Vec<f64>> = land["cost"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    assert!((x.len(), y.len(), cost.len()) == (9, 9, 9) && cost.iter().all(|row| row.len() == 9));

    // The path ends at the origin, and its costs are those of `eval`.
    let path = land["path"].as_array().unwrap();
    let steps: Vec<u64> = path.iter().map(|p| p["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=8).map(|i| 5 * i).collect::<Vec<_>>());
    for point in [&path[0], &path[7]] {
        let eval = format!("eval a --checkpoint {} --json", point["step"]);
        let nats = place.run(&eval).fine().json()["nats_per_token"]
            .as_f64()
            .unwrap();
        assert!((nats - point["cost"].as_f64().unwrap()).abs() < 1e-6);
    }
    let last = &path[7];
    assert!(
        last["x"].as_f64().unwrap().abs() < 1e-9 && last["cost"] == last["slice"],
        "{last}"
    );

    // Each optimizer walks from the same places, which are on the picture.
    let walkers = land["walkers"].as_array().unwrap();
    let names: Vec<&str> = walkers
        .iter()
        .map(|w| w["optimizer"].as_str().unwrap())
        .collect();
    assert_eq!(names[..4], ["sgd", "momentum", "adam", "muon"]);
    assert_eq!((names[..4].to_vec(), names.len()), (names[4..].to_vec(), 8));
    for four in walkers.chunks(4) {
        for walker in four {
            assert_eq!(numbers(&walker["cost"]).len(), 7);
            assert_eq!(
                (&walker["x"][0], &walker["y"][0]),
                (&four[0]["x"][0], &four[0]["y"][0])
            );
            let (at, side) = (walker["x"][0].as_f64().unwrap(), &x);
            assert!(side[0] <= at && at <= side[8]);
        }
    }
}

#[test]
fn what_was_computed_is_stored_until_what_it_is_of_changes() {
    let place = place();
    let line = "landscape a --steps 6 --walkers 2 --json --grid";
    let land = place.run(&format!("{line} 9")).fine().json();
    // The same answer at once; a finer grid keeps the points of the coarser.
    assert_eq!(place.run(&format!("{line} 9")).fine().json(), land);
    let finer = place.run(&format!("{line} 17 --threads 1")).fine().json();
    assert_eq!(
        finer["walkers"], land["walkers"],
        "they aren't computed again"
    );
    for j in 0..9 {
        for i in 0..9 {
            assert_eq!(finer["cost"][2 * j][2 * i], land["cost"][j][i]);
        }
    }
    // Anew and directly, on one thread: the same bits.
    std::fs::remove_file(place.path("a/probes/landscape.json")).unwrap();
    let mut anew = place.run(&format!("{line} 17 --threads 1")).fine().json();
    anew["seconds"] = finer["seconds"].clone();
    assert_eq!(anew, finer);

    // What it was computed from changed.
    let fewer = place.run(&format!("{line} 5 --tokens 64")).fine().json();
    assert_eq!(fewer["tokens"], 64);
    place.run("train --resume a --steps 45 --quiet").fine();
    let longer = place.run(&format!("{line} 5 --tokens 64")).fine().json();
    assert_eq!(longer["path"].as_array().unwrap().len(), 9);
}

#[test]
fn it_is_drawn_in_the_terminal_as_svg_and_in_the_report() {
    let place = place();
    let map = place.run("landscape a --steps 6 --walkers 2").fine().out;
    assert!(map.contains('A') && map.contains('X'), "{map}");
    for part in [
        "nats per token",
        "8 checkpoints",
        "exact, for 160",
        "may lead uphill",
    ] {
        assert!(map.contains(part), "no {part:?} in {map}");
    }
    let svg = place
        .run("landscape a --steps 6 --walkers 2 --svg pictures")
        .fine();
    assert!(svg.out.contains("landscape.svg"));
    let svg = String::from_utf8(place.read("pictures/landscape.svg")).unwrap();
    assert_eq!(svg.matches("<polyline").count(), 8 + 2);
    assert!(!svg.contains("NaN"));
    place.run("report a --svg charts").fine();
    place.run("report a -o r.html").fine();
    let html = String::from_utf8(place.read("r.html")).unwrap();
    let path = svg
        .lines()
        .rfind(|line| line.contains("<polyline"))
        .unwrap();
    assert!(html.contains("<h2>Cost landscape</h2>") && html.contains(path));
    assert_eq!(
        String::from_utf8(place.read("charts/landscape.svg"))
            .unwrap()
            .len(),
        svg.len()
    );
}

#[test]
fn random_planes_and_lines() {
    let place = place();
    place.run(&format!("{TRAIN} --run b --seed 9")).fine();
    let line = "landscape a --json --grid 5 --walkers 0";
    let random = |seed: u32| {
        let line = format!("{line} --axes random --seed {seed}");
        place.run(&line).fine().json()
    };
    let (one, two) = (random(1), random(2));
    assert_eq!(
        (&one["axes"], &one["share_of_motion"]),
        (&"random".into(), &Value::Null)
    );
    // The model is in the middle of both; all else differs.
    assert_eq!(one["cost"][2][2], two["cost"][2][2]);
    assert_eq!(one["cost"][2][2], one["path"][7]["cost"]);
    assert_ne!(one["cost"][0], two["cost"][0]);
    assert_eq!(random(2)["seconds"], two["seconds"], "stored");

    let between = place
        .run(&format!("{line} --axes line --to b"))
        .fine()
        .json();
    assert_eq!(
        (&between["axes"], &between["y"]),
        (&"line".into(), &serde_json::json!([0.0]))
    );
    assert_eq!(numbers(&between["x"]), [-0.5, 0.0, 0.5, 1.0, 1.5]);
    let cost = numbers(&between["cost"][0]);
    for (end, at, x) in [("a", 1, 0.0), ("b", 3, 1.0)] {
        let eval = format!("eval {end} --checkpoint last --json");
        let nats = place.run(&eval).fine().json()["nats_per_token"]
            .as_f64()
            .unwrap();
        assert!((cost[at] - nats).abs() < 1e-5, "{end}: {cost:?} {nats}");
        let point = &between["path"][usize::from(end == "b")];
        assert_eq!(point["x"].as_f64(), Some(x));
    }
    let curve = place.run("landscape a --to b --grid 5 --svg p").fine().out;
    assert!(curve.contains("landscape.svg"));
    assert!(
        place
            .run("landscape a --to b --grid 5")
            .fine()
            .out
            .contains("straight line")
    );
}

#[test]
fn a_stopped_landscape_goes_on_where_it_was() {
    let place = place();
    // It has no end: only the signal ends it.
    let endless = "landscape a --grid 9 --walkers 1000 --steps 100000 --json";
    let mut child = place.command(endless).spawn().unwrap();
    let stored = "a/probes/landscape.json";
    let grid = |side| {
        let read = std::fs::read(place.path(stored)).ok();
        let read = read.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        read.is_some_and(|land| land["cost"].as_array().unwrap().len() == side)
    };
    while !grid(9) {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept: Value = serde_json::from_slice(&place.read(stored)).unwrap();
    let land = place
        .run("landscape a --grid 9 --walkers 0 --json")
        .fine()
        .json();
    assert_eq!(land["cost"], kept["cost"]);

    // Without time there is the coarsest grid; with time the rest.
    std::fs::remove_file(place.path(stored)).unwrap();
    let short = place
        .run("landscape a --time 1ms --steps 3 --json")
        .fine()
        .json();
    assert_eq!(
        (short["x"].as_array().unwrap().len(), &short["walkers"]),
        (5, &serde_json::json!([]))
    );
    let all = place
        .run("landscape a --grid 9 --steps 3 --json")
        .fine()
        .json();
    assert_eq!(all["x"].as_array().unwrap().len(), 9);
    assert_eq!(all["walkers"].as_array().unwrap().len(), 12);
}

#[test]
fn what_has_no_landscape_is_an_error() {
    let place = place();
    for flag in [
        "--grid 6",
        "--rate 0",
        "--rate nan",
        "--optimizers adagrad",
        "--tokens 0",
        "--steps 0",
    ] {
        let name = flag.split(' ').next().unwrap();
        place.run(&format!("landscape a {flag}")).fails(2, &[name]);
    }
    place
        .run("landscape a --axes pca --to a")
        .fails(2, &["--axes"]);
    place.run("landscape a --axes line").fails(2, &["--to"]);
    place.run("landscape a --json --svg x").fails(2, &["--svg"]);

    let few = format!("{TRAIN} --set checkpoint.keep=1 --run few");
    place.run(&few).fine();
    let parts = [
        "few has",
        "of the 3 checkpoints",
        "--axes random",
        "--set checkpoint.keep=",
    ];
    place.run("landscape few").fails(1, &parts);
    place
        .run("landscape few --axes random --grid 5 --walkers 0")
        .fine();

    let wide = format!("{TRAIN} --set model.width=48 --run wide");
    place.run(&wide).fine();
    place
        .run("landscape a --to wide")
        .fails(1, &["wide", "model.width", "48"]);

    place.run("fit --quiet --steps 5 --run line").fine();
    let parts = ["--axes", "language model", "line is a fit"];
    place.run("landscape line --axes random").fails(2, &parts);
    place
        .run("landscape line --json")
        .fails(2, &["--json", "line is a fit"]);
    place.run("landscape a --to line").fails(1, &["line"]);

    place.write("other.txt", letters(1800).as_bytes());
    place
        .run(&format!(
            "{} --run c",
            TRAIN.replace("text.txt", "other.txt")
        ))
        .fine();
    place.write("text.txt", letters(1700).as_bytes());
    let parts = ["a:", "text.txt", "changed since", "restore it"];
    place.run("landscape a").fails(1, &parts);
    std::fs::remove_file(place.path("text.txt")).unwrap();
    place
        .run("landscape a")
        .fails(1, &["text.txt", "put it back"]);
}
