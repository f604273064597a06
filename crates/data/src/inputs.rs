//! Selects the files to read and their order.

use crate::control::Stage;
use crate::{Destination, Error, JobControl, Prepared, ReadOptions, Report, Result, space};
use ignore::WalkBuilder;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A file to read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    /// The path that the user knows it by.
    pub path: PathBuf,
    /// The copy that it is read from, if it can be read only once.
    pub kept: Option<PathBuf>,
    /// Whether the user named it: problems are then errors. A file found in a folder may be
    /// skipped.
    pub named: bool,
    /// Whether all of it is for validation.
    pub held_out: bool,
    /// Its state when it was listed.
    pub stamp: Stamp,
}

impl Input {
    /// Opens it for reading.
    pub fn open(&self) -> io::Result<File> {
        File::open(self.kept.as_ref().unwrap_or(&self.path))
    }
}

/// Size and modification time of a file: if they differ, the file changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stamp {
    pub bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// Bytes of a stream that are copied between two looks at the free space.
const SPOOLED: u64 = 16 << 20;

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

/// All files of `paths` in the order given, those of a folder sorted by name; then those of
/// `validation`. Output for `to` is never read as input. Input that can be read only once (standard
/// input, a pipe) is copied there for the duration.
pub(crate) fn list(
    paths: &[PathBuf],
    validation: Option<&Path>,
    o: &ReadOptions,
    to: &Destination,
    report: &mut Report,
    control: &JobControl,
) -> Result<Vec<Input>> {
    if paths.is_empty() {
        return Err(Error::NoPaths);
    }
    let mut inputs = Vec::new();
    let each = paths.iter().map(|path| (path.as_path(), false));
    for (path, held_out) in each.chain(validation.map(|path| (path, true))) {
        let before = inputs.len();
        if path.as_os_str() == STANDARD_INPUT {
            let (mut stdin, path) = (io::stdin().lock(), Path::new("standard input"));
            inputs.push(spool(path, &mut stdin, to, (before, held_out), control)?);
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|e| Error::reading(path, &e))?;
        if metadata.is_dir() {
            not_ours(path)?;
            walk(path, held_out, o, to, report, &mut inputs)?;
            if held_out && inputs.len() == before {
                return Err(Error::NoText {
                    path: path.to_owned(),
                    skipped: report.skipped_in_words(),
                });
            }
        } else if metadata.is_file() {
            inputs.push(Input {
                path: path.to_owned(),
                kept: None,
                named: true,
                held_out,
                stamp: Stamp::of(&metadata),
            });
        } else if is_device(&metadata) {
            let why = "a device, not a text: - reads standard input";
            return Err(Error::damaged(path, why));
        } else {
            let mut pipe = File::open(path).map_err(|e| Error::reading(path, &e))?;
            inputs.push(spool(path, &mut pipe, to, (before, held_out), control)?);
        }
    }
    Ok(inputs)
}

/// Whether it can be read only once.
pub(crate) fn is_stream(path: &Path) -> bool {
    let found = || std::fs::metadata(path);
    path.as_os_str() == STANDARD_INPUT || found().is_ok_and(|m| !m.is_dir() && !m.is_file())
}

/// Whether it gives bytes without end, or those of a whole disk.
fn is_device(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        kind.is_char_device() || kind.is_block_device()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// What a folder is that this program made: never a text.
fn made_here(folder: &Path) -> Option<&'static str> {
    if folder.join("run.toml").is_file() && folder.join("events.jsonl").is_file() {
        return Some("a run of downhill");
    }
    Prepared::is_in(folder).then_some("prepared data")
}

/// Refuses a folder that this program made.
fn not_ours(folder: &Path) -> Result<()> {
    let shown = folder.display();
    match made_here(folder) {
        None => Ok(()),
        Some(what) if what.contains("run") => Err(Error::damaged(
            folder,
            format!("{what}, not a text: to continue it, use downhill train --resume {shown}"),
        )),
        Some(what) => Err(Error::damaged(
            folder,
            format!("{what}, which can't be combined with other texts: train on it alone"),
        )),
    }
}

/// Copies a stream into a file, since texts are read twice.
fn spool(
    path: &Path,
    from: &mut dyn Read,
    to: &Destination,
    (number, held_out): (usize, bool),
    control: &JobControl,
) -> Result<Input> {
    let Some(scratch) = to.scratch() else {
        return Err(Error::damaged(
            path,
            "can be read only once: write it into a file first",
        ));
    };
    let kept = scratch.join(format!("input-{number}"));
    let fail = |e| Error::from(run::Error::at("writing", &kept, e));
    std::fs::create_dir_all(&scratch).map_err(fail)?;
    let mut file = File::create(&kept).map_err(fail)?;
    loop {
        space::check(&scratch, SPOOLED)?;
        let count = io::copy(&mut from.take(SPOOLED), &mut file).map_err(fail)?;
        control.tick(Stage::Reading)?;
        if count == 0 {
            break;
        }
    }
    Ok(Input {
        stamp: Stamp::of(&file.metadata().map_err(fail)?),
        path: path.to_owned(),
        kept: Some(kept),
        named: true,
        held_out,
    })
}

/// Adds the files of a folder. Hidden files and folders are skipped, links are followed.
fn walk(
    folder: &Path,
    held_out: bool,
    o: &ReadOptions,
    to: &Destination,
    report: &mut Report,
    inputs: &mut Vec<Input>,
) -> Result<()> {
    let exclude = to.root().and_then(|p| p.canonicalize().ok());
    let ours = Arc::new(Mutex::new(Vec::new()));
    let found = ours.clone();
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false)
        .hidden(true)
        .git_ignore(o.gitignore)
        .parents(o.gitignore)
        .require_git(false)
        .follow_links(true)
        .sort_by_file_name(OsStr::cmp)
        .filter_entry(move |entry| {
            let path = entry.path();
            if let Some(what) = path.is_dir().then(|| made_here(path)).flatten() {
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.push((path.to_owned(), what));
                return false;
            }
            exclude.is_none() || path.canonicalize().ok() != exclude
        });
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                not_walked(folder, &error, report)?;
                continue;
            }
        };
        if let Some(error) = entry.error() {
            return Err(Error::damaged(entry.path(), error.to_string()));
        }
        let kind = entry.file_type();
        if kind.is_some_and(|kind| kind.is_file()) {
            let metadata = entry
                .metadata()
                .map_err(|e| Error::damaged(entry.path(), format!("can't be read: {e}")))?;
            inputs.push(Input {
                stamp: Stamp::of(&metadata),
                path: entry.into_path(),
                kept: None,
                named: false,
                held_out,
            });
        } else if kind.is_some_and(|kind| !kind.is_dir()) {
            report.skip(entry.path(), "not a file or folder", 0);
        }
    }
    let ours = ours.lock().unwrap_or_else(PoisonError::into_inner);
    ours.iter()
        .for_each(|(path, what)| report.skip(path, what, 0));
    Ok(())
}

/// Skips a link to a parent folder and a broken link; everything else is an error.
fn not_walked(folder: &Path, error: &ignore::Error, report: &mut Report) -> Result<()> {
    let path = path_of(error).unwrap_or(folder).to_owned();
    match error.io_error() {
        None => report.skip(&path, "a link to a parent folder", 0),
        Some(e) if e.kind() == io::ErrorKind::NotFound => {
            report.skip(&path, "a broken link", 0);
        }
        Some(e) => return Err(Error::reading(&path, e)),
    }
    Ok(())
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}
