//! A disk that fails at any moment: the run ends with an error, and saved files stay intact.
#![allow(clippy::unwrap_used)]

use engine::{Cpu, CpuSettings};
use model::Config;
use run::{Choice, Disk, Faulty, Files, RunFolder};
use session::{Opened, Use};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
    let choice = Choice::Exact {
        path: folder.join("run"),
        overwrite: false,
    };
    let run = RunFolder::create(files, &choice)?;
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
    let mut screen = |_: &_| {};
    Trainer::new(told, &mut task, &mut device, &run, None, &mut screen)?.run()?;
    Ok(())
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
