//! A disk that fails at any moment: the run ends with an error, and saved files stay intact. A user
//! who stops at any moment: the run leaves at once, and nothing is lost.
#![allow(clippy::unwrap_used)]

use engine::{Cpu, CpuSettings};
use model::Config;
use run::{Choice, Disk, Event, Faulty, Files, RunFolder, What, Which};
use session::{Opened, Use};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use train::{Corpus, LanguageTask, Result, Settings, Trainer, TrainerSettings};

const SETS: [&str; 6] = [
    "model.layers=1",
    "model.context=16",
    "train.steps=4",
    "checkpoint.every=1",
    "checkpoint.keep=2",
    "sample.tokens=3",
];

/// Trains four steps, with a checkpoint after each, on a disk.
fn train(folder: &Path, files: Arc<dyn Files>) -> Result<()> {
    let choice = Choice::Exact {
        path: folder.join("run"),
        overwrite: false,
    };
    session(folder, || RunFolder::create(files, &choice), None).map(drop)
}

/// Trains to the last step in a run's folder, from its last checkpoint if it has one, or until the
/// event of this name at this step; returns the events.
fn session(
    folder: &Path,
    open: impl FnOnce() -> run::Result<RunFolder>,
    until: Option<(&str, u64)>,
) -> Result<Vec<Event>> {
    let text = folder.join("text.txt");
    std::fs::write(&text, "The dog finds the ball. ".repeat(20)).unwrap();
    let config = Config::load(Some("tiny"), None, &SETS.map(String::from)).unwrap();
    let corpus = Corpus::read(
        &[text],
        None,
        &config,
        &data::JobControl::silent(),
        &train::choose,
    )?;
    let settings = Settings {
        config,
        source: corpus.source.clone(),
    };
    let mut task = LanguageTask::new(&settings.config, corpus)?;
    let run = open()?;
    let from = run.checkpoints().open(Which::Last).ok();
    run.write_config(&settings.to_toml()?)?;
    let mut device = Cpu::new(CpuSettings::with_threads(1));
    let stop = AtomicBool::new(false);
    let told = TrainerSettings {
        deadline: None,
        config: settings.config,
        threads: 1,
        began: Instant::now(),
        stop: &stop,
    };
    let mut events = Vec::new();
    let mut screen = |event: &Event| {
        events.push(event.clone());
        if until == event.step.map(|step| (event.what.name(), step)) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let mut trainer = Trainer::new(
        told,
        &mut task,
        &mut device,
        &run,
        from.as_ref(),
        &mut screen,
    )?;
    trainer.run()?;
    Ok(events)
}

/// Every visible checkpoint can be read; returns their number.
fn sound(folder: &Path) -> usize {
    let Ok(run) = RunFolder::open(Arc::new(Disk), &folder.join("run")) else {
        return 0;
    };
    let all = run.checkpoints().list().unwrap();
    for checkpoint in &all {
        let how = Use {
            threads: 1,
            sequences: 1,
        };
        Opened::of(checkpoint, how).unwrap();
    }
    all.len()
}

#[test]
fn a_failing_disk_never_costs_what_was_saved() {
    let place = tempfile::tempdir().unwrap();
    let counting = Faulty::once(u64::MAX, ErrorKind::StorageFull);
    train(place.path(), Arc::new(counting.clone())).unwrap();
    assert_eq!(sound(place.path()), 2);
    let operations = counting.operations();
    assert!(operations > 60, "{operations}");
    let mut most = 0;
    // 7 is coprime to the period of a checkpoint's file operations.
    for at in (0..operations).step_by(7) {
        let full = Faulty::from(at, ErrorKind::StorageFull);
        let locked = Faulty::once(at, ErrorKind::ReadOnlyFilesystem);
        for (disk, words) in [(full, "the disk is full"), (locked, "can't be written to")] {
            let place = tempfile::tempdir().unwrap();
            let error = train(place.path(), Arc::new(disk)).expect_err("the disk failed");
            assert!(error.to_string().contains(words), "{at}: {error}");
            let saved = sound(place.path());
            assert!(at < operations / 2 || saved > 0, "{at}: nothing is left");
            most = most.max(saved);
        }
    }
    assert!(most >= 2);
}

/// The user stops it at any event: at most one batch later it leaves, and what it had is saved;
/// resumed, it ends as if nobody had stopped it.
#[test]
fn a_run_can_be_stopped_in_the_middle_of_anything() {
    let whole = tempfile::tempdir().unwrap();
    train(whole.path(), Arc::new(Disk)).unwrap();
    let read = |place: &Path, name: &str| {
        let checkpoint = place.join("run/checkpoints/step-000004");
        std::fs::read(checkpoint.join(name)).unwrap()
    };
    let cases = [
        ("start", 0),
        ("eval", 0),
        ("eval", 2),
        ("step", 4),
        ("saved", 4),
        ("eval", 4),
    ];
    for until in cases {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        let choice = Choice::Exact {
            path: path.clone(),
            overwrite: false,
        };
        let create = || RunFolder::create(Arc::new(Disk), &choice);
        let events = session(place.path(), create, Some(until)).unwrap();
        let What::End(end) = &events[events.len() - 1].what else {
            panic!("{until:?}: no end")
        };
        assert_eq!(end.reason, "interrupted", "{until:?}");
        let at = events
            .iter()
            .position(|e| e.step.map(|s| (e.what.name(), s)) == Some(until));
        // Only the checkpoint is still saved.
        let after = events[at.unwrap() + 1..].iter().map(|e| e.what.name());
        assert!(
            after.clone().all(|n| n == "saved" || n == "end"),
            "{until:?}"
        );
        let open = || RunFolder::open_to_write(Arc::new(Disk), &path);
        let events = session(place.path(), open, None).unwrap();
        assert!(matches!(&events[events.len() - 1].what, What::End(e) if e.reason == "finished"));
        for name in ["model.safetensors", "optimizer.safetensors"] {
            let same = read(place.path(), name) == read(whole.path(), name);
            assert!(same, "{until:?}: {name}");
        }
        let last = RunFolder::open(Arc::new(Disk), &path)
            .unwrap()
            .checkpoints();
        assert!(
            last.open(Which::Step(4)).unwrap().loss.is_some(),
            "{until:?}"
        );
    }
}
