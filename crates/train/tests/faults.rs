//! A disk that fails at any moment: the run ends with an error, and saved files stay intact. A user
//! who stops at any moment: the run leaves at once, and nothing is lost. Numbers that can't be
//! right: they are neither saved nor loaded.
#![allow(clippy::unwrap_used)]

use engine::{
    Cpu, CpuSettings, Device, Field, Host, HostMut, Optimizer, Plan, Ready, Scalars, ValueId,
    Variable,
};
use model::Config;
use run::{Checkpoint, Choice, Disk, Event, Faulty, Files, NamedFile, RunFolder, What, Which};
use session::{Opened, Use};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use train::{Corpus, LanguageTask, Result, Settings, Trainer, TrainerSettings, check_checkpoint};

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
    session(
        folder,
        || RunFolder::create(files, &choice),
        None,
        &mut cpu(),
    )
    .map(drop)
}

fn cpu() -> Cpu {
    Cpu::new(CpuSettings::with_threads(1))
}

/// Trains to the last step in a run's folder, from its last checkpoint if it has one, or until the
/// event of this name at this step; returns the events.
fn session(
    folder: &Path,
    open: impl FnOnce() -> run::Result<RunFolder>,
    until: Option<(&str, u64)>,
    device: &mut dyn Device,
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
    let mut trainer = Trainer::new(told, &mut task, device, &run, from.as_ref(), &mut screen)?;
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
        let how = Use::default();
        Opened::of(checkpoint, how).unwrap();
    }
    all.len()
}

#[test]
fn a_failing_disk_never_costs_what_was_saved() {
    let place = tempfile::tempdir().unwrap();
    let counting = Faulty::once(u64::MAX, ErrorKind::StorageFull);
    train(place.path(), Arc::new(counting.clone())).unwrap();
    let whole = checkpoint(place.path(), 4).read(WEIGHTS).unwrap();
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
            let intact = error
                .to_string()
                .contains("is intact: downhill train --resume");
            assert_eq!(intact, saved > 0, "{at}: {error}");
            most = most.max(saved);
            if saved > 0 && at % 3 == 0 {
                resume(place.path()).unwrap();
                let bits = checkpoint(place.path(), 4).read(WEIGHTS).unwrap();
                assert!(bits == whole, "{at}: resumed to other bits");
            }
        }
    }
    assert!(most >= 2);
}

const WEIGHTS: &str = "model.safetensors";

fn checkpoint(folder: &Path, step: u64) -> Checkpoint {
    let run = RunFolder::open(Arc::new(Disk), &folder.join("run")).unwrap();
    run.checkpoints().open(Which::Step(step)).unwrap()
}

fn resume(folder: &Path) -> Result<Vec<Event>> {
    let open = || RunFolder::open_to_write(Arc::new(Disk), &folder.join("run"));
    session(folder, open, None, &mut cpu())
}

/// A processor on which the first variable gets a number that can't be right, after this step.
struct Planted {
    cpu: Cpu,
    after: u64,
    field: Field,
    variable: Option<Variable>,
}

impl Device for Planted {
    fn create(&mut self, all: &[Variable], optimizer: Option<&Optimizer>) -> engine::Result<()> {
        self.variable = all.first().cloned();
        self.cpu.create(all, optimizer)
    }

    fn prepare(&mut self, plan: Plan) -> engine::Result<Ready> {
        self.cpu.prepare(plan)
    }

    fn release(&mut self, ready: Ready) {
        self.cpu.release(ready);
    }

    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> engine::Result<()> {
        self.cpu.write(ready, value, host)
    }

    fn run(&mut self, ready: Ready, scalars: &Scalars) -> engine::Result<()> {
        self.cpu.run(ready, scalars)?;
        if ready == Ready(0) && scalars.step + 1 == self.after {
            let variable = self.variable.as_ref().unwrap();
            let mut numbers = vec![0.0; variable.len()];
            numbers[variable.len() - 1] = f64::NAN;
            let numbers = Host::Double(&numbers);
            self.write_variable(&variable.name.clone(), self.field, numbers)?;
        }
        Ok(())
    }

    fn read(&self, ready: Ready, value: ValueId, host: HostMut) -> engine::Result<()> {
        self.cpu.read(ready, value, host)
    }

    fn norm(&self) -> f64 {
        self.cpu.norm()
    }

    fn write_variable(&mut self, name: &str, field: Field, host: Host) -> engine::Result<()> {
        self.cpu.write_variable(name, field, host)
    }

    fn read_variable(&self, name: &str, field: Field, host: HostMut) -> engine::Result<()> {
        self.cpu.read_variable(name, field, host)
    }

    fn bytes(&self) -> u64 {
        self.cpu.bytes()
    }
}

#[test]
fn numbers_that_are_not_finite_are_never_saved() {
    for field in [Field::Weight, Field::State(0), Field::State(1)] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        let choice = Choice::Exact {
            path: path.clone(),
            overwrite: false,
        };
        let mut device = Planted {
            cpu: cpu(),
            after: 4,
            field,
            variable: None,
        };
        let create = || RunFolder::create(Arc::new(Disk), &choice);
        let error = session(place.path(), create, None, &mut device).unwrap_err();
        let error = error.to_string();
        for words in ["so no checkpoint was saved", "step 3", "is intact"] {
            assert!(error.contains(words), "{field:?}: {error}");
        }
        let run = RunFolder::open(Arc::new(Disk), &path).unwrap();
        let last = run.checkpoints().open(Which::Last).unwrap();
        assert_eq!(last.step, 3, "{field:?}");
    }
}

/// Where an event has null instead of a number, the next one says why. Only the norms of a model's
/// parts are null where there is nothing to measure.
#[test]
fn a_number_that_is_not_finite_is_never_null_in_silence() {
    let fine = tempfile::tempdir().unwrap();
    train(fine.path(), Arc::new(Disk)).unwrap();
    let wrong = tempfile::tempdir().unwrap();
    let choice = Choice::Exact {
        path: wrong.path().join("run"),
        overwrite: false,
    };
    let mut device = Planted {
        cpu: cpu(),
        after: 2,
        field: Field::Weight,
        variable: None,
    };
    let create = || RunFolder::create(Arc::new(Disk), &choice);
    session(wrong.path(), create, None, &mut device).unwrap_err();
    for (place, expected) in [(&fine, 0), (&wrong, 1)] {
        let log = std::fs::read_to_string(place.path().join("run/events.jsonl")).unwrap();
        let events: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let nulls = |at: &usize| {
            let event = &events[*at];
            event["event"] != "layers" && event.to_string().contains(":null")
        };
        let silent: Vec<usize> = (0..events.len()).filter(nulls).collect();
        assert_eq!(silent.len(), expected, "{silent:?}");
        for at in silent {
            let next = events
                .get(at + 1)
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(next.contains("not finite"), "{}: {next}", events[at]);
        }
    }
}

/// Writes the last checkpoint again, with one file changed and right hashes.
fn change(folder: &Path, name: &str, change: &dyn Fn(&mut Vec<u8>)) {
    let from = checkpoint(folder, 4);
    let file = |file: &str| {
        let mut bytes = from.read(file).unwrap();
        if file == name {
            change(&mut bytes);
        }
        NamedFile::bytes(file, bytes)
    };
    let files = from.names().map(file).collect();
    let run = RunFolder::open(Arc::new(Disk), &folder.join("run")).unwrap();
    run.checkpoints().save(4, from.loss, files).unwrap();
}

#[test]
fn numbers_that_cannot_be_right_are_never_loaded() {
    // The last tensor by name in each file: the final norm's weights, and their mean of squares.
    let last = |number: f32| {
        move |bytes: &mut Vec<u8>| {
            let at = bytes.len() - 4;
            bytes[at..].copy_from_slice(&number.to_le_bytes());
        }
    };
    let step = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace("\"step\": 4", "\"step\": 5").into_bytes();
    };
    let optimizer = "optimizer.safetensors";
    let place = tempfile::tempdir().unwrap();
    train(place.path(), Arc::new(Disk)).unwrap();
    let sound: Vec<(String, Vec<u8>)> = {
        let whole = checkpoint(place.path(), 4);
        let each = whole
            .names()
            .map(|n| (n.to_owned(), whole.read(n).unwrap()));
        each.collect()
    };
    type Change = Box<dyn Fn(&mut Vec<u8>)>;
    let cases: [(&str, Change, bool, &str); 5] = [
        (WEIGHTS, Box::new(last(f32::NAN)), true, "finite"),
        (optimizer, Box::new(last(f32::NAN)), true, "finite"),
        (optimizer, Box::new(last(f32::INFINITY)), true, "finite"),
        (
            optimizer,
            Box::new(last(-1.0)),
            false,
            "has a negative number",
        ),
        (
            "trainer_state.json",
            Box::new(step),
            true,
            "of step 5, not 4",
        ),
    ];
    for (name, planted, found_before, words) in cases {
        change(place.path(), name, &planted);
        let checked = check_checkpoint(&mut checkpoint(place.path(), 4));
        assert_eq!(checked.is_err(), found_before, "{name} {words}");
        let error = resume(place.path()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(words), "{error}");
        let original = &sound.iter().find(|(file, _)| file == name).unwrap().1;
        change(place.path(), name, &|bytes| bytes.clone_from(original));
    }
    check_checkpoint(&mut checkpoint(place.path(), 4)).unwrap();
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
        let events = session(place.path(), create, Some(until), &mut cpu()).unwrap();
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
        let events = session(place.path(), open, None, &mut cpu()).unwrap();
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
