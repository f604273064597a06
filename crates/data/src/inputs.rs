//! Selects the files to read and their order.

use crate::{Destination, Error, ReadOptions, Report, Result};
use ignore::WalkBuilder;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file to read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    /// Where it is read from.
    pub path: PathBuf,
    /// Whether the user named it: problems are then errors. A file found in a folder may be
    /// skipped.
    pub named: bool,
    /// Whether all of it is for validation.
    pub held_out: bool,
    /// Its state when it was listed.
    pub stamp: Stamp,
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

/// The name of standard input.
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
) -> Result<Vec<Input>> {
    if paths.is_empty() {
        return Err(Error::NoPaths);
    }
    let mut inputs = Vec::new();
    let each = paths.iter().map(|path| (path.as_path(), false));
    for (path, held_out) in each.chain(validation.map(|path| (path, true))) {
        let before = inputs.len();
        if path.as_os_str() == STANDARD_INPUT {
            let mut stdin = io::stdin().lock();
            inputs.push(spool(path, &mut stdin, to, before, held_out)?);
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|e| Error::reading(path, &e))?;
        if metadata.is_dir() {
            walk(path, held_out, o, to, report, &mut inputs)?;
        } else if metadata.is_file() {
            inputs.push(Input {
                path: path.to_owned(),
                named: true,
                held_out,
                stamp: Stamp::of(&metadata),
            });
        } else {
            let mut pipe = File::open(path).map_err(|e| Error::reading(path, &e))?;
            inputs.push(spool(path, &mut pipe, to, before, held_out)?);
        }
    }
    Ok(inputs)
}

/// Copies a stream into a file, since texts are read twice.
fn spool(
    path: &Path,
    from: &mut dyn io::Read,
    to: &Destination,
    number: usize,
    held_out: bool,
) -> Result<Input> {
    let Some(scratch) = to.scratch() else {
        return Err(Error::damaged(
            path,
            "can be read only once: write it into a file first",
        ));
    };
    let kept = scratch.join(format!("input-{number}"));
    let mut copy = || {
        std::fs::create_dir_all(&scratch)?;
        let mut file = File::create(&kept)?;
        io::copy(from, &mut file)?;
        file.metadata()
    };
    let metadata = copy().map_err(|e| run::Error::at("writing", &kept, e))?;
    Ok(Input {
        stamp: Stamp::of(&metadata),
        path: kept,
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
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false)
        .hidden(true)
        .git_ignore(o.gitignore)
        .parents(o.gitignore)
        .require_git(false)
        .follow_links(true)
        .sort_by_file_name(OsStr::cmp)
        .filter_entry(move |entry| match &exclude {
            Some(exclude) => entry.path().canonicalize().ok().as_ref() != Some(exclude),
            None => true,
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
                named: false,
                held_out,
            });
        } else if kind.is_some_and(|kind| !kind.is_dir()) {
            report.skip(entry.path(), "neither a file nor a folder");
        }
    }
    Ok(())
}

/// Skips a link to a parent folder and a broken link; everything else is an error.
fn not_walked(folder: &Path, error: &ignore::Error, report: &mut Report) -> Result<()> {
    let path = path_of(error).unwrap_or(folder).to_owned();
    match error.io_error() {
        None => report.skip(&path, "a link to a parent folder"),
        Some(e) if e.kind() == io::ErrorKind::NotFound => {
            report.skip(&path, "a broken link");
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
