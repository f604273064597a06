//! Numbers that aren't finite, in every place of every event: readers show a dash.
#![allow(clippy::unwrap_used, reason = "a test")]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use run::{End, Eval, Event, Step, What};
use serde_json::Value;
use watch::{Dashboard, Findings, TerminalLog, pictures, report};

/// Sets every fraction in a value to null, as a number that isn't finite is written.
fn clear(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => *value = Value::Null,
        Value::Array(all) => all.iter_mut().for_each(clear),
        Value::Object(all) => all.values_mut().for_each(clear),
        _ => {}
    }
}

/// All kinds of events, each with and then without its finite numbers.
fn events() -> Vec<Event> {
    let lines = include_str!("../../run/tests/lines.jsonl").lines();
    let mut all: Vec<Event> = Vec::new();
    for line in lines {
        all.extend(Event::parse(line.as_bytes()).unwrap());
        let mut value: Value = serde_json::from_str(line).unwrap();
        clear(&mut value);
        // Pairs of a name and a number aren't read without the number.
        let cleared = Event::parse(value.to_string().as_bytes());
        all.extend(cleared.ok().flatten());
    }
    // As the trainer emits them, before they are written.
    let (nan, infinite) = (Some(f64::NAN), Some(f64::INFINITY));
    let step = Step {
        nats_per_token: nan,
        grad_norm: f64::INFINITY,
        lr: f64::NAN,
        step_seconds: f64::NAN,
        tokens_per_second: f64::INFINITY,
        ..Step::default()
    };
    let eval = Eval {
        val_nats_per_token: infinite,
        val_bits_per_byte: nan,
        seconds: f64::NAN,
        ..Eval::default()
    };
    let end = End {
        val_nats_per_token: nan,
        val_bits_per_byte: infinite,
        train_seconds: f64::NAN,
        wall_seconds: f64::INFINITY,
        epochs: f64::NAN,
        floor_bits_per_byte: nan,
        reason: "finished".into(),
        ..End::default()
    };
    let fit = End {
        mse: nan,
        r2: infinite,
        reason: "target".into(),
        ..End::default()
    };
    let what: [What; 4] = [step.into(), eval.into(), end.into(), fit.into()];
    all.extend(what.map(|what| Event::new(1.0, 7, what)));
    all
}

fn check(name: &str, shown: &str) {
    for line in shown.lines() {
        let wrong = ["NaN", "inf ", "inf\"", "inf<", "∞", "null"];
        let wrong = wrong.into_iter().find(|word| line.contains(word));
        assert_eq!(wrong, None, "{name}: {line}");
    }
    assert!(shown.contains('–'), "{name}: {shown}");
}

#[test]
fn readers_show_a_dash_for_what_is_not_finite() {
    let events = events();
    let mut out = Vec::new();
    let mut log = TerminalLog::new(&mut out, None, false, false);
    let mut screens = String::new();
    let mut dashboard = Dashboard::new("r");
    for event in &events {
        log.event(event).unwrap();
        dashboard.event(event);
        for size in [(40, 12), (80, 24), (130, 40)] {
            let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
            terminal.draw(|frame| dashboard.draw(frame)).unwrap();
            screens.push_str(&terminal.backend().to_string());
        }
    }
    drop(log);
    check("log", &String::from_utf8(out).unwrap());
    check("screen", &screens);
    check("report", &report("r", &events, "", &Findings::default()));
    for (name, svg) in pictures(&events) {
        assert!(
            !svg.contains("NaN") && !svg.contains("inf"),
            "{name}: {svg}"
        );
    }
}
