//! `downhill config`, `graph` and `verify`: what the program shows about itself.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

#[test]
fn config_shows_every_key_and_can_be_read_back() {
    let place = Place::new();
    let shown = place
        .run("config --preset gpt2-cpu --set optim.lr=0.01")
        .fine()
        .out;
    assert!(shown.contains("\nlr = 0.01\n") && shown.lines().all(|l| l.len() <= 100));
    place.write("my.toml", shown.as_bytes());
    let again = place.run("config --config my.toml").fine().out;
    assert_eq!(again, shown);
    let json = place.run("config --preset gpt2-cpu --json").fine().json();
    assert_eq!(json["model.family"], "gpt2");
    assert_eq!(json["train.batch"], 12);
}

#[test]
fn graph_lists_every_step_with_its_place_in_time_and_memory() {
    let place = Place::new();
    let line = "graph --preset tiny --set train.batch=128";
    let graph = place.run(&format!("{line} --json")).fine().json();
    let steps = graph["steps"].as_array().unwrap();
    let flops: u64 = steps.iter().map(|s| s["flops"].as_u64().unwrap()).sum();
    assert_eq!(graph["flops_per_step"], flops);
    assert!(graph["parameters"].as_u64().unwrap() > 90_000);
    let peak = graph["bytes_peak"].as_u64().unwrap();
    let pass = |name: &str| steps.iter().filter(|s| s["pass"] == name).count();
    assert_eq!((pass("norm"), pass("update")), (1, 2));
    assert_eq!(pass("forward") % 4, 0, "four micro-batches of 2,048 tokens");
    for (i, step) in steps.iter().enumerate() {
        assert_eq!(step["index"], i);
        let backward = step["pass"] == "backward";
        assert_eq!(step["write"].is_object(), backward, "{step}");
        if let Some(life) = step["lifetime"].as_array() {
            let ends = [life[0].as_u64().unwrap(), life[1].as_u64().unwrap()];
            assert!(ends[0] <= i as u64 && i as u64 <= ends[1], "{step}");
            let numbers = step["shape"][0].as_u64().unwrap() * step["shape"][1].as_u64().unwrap();
            assert!(step["offset"].as_u64().unwrap() + 4 * numbers <= peak);
        }
    }
    // The first micro-batch sets a weight's gradient; the others add to it.
    let mut written = steps.iter().map(|s| &s["write"]["norm.weight"]);
    let written: Vec<_> = written.by_ref().filter(|w| w.is_string()).collect();
    assert_eq!(written, ["set", "add", "add", "add"]);
    let table = place.run(line).fine().out;
    assert!(table.lines().all(|l| l.chars().count() <= 100), "{table}");
    assert!(
        table.contains("micro-batches 1 to 2 are like the last one"),
        "{table}"
    );
    place.run("graph --preset none").fails(2, &["none"]);
}

#[test]
fn verify_checks_every_gradient_here() {
    let verified = Place::new().run("verify --json").fine().json();
    let checks = verified["checks"].as_array().unwrap();
    assert!(checks.len() >= 100);
    assert_eq!(verified["passed"], checks.len());
    assert_eq!(verified["failed"], 0);
    for check in checks {
        assert!(check["name"].is_string() && check["ok"] == true);
        let (error, bound) = (&check["error"], check["bound"].as_f64().unwrap());
        assert!(error.as_f64().unwrap() <= bound && bound <= 1e-4, "{check}");
    }
}
