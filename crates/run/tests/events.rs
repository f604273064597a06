//! The event log: events are read back as written, whatever happens in between.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::ErrorKind::StorageFull;
use std::path::Path;

use run::{Disk, Error, Event, EventLog, Faulty, Kind, Start, Step, Warning, What, read_events};
use serde_json::{Map, Value};

fn step(step: u64, loss: f64) -> Event {
    let what = Step {
        nats_per_token: Some(loss),
        grad_norm: 0.5,
        lr: 1e-3,
        step_seconds: 0.07,
        tokens_per_second: 9000.0,
        ..Step::default()
    };
    Event::new(0.1 + step as f64, step, what)
}

fn start(first_step: u64) -> Event {
    let what = Start {
        steps: 10,
        run: "runs/ä\n故事".to_string(),
        ..Start::default()
    };
    Event::new(0.5, first_step, what)
}

fn write(path: &Path, events: &[Event]) {
    let mut log = EventLog::open(&Disk, path).unwrap();
    events.iter().for_each(|event| log.write(event).unwrap());
}

/// Lines of every kind, written before events had an envelope: a language model run, the same run
/// resumed, and a fit. Scripts, the page and the fast parser of steps rely on every byte, including
/// the order of keys.
const LINES: &str = include_str!("lines.jsonl");

#[test]
fn lines_of_every_kind_are_written_again_byte_for_byte() {
    let mut names = BTreeSet::new();
    for line in LINES.lines() {
        let event = Event::parse(line.as_bytes()).unwrap().unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
        let object: Map<String, Value> = serde_json::from_str(line).unwrap();
        let step = ["step", "first_step"].iter().find_map(|k| object.get(*k));
        assert_eq!(event.step, step.and_then(Value::as_u64), "{line}");
        assert_eq!(Some(event.time), object["time"].as_f64(), "{line}");
        // An event rebuilt from its time, step and content is the same.
        let again = Event::new(event.time, event.step.unwrap_or(9), event.what.clone());
        assert_eq!(again, event);
        names.insert(event.what.name());
    }
    assert_eq!(names.len(), 13, "{names:?}");
}

#[test]
fn the_kind_is_known_from_any_start() {
    let starts = LINES
        .lines()
        .filter(|line| line.contains(r#""event":"start""#));
    let mut found = Vec::new();
    for old in starts {
        for kind in [
            "",
            r#""kind":"language","#,
            r#""kind":"fit","#,
            r#""kind":"race","#,
        ] {
            let line = old.replacen(r#""run""#, &format!(r#"{kind}"run""#), 1);
            let event = Event::parse(line.as_bytes()).unwrap().unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
            let What::Start(start) = event.what else {
                panic!("{line}")
            };
            found.push(start.kind());
        }
    }
    let named = [Kind::Language, Kind::Fit, Kind::Unknown("race".into())];
    let expected = [Kind::Language, Kind::Language, Kind::Fit];
    let expected = expected.map(|old| [[old].as_slice(), &named].concat());
    assert_eq!(found, expected.concat());
}

#[test]
fn a_line_without_its_time_or_step_is_no_event() {
    for (line, missing) in LINES.lines().flat_map(|line| {
        let object: Map<String, Value> = serde_json::from_str(line).unwrap();
        let keys = ["event", "time", "step", "first_step"].into_iter();
        let keys = keys.filter(move |key| object.contains_key(*key));
        keys.map(move |key| (line, key))
    }) {
        let mut object: Map<String, Value> = serde_json::from_str(line).unwrap();
        object.remove(missing);
        let cut = serde_json::to_vec(&object).unwrap();
        let error = Event::parse(&cut).unwrap_err().to_string();
        assert!(
            error.contains(&format!("missing field `{missing}`")),
            "{error}"
        );
    }
}

#[test]
fn numbers_that_are_not_finite_are_null() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let broken = Step {
        nats_per_token: Some(f64::NAN),
        grad_norm: f64::INFINITY,
        ..Step::default()
    };
    write(&path, &[Event::new(f64::NAN, 1, broken)]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(r#""time":null,"step":1,"nats_per_token":null,"grad_norm":null"#),
        "{text}"
    );
    let events = read_events(&path).unwrap();
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    let What::Step(step) = &event.what else {
        panic!("{events:?}")
    };
    assert!(event.time.is_nan() && step.nats_per_token.is_none() && step.grad_norm.is_nan());
}

#[test]
fn a_resumed_run_is_one_curve() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let message = "a warning has no step, so it stays".to_string();
    let warning = Event::new(1.0, 3, Warning { message });
    write(
        &path,
        &[
            start(0),
            step(1, 4.0),
            step(2, 3.0),
            step(3, 2.0),
            warning.clone(),
        ],
    );
    write(&path, &[start(2), step(3, 2.5), step(4, 1.5)]);
    let steps: Vec<_> = read_events(&path).unwrap();
    let expected = [
        start(0),
        step(1, 4.0),
        step(2, 3.0),
        warning,
        start(2),
        step(3, 2.5),
        step(4, 1.5),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_cut_last_line_is_skipped_and_then_removed_but_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    write(&path, &[start(0), step(1, 4.0), step(2, 3.0)]);
    let whole = std::fs::read(&path).unwrap();
    for cut in 1..60 {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        // Only the newline is missing after a cut of 1: the event itself is whole.
        let expected = if cut == 1 { 3 } else { 2 };
        assert_eq!(read_events(&path).unwrap().len(), expected, "cut by {cut}");
        write(&path, &[step(3, 2.0)]);
        assert_eq!(read_events(&path).unwrap().len(), expected + 1);
    }
    let mut lines: Vec<&[u8]> = whole.split(|&b| b == b'\n').collect();
    lines[1] = br#"{"event":"step","time":1.0,"st"#;
    std::fs::write(&path, lines.join(&b'\n')).unwrap();
    // A broken line costs itself alone, and is told.
    let events = read_events(&path).unwrap();
    assert_eq!(events[..2], [start(0), step(2, 3.0)]);
    let What::Warning(warning) = &events[2].what else {
        panic!("{events:?}")
    };
    let told = "not events were skipped: 1, the first is line 2";
    assert!(warning.message.contains(told), "{}", warning.message);
}

#[test]
fn what_a_newer_version_writes_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let text = r#"{"event":"race","time":1.0,"winner":{"name":"muon"}}
{"event":"warning","time":2.0,"message":"m","color":"red"}
"#;
    std::fs::write(&path, text).unwrap();
    let message = "m".to_string();
    let expected = Event::new(2.0, 0, Warning { message });
    assert_eq!(read_events(&path).unwrap(), [expected]);
}

#[test]
fn a_full_disk_loses_one_event_and_breaks_no_line() {
    let folder = tempfile::tempdir().unwrap();
    // Operation 0 opens the log, each later one writes an event.
    for fail in 1..4 {
        let path = folder.path().join(format!("{fail}.jsonl"));
        let disk = Faulty::once(fail, StorageFull);
        let mut log = EventLog::open(&disk, &path).unwrap();
        let written: Vec<bool> = (1..=3).map(|n| log.write(&step(n, 1.0)).is_ok()).collect();
        assert_eq!(written.iter().filter(|ok| !**ok).count(), 1);
        drop(log);
        write(&path, &[step(9, 1.0)]);
        let left: Vec<u64> = read_events(&path)
            .unwrap()
            .iter()
            .filter_map(|event| event.step)
            .collect();
        let expected: Vec<u64> = (1..=3).filter(|&n| n != fail).chain([9]).collect();
        assert_eq!(left, expected);
    }
}

#[test]
fn only_one_process_writes_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let log = EventLog::open(&Disk, &path).unwrap();
    assert!(matches!(
        EventLog::open(&Disk, &path),
        Err(Error::Busy { .. })
    ));
    drop(log);
    assert!(EventLog::open(&Disk, &path).is_ok());
}
