//! A page left open for a day uses no more memory than after half a day.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod common;

use common::Place;
use common::browser::Browser;
use common::page::{Page, all_drawn, language_run, open};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// The loss of the one step that spikes.
const SPIKE: f64 = 9.5;

/// A day at one step per second, with more measurements than the page keeps, written in parts.
struct Day {
    log: std::fs::File,
    templates: Vec<Value>,
    step: u64,
}

impl Day {
    fn new(place: &Place) -> Day {
        let path = place.path("r/events.jsonl");
        let events = common::parse(&std::fs::read_to_string(&path).unwrap());
        let last = |kind: &str| common::kind(&events, kind).last().copied().cloned();
        let kinds = ["eval", "sample", "lens", "inside", "layers"];
        Day {
            log: std::fs::OpenOptions::new().append(true).open(path).unwrap(),
            templates: kinds.into_iter().filter_map(last).collect(),
            step: 40,
        }
    }

    /// Appends measurements, each after the given number of steps.
    fn append(&mut self, measurements: u64, steps: u64) {
        let mut text = String::new();
        for _ in 0..measurements {
            for _ in 0..steps {
                self.step += 1;
                let (step, wave) = (self.step, (self.step as f64 / 50.0).sin());
                // One step spikes; it must still be visible at the end of the day.
                let loss = if step == 5_000 {
                    SPIKE
                } else {
                    2.0 + wave / 10.0
                };
                let event = json!({"event": "step", "time": 1e9 + step as f64, "step": step, "nats_per_token": loss,
                    "grad_norm": 1.5 + wave, "lr": 1e-3, "step_seconds": 1.0, "tokens_per_second": 512.0});
                text.push_str(&format!("{event}\n"));
            }
            for event in &mut self.templates {
                event["step"] = json!(self.step);
                event["time"] = json!(1e9 + self.step as f64);
                text.push_str(&format!("{event}\n"));
            }
        }
        self.log.write_all(text.as_bytes()).unwrap();
    }
}

/// Heap, nodes and listeners of the page while it draws nothing. What a drawing frees counts until
/// it is collected, so readings during drawings say little.
fn held(browser: &Browser) -> (f64, u64, u64) {
    browser.run("window.still = true");
    let drawn = || browser.run("return window.drawn").as_u64().unwrap();
    let mut before = drawn();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = drawn();
        if now == before {
            break;
        }
        before = now;
    }
    // What the first collection finalizes is freed by the second.
    browser.heap();
    let heap = browser.heap() / 1e6;
    let counters = browser.command("Memory.getDOMCounters", &json!({}));
    let count = |name: &str| counters[name].as_u64().unwrap();
    browser.run("window.still = false");
    (heap, count("nodes"), count("jsEventListeners"))
}

#[test]
fn a_page_left_open_for_a_day_does_not_grow() {
    let Some(browser) = Browser::start() else {
        return;
    };
    // One day at one step per second; with DOWNHILL_LONG=1, three.
    let long = std::env::var_os("DOWNHILL_LONG").is_some();
    let place = language_run();
    let page = Page::watch(&place, "watch r");
    let mut day = Day::new(&place);
    // The page's clock runs a hundred times as fast, so that it draws as often as it can.
    let faster = "const now = performance.now.bind(performance); performance.now = () => now() * 100;
        window.drawn = 0; let plotly;
        Object.defineProperty(window, 'Plotly', { configurable: true, get: () => plotly, set: (value) => {
          plotly = value; const react = value.react; value.react = (...all) => { window.drawn += 1; return react(...all); }; } });
        const Real = EventSource;
        window.EventSource = class extends Real { set onmessage(hear) {
          let last; super.onmessage = (message) => { last = message; hear(message); };
          setInterval(() => { if (last && !window.still) hear(last); }, 20); } };";
    browser.command(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({"source": faster}),
    );
    browser.size(1280, 6400);
    open(&browser, &page);
    all_drawn(&browser);
    let parts = if long { 30 } else { 10 };
    // The first half already exceeds what the page keeps.
    let mut half = (0.0, 0, 0);
    for part in 1..=parts {
        day.append(240, 36);
        browser.wait(&format!("document.title.startsWith('{} ')", day.step));
        let drawn = browser.run("return window.drawn").as_u64().unwrap();
        browser.wait(&format!("window.drawn >= {drawn} + 16"));
        if part == parts / 2 {
            half = held(&browser);
        }
    }
    let end = held(&browser);
    browser.wait(&format!(
        "Math.max(...document.getElementById('loss-chart').data[0].y) === {SPIKE}"
    ));
    let drawn = browser.run("return window.drawn");
    println!(
        "{} steps, {drawn} drawings: {half:.1?}, then {end:.1?} (MB, nodes, listeners)",
        day.step
    );
    assert!(day.step >= 86_400 && end.0 <= 100.0, "{end:?}");
    assert!(end.0 <= half.0 + 4.0, "{half:?} {end:?}");
    assert!(
        end.1 <= half.1 + 300 && end.2 <= half.2 + 20,
        "{half:?} {end:?}"
    );
    browser.is_clean(&page.address());
}
