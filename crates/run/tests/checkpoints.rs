//! A checkpoint is complete or absent, whatever fails and whenever it fails.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind::{ReadOnlyFilesystem, StorageFull};
use std::path::Path;
use std::sync::Arc;

use run::{AppendFile, Checkpoints, Content, Disk, Error, Faulty, Files, NamedFile, Which};

fn contents(step: u64) -> Vec<NamedFile<'static>> {
    vec![
        NamedFile::bytes("model.safetensors", vec![step as u8; 1000]),
        NamedFile::bytes("config.json", b"{}".to_vec()),
    ]
}

fn checkpoints(folder: &Path) -> Checkpoints {
    Checkpoints::new(folder.join("checkpoints"), Arc::new(Disk))
}

fn saved(folder: &Path, losses: &[(u64, Option<f64>)]) -> Checkpoints {
    let checkpoints = checkpoints(folder);
    for &(step, loss) in losses {
        checkpoints.save(step, loss, contents(step)).unwrap();
    }
    checkpoints
}

fn steps(checkpoints: &Checkpoints) -> Vec<u64> {
    let list = checkpoints.list().unwrap();
    list.iter().map(|checkpoint| checkpoint.step).collect()
}

#[test]
fn best_last_and_step() {
    let folder = tempfile::tempdir().unwrap();
    let losses = [
        (100, None),
        (250, Some(1.5)),
        (300, Some(1.5)),
        (2_000_000, Some(f64::NAN)),
    ];
    let checkpoints = saved(folder.path(), &losses);
    let step = |which| checkpoints.open(which).unwrap().step;
    assert_eq!(step(Which::Best), 250);
    assert_eq!(step(Which::Last), 2_000_000);
    let one = checkpoints.open(Which::Step(100)).unwrap();
    assert!(one.path.ends_with("checkpoints/step-000100"));
    assert_eq!(one.read("model.safetensors").unwrap(), vec![100; 1000]);
    let error = checkpoints.open(Which::Step(7)).unwrap_err().to_string();
    assert!(
        error.contains("at step 7. Available steps: 100, 250, 300, 2000000"),
        "{error}"
    );

    let folder = tempfile::tempdir().unwrap();
    let none = self::checkpoints(folder.path()).open(Which::Best);
    assert!(matches!(none, Err(Error::NoCheckpoint { .. })));
    let unmeasured = saved(folder.path(), &[(1, None), (2, None)]);
    assert_eq!(unmeasured.open(Which::Best).unwrap().step, 2);
}

#[test]
fn the_last_and_the_best_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let losses = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0];
    let losses: Vec<_> = (1..).zip(losses.map(Some)).collect();
    let checkpoints = saved(folder.path(), &losses);
    checkpoints.prune(3).unwrap();
    assert_eq!(steps(&checkpoints), [2, 4, 5, 6]);
    checkpoints.prune(9).unwrap();
    assert_eq!(steps(&checkpoints), [2, 4, 5, 6]);
}

#[test]
fn damage_is_reported_and_another_checkpoint_offered() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = saved(folder.path(), &[(100, Some(2.0)), (200, Some(1.0))]);
    let last = folder.path().join("checkpoints/step-000200");
    let damages: [(&str, &[u8]); 2] = [("model.safetensors", &[9; 1000]), ("config.json", b"{")];
    for (name, content) in damages {
        std::fs::write(last.join(name), content).unwrap();
        let checkpoint = checkpoints.open(Which::Best).unwrap();
        let error = checkpoint.read(name).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains("--checkpoint 100"),
            "{error}"
        );
    }
    std::fs::write(last.join("manifest.json"), "{").unwrap();
    for which in [Which::Best, Which::Last] {
        assert_eq!(checkpoints.open(which).unwrap().step, 100);
    }
    let error = checkpoints.open(Which::Step(200)).unwrap_err().to_string();
    assert!(
        error.contains("manifest.json") && error.contains("--checkpoint 100"),
        "{error}"
    );
    assert_eq!(steps(&checkpoints), [100]);
}

#[test]
fn the_first_sound_one_is_chosen_and_what_was_passed_over_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let losses = [
        (100, Some(2.0)),
        (200, Some(1.0)),
        (300, Some(3.0)),
        (400, None),
    ];
    let checkpoints = saved(folder.path(), &losses);
    let damage = |step: u64| {
        let file = format!("checkpoints/step-000{step}/config.json");
        std::fs::write(folder.path().join(file), "{ }").unwrap();
    };
    let choose = |which| {
        let chosen = checkpoints.choose(which, &|checkpoint| checkpoint.verify(|_| true));
        chosen.map(|chosen| (chosen.checkpoint.step, chosen.skipped.len()))
    };
    assert_eq!(choose(Which::Best).unwrap(), (200, 0));
    assert_eq!(choose(Which::Last).unwrap(), (400, 0));
    damage(200);
    damage(400);
    assert_eq!(choose(Which::Best).unwrap(), (100, 1));
    assert_eq!(choose(Which::Last).unwrap(), (300, 1));
    let error = choose(Which::Step(400)).unwrap_err().to_string();
    assert!(error.contains("step-000400/config.json"), "{error}");
    damage(100);
    damage(300);
    let error = choose(Which::Last).unwrap_err().to_string();
    assert!(error.contains("step-000400/config.json"), "{error}");
}

#[test]
fn a_checkpoint_may_be_marked_with_its_loss_later() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = saved(folder.path(), &[(100, Some(2.0)), (200, None)]);
    assert_eq!(checkpoints.open(Which::Best).unwrap().step, 100);
    checkpoints.mark(200, 1.0).unwrap();
    let mut best = checkpoints.open(Which::Best).unwrap();
    assert_eq!((best.step, best.loss), (200, Some(1.0)));
    best.verify(|_| true).unwrap();
}

#[test]
fn going_back_removes_the_course_that_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let losses = [100, 200, 300, 400].map(|step| (step, None));
    let checkpoints = saved(folder.path(), &losses);
    std::fs::write(
        folder.path().join("checkpoints/step-000300/manifest.json"),
        "{",
    )
    .unwrap();
    checkpoints.remove_above(100, 200).unwrap();
    assert_eq!(steps(&checkpoints), [100, 200]);
    let left = std::fs::read_dir(folder.path().join("checkpoints")).unwrap();
    assert_eq!(left.count(), 2);
}

#[test]
fn no_bit_of_a_manifest_can_change() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = saved(folder.path(), &[(100, Some(0.5))]);
    let path = folder.path().join("checkpoints/step-000100/manifest.json");
    let whole = std::fs::read(&path).unwrap();
    let known = checkpoints.open(Which::Last).unwrap().loss;
    for at in 0..whole.len() {
        for bit in 0..7 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            std::fs::write(&path, &flipped).unwrap();
            let accepted = checkpoints.open(Which::Last);
            // White space means nothing.
            let blank = whole[at].is_ascii_whitespace();
            assert!(blank || accepted.is_err(), "byte {at}, bit {bit}");
            assert!(accepted.is_err() || accepted.unwrap().loss == known);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_run_folder_is_refused_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = saved(folder.path(), &[(100, None)]);
    let pipe = |name: &str| {
        let path = folder.path().join(name);
        let _ = std::fs::remove_file(&path);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        path
    };
    let events = pipe("events.jsonl");
    assert!(run::read_events(&events).is_err());
    assert!(run::EventLog::open(&Disk, &events).is_err());
    assert!(run::Follow::new(events).look(|_, _| {}).is_err());
    pipe("checkpoints/step-000100/config.json");
    let checkpoint = checkpoints.open(Which::Last).unwrap();
    assert!(checkpoint.read("config.json").is_err());
    pipe("checkpoints/step-000100/manifest.json");
    assert!(checkpoints.open(Which::Last).is_err());
}

/// Every visible checkpoint is complete, and 100 and 200 exist (100 in its old or new form).
fn assert_intact(folder: &Path, context: &str) {
    let checkpoints = checkpoints(folder);
    for checkpoint in checkpoints.list().unwrap() {
        for name in checkpoint.names() {
            checkpoint
                .read(name)
                .unwrap_or_else(|e| panic!("{context}: {e}"));
        }
    }
    let steps = steps(&checkpoints);
    assert!(steps.starts_with(&[100, 200]), "{context}: {steps:?}");
    let folders = std::fs::read_dir(folder.join("checkpoints")).unwrap();
    for name in folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let whole = name.starts_with('.')
            || folder
                .join("checkpoints")
                .join(&name)
                .join("manifest.json")
                .exists();
        assert!(whole, "{context}: {name} is visible without a manifest");
    }
}

/// Copies a folder's content: faster than saving it again, which syncs each file.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A folder in memory where the system has one: this test syncs a thousand files.
fn in_memory() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn a_fault_at_any_operation_costs_no_checkpoint() {
    let work = |folder: &Path, files: &Faulty| {
        let files: Arc<dyn Files> = Arc::new(files.clone());
        let checkpoints = Checkpoints::new(folder.join("checkpoints"), files);
        let new = checkpoints.save(300, Some(1.5), contents(300));
        let replaced = checkpoints.save(100, Some(1.0), contents(101));
        let pruned = checkpoints.prune(2);
        new.and(replaced).and(pruned).is_ok()
    };
    let before = in_memory();
    let losses = [(50, Some(3.0)), (100, Some(1.0)), (200, Some(2.0))];
    saved(before.path(), &losses);
    for one in [true, false] {
        let mut n = 0;
        loop {
            let folder = in_memory();
            copy(before.path(), folder.path());
            let faulty = match one {
                true => Faulty::once(n, StorageFull),
                false => Faulty::from(n, StorageFull),
            };
            let fine = work(folder.path(), &faulty);
            let context = format!("fault {n}, one: {one}");
            if faulty.operations() <= n {
                assert!(fine && n > 15, "{context}");
                break;
            }
            assert_intact_after_prune(folder.path(), &context);
            // The next save on a healthy disk leaves a clean folder.
            saved(folder.path(), &[(400, Some(4.0))]);
            assert_intact_after_prune(folder.path(), &context);
            let left = std::fs::read_dir(folder.path().join("checkpoints")).unwrap();
            let hidden = left.filter(|e| {
                let name = e.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with('.')
            });
            assert_eq!(hidden.count(), 0, "{context}");
            n += 1;
        }
    }
}

/// Like [`assert_intact`], but removes step 50 first: pruning may or may not have removed it.
fn assert_intact_after_prune(folder: &Path, context: &str) {
    let fifty = folder.join("checkpoints/step-000050");
    if fifty.exists() {
        assert_eq!(checkpoints(folder).open(Which::Step(50)).unwrap().step, 50);
        std::fs::remove_dir_all(fifty).unwrap();
    }
    assert_intact(folder, context);
}

#[test]
fn a_checkpoint_whose_replacement_died_still_counts() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = saved(folder.path(), &[(100, Some(1.0))]);
    let place = folder.path().join("checkpoints/step-000100");
    std::fs::rename(&place, folder.path().join("checkpoints/.step-000100.old")).unwrap();
    let checkpoint = checkpoints.open(Which::Last).unwrap();
    assert_eq!(
        checkpoint.read("model.safetensors").unwrap(),
        vec![100; 1000]
    );
    checkpoints.save(200, None, contents(200)).unwrap();
    assert!(place.exists());
    assert_eq!(steps(&checkpoints), [100, 200]);
}

#[test]
fn the_advice_fits_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let save = |kind| {
        let files: Arc<dyn Files> = Arc::new(Faulty::from(0, kind));
        let checkpoints = Checkpoints::new(folder.path().join("c"), files);
        checkpoints
            .save(1, None, contents(1))
            .unwrap_err()
            .to_string()
    };
    assert!(save(StorageFull).contains("Free some space"));
    assert!(save(ReadOnlyFilesystem).contains("Change its permissions"));
}

/// A disk that silently loses the end of every file.
struct Lossy;

impl Files for Lossy {
    fn create_folder(&self, path: &Path) -> run::Result<bool> {
        Disk.create_folder(path)
    }
    fn write(&self, path: &Path, content: Content) -> run::Result<()> {
        let mut bytes = Vec::new();
        content(&mut bytes).unwrap();
        Disk.write(path, &|to| to.write_all(&bytes[..bytes.len() - 1]))
    }
    fn append(&self, path: &Path) -> run::Result<Box<dyn AppendFile>> {
        Disk.append(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> run::Result<()> {
        Disk.rename(from, to)
    }
    fn remove_folder(&self, path: &Path) -> run::Result<()> {
        Disk.remove_folder(path)
    }
    fn sync_folder(&self, path: &Path) -> run::Result<()> {
        Disk.sync_folder(path)
    }
}

#[test]
fn a_file_written_short_is_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let lossy = Checkpoints::new(folder.path().join("checkpoints"), Arc::new(Lossy));
    let error = lossy.save(1, None, contents(1)).unwrap_err().to_string();
    assert!(error.contains("999 of 1000 bytes"), "{error}");
    assert!(steps(&lossy).is_empty());
}
