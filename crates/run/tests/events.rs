//! The event log: what is written is what is read, whatever happened in between.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind::StorageFull;
use std::path::Path;

use run::{
    Disk, End, Error, Eval, Event, EventLog, Faulty, Sample, Saved, Start, Step, Warning,
    read_events,
};

fn step(step: u64, loss: f64) -> Event {
    Step {
        time: 0.1 + step as f64,
        step,
        nats_per_token: Some(loss),
        grad_norm: 0.5,
        lr: 1e-3,
        step_seconds: 0.07,
        tokens_per_second: 9000.0,
        ..Step::default()
    }
    .into()
}

fn start(first_step: u64) -> Event {
    Start {
        first_step,
        steps: 10,
        run: "runs/ä\n故事".to_string(),
        ..Start::default()
    }
    .into()
}

fn write(path: &Path, events: &[Event]) {
    let mut log = EventLog::open(&Disk, path).unwrap();
    events.iter().for_each(|event| log.write(event).unwrap());
}

#[test]
fn every_kind_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let eval = Eval {
        val_nats_per_token: Some(1.0 / 3.0),
        full: true,
        ..Eval::default()
    };
    let end = End {
        peak_bytes: Some(u64::MAX),
        reason: "finished".to_string(),
        ..End::default()
    };
    let mut mse = Step {
        mse: Some(1e-300),
        ..Step::default()
    };
    mse.step = 3;
    let events = [
        start(0),
        step(1, 4.2),
        mse.into(),
        eval.into(),
        Sample::default().into(),
        Saved::default().into(),
        Warning::default().into(),
        end.into(),
    ];
    write(&path, &events);
    assert_eq!(read_events(&path).unwrap(), events);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), events.len());
    assert_eq!(
        text.lines().nth(1).unwrap(),
        r#"{"event":"step","time":1.1,"step":1,"nats_per_token":4.2,"grad_norm":0.5,"lr":0.001,"step_seconds":0.07,"tokens_per_second":9000.0}"#
    );
    for line in text.lines() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        assert!(object.contains_key("time") && object.values().all(|v| !v.is_object()));
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
    write(&path, &[broken.into()]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(r#""nats_per_token":null,"grad_norm":null"#),
        "{text}"
    );
    let events = read_events(&path).unwrap();
    let [Event::Step(step)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(step.nats_per_token.is_none() && step.grad_norm.is_nan());
}

#[test]
fn a_resumed_run_is_one_curve() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    write(&path, &[start(0), step(1, 4.0), step(2, 3.0), step(3, 2.0)]);
    write(&path, &[start(2), step(3, 2.5), step(4, 1.5)]);
    let steps: Vec<_> = read_events(&path).unwrap();
    let expected = [
        start(0),
        step(1, 4.0),
        step(2, 3.0),
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
    let error = read_events(&path).unwrap_err();
    assert!(
        matches!(error, Error::BrokenLine { line: 2, .. }),
        "{error}"
    );
}

#[test]
fn what_a_newer_version_writes_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let text = r#"{"event":"race","time":1.0,"winner":{"name":"muon"}}
{"event":"warning","time":2.0,"message":"m","colour":"red"}
"#;
    std::fs::write(&path, text).unwrap();
    let expected: Event = Warning {
        time: 2.0,
        message: "m".to_string(),
    }
    .into();
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
            .filter_map(Event::step)
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
