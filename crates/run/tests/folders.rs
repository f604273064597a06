//! Run folders: created, found, refused.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::ErrorKind::PermissionDenied;
use std::path::Path;
use std::sync::Arc;

use run::{Choice, Condition, Disk, Error, Faulty, Files, Kind, RunConfig, RunFolder};

fn disk() -> Arc<dyn Files> {
    Arc::new(Disk)
}

fn next(root: &Path, name: &str) -> RunFolder {
    let root = root.to_path_buf();
    let name = name.to_string();
    RunFolder::create(disk(), &Choice::Next { root, name }).unwrap()
}

fn exact(path: &Path, overwrite: bool) -> run::Result<RunFolder> {
    let path = path.to_path_buf();
    RunFolder::create(disk(), &Choice::Exact { path, overwrite })
}

#[test]
fn names_are_counted_up_and_made_plain() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("runs");
    let name = |asked: &str| {
        let path = next(&root, asked).path().to_path_buf();
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_string()
    };
    assert_eq!(name("tales"), "tales");
    assert_eq!(name("tales"), "tales-2");
    assert_eq!(name("tales"), "tales-3");
    assert_eq!(name("红楼梦 1.txt"), "红楼梦-1.txt");
    assert_eq!(name("../../etc"), "etc");
    assert_eq!(name(".."), "run");
    std::fs::write(root.join("file"), "").unwrap();
    assert_eq!(name("file"), "file-2");
}

#[test]
fn overwrite_replaces_a_run_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/mine");
    let run = exact(&path, false).unwrap();
    run.write_config("a = 1\n").unwrap();
    run.write_config("a = 2\n").unwrap();
    assert_eq!(run.read_config().unwrap(), "a = 2\n");
    let files = || std::fs::read_dir(&path).unwrap().count();
    // The config and the lock.
    assert_eq!(files(), 2);
    assert!(matches!(exact(&path, false), Err(Error::Exists { .. })));
    let live = exact(&path, true).err().unwrap().to_string();
    let own = format!("process {}", std::process::id());
    assert!(live.contains("busy") && live.contains(&own), "{live}");
    assert_eq!(files(), 2);
    drop(run);
    exact(&path, true).unwrap();
    assert_eq!(files(), 1);
    // An empty folder may be replaced.
    exact(&path, true).unwrap();
    let thesis = path.join("thesis.txt");
    std::fs::write(&thesis, "years of work").unwrap();
    for place in [&path, &thesis] {
        assert!(matches!(exact(place, true), Err(Error::NotReplaced { .. })));
    }
    assert!(thesis.exists());
}

#[test]
fn one_process_writes_to_a_run_and_others_know_it_is_live() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine");
    let run = exact(&path, false).unwrap();
    run.write_config("a = 1\n").unwrap();
    let reader = RunFolder::open(disk(), &path).unwrap();
    assert_eq!(reader.condition(false), Condition::Live);
    let second = RunFolder::open_to_write(disk(), &path);
    assert!(matches!(second, Err(Error::Busy { .. })));
    drop(run);
    assert_eq!(reader.condition(false), Condition::Stopped);
    RunFolder::open_to_write(disk(), &path).unwrap();
}

#[test]
fn a_folder_that_was_moved_is_noticed_and_the_run_goes_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine");
    let run = exact(&path, false).unwrap();
    run.write_config("a = 1\n").unwrap();
    assert!(run.in_place());
    std::fs::rename(&path, folder.path().join("moved")).unwrap();
    assert!(!run.in_place());
    std::fs::create_dir(&path).unwrap();
    assert!(!run.in_place(), "another folder of this name");
    let beside = run.beside().unwrap();
    assert_eq!(beside.path(), folder.path().join("mine-2"));
    assert_eq!(beside.read_config().unwrap(), "a = 1\n");
    assert!(beside.in_place());
}

#[test]
fn the_newest_run_is_the_one_written_to_last() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("runs");
    let error = RunFolder::newest(disk(), &root).err().unwrap().to_string();
    assert!(error.contains("downhill train"), "{error}");
    let [a, b] = ["a", "b"].map(|name| next(&root, name));
    next(&root, "c");
    let age = |path: &Path, seconds: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    };
    for (run, seconds) in [(&a, 10), (&b, 20)] {
        run.write_config("").unwrap();
        age(&run.path().join("run.toml"), seconds);
    }
    let newest = || {
        RunFolder::newest(disk(), &root)
            .unwrap()
            .path()
            .to_path_buf()
    };
    assert_eq!(newest(), b.path());
    drop(a.event_log().unwrap());
    age(&a.events_path(), 30);
    assert_eq!(newest(), a.path());
}

#[test]
fn a_missing_run_is_reported_with_the_existing_ones() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("runs");
    next(&root, "mine").write_config("").unwrap();
    next(&root, "half");
    assert!(RunFolder::open(disk(), &root.join("mine")).is_ok());
    for asked in ["mien", "half"] {
        let error = RunFolder::open(disk(), &root.join(asked)).err().unwrap();
        let text = error.to_string();
        assert!(
            matches!(error, Error::NoRun { .. }) && text.contains("runs/mine"),
            "{text}"
        );
    }
}

#[test]
fn a_fault_while_writing_run_toml_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine");
    exact(&path, false).unwrap().write_config("old").unwrap();
    for n in 0..3 {
        let files: Arc<dyn Files> = Arc::new(Faulty::from(n, PermissionDenied));
        let run = RunFolder::open(files, &path).unwrap();
        assert!(matches!(
            run.write_config("new!"),
            Err(Error::ReadOnly { .. })
        ));
        let left = run.read_config().unwrap();
        // Operation 2 is the sync after the rename.
        assert_eq!(left, if n < 2 { "old" } else { "new!" });
    }
}

#[test]
fn the_kind_is_known_from_any_run_toml() {
    let folder = tempfile::tempdir().unwrap();
    let run = exact(&folder.path().join("mine"), false).unwrap();
    let path = run.path().join("run.toml");
    let columns = BTreeMap::from([("columns".to_owned(), "a\nb".to_owned())]);
    let text = RunConfig::text(&Kind::Fit, "[model]\nwidth = 1\n", &columns).unwrap();
    assert!(text.starts_with("kind = \"fit\"\n"), "{text}");
    run.write_config(&text).unwrap();
    let config = run.config().unwrap();
    assert_eq!(config.kind, Kind::Fit);
    assert_eq!(
        config
            .section::<BTreeMap<String, String>>(&Kind::Fit)
            .unwrap(),
        columns
    );
    // Line numbers are preserved, so that errors name the right line.
    let line = |text: &str| text.lines().position(|line| line == "width = 1");
    assert_eq!(config.config.trim(), "[model]\nwidth = 1");
    assert_eq!(line(&config.config), line(&text));
    let kind = |text: &str| RunConfig::parse(&path, text).map(|config| config.kind);
    let old = text.replace("kind = \"fit\"\n", "");
    assert_eq!(kind(&old).unwrap(), Kind::Fit);
    let old = old.replace("[fit]", "[source]");
    assert_eq!(kind(&old).unwrap(), Kind::Language);
    let newer = kind("kind = \"race\"\n[race]\nsteps = 1\n");
    assert_eq!(newer.unwrap(), Kind::Unknown("race".into()));
}

#[test]
fn an_invalid_run_toml_is_refused_with_the_reason() {
    type Section = BTreeMap<String, u32>;
    let path = Path::new("mine/run.toml");
    let read = |text: &str| RunConfig::parse(path, text)?.section::<Section>(&Kind::Fit);
    for (text, words) in [
        ("", "kind = \"language\""),
        ("kind = 1\n[fit]\na = 1", "kind = \"language\""),
        ("kind = \"fit\"\n[model]\n", "section [fit] is missing"),
        ("kind = \"fit\"\n\n[fit]\na = \"\u{7}\"", "line 4: "),
        (
            "kind = \"fit\"\n\n[fit]\na = 1\nb = true",
            "line 5: invalid type",
        ),
        (
            "[source]\na = 1\n",
            "this is a language model run, but a `downhill fit` run is needed",
        ),
        ("kind = \"r\\u001b\"", "of unknown kind \"r\\u{1b}\", but a"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(
            error.starts_with("mine/run.toml: ") && error.contains(words),
            "{error}"
        );
        assert!(!error.contains(char::is_control), "{error}");
    }
}
