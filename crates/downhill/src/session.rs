//! What commands share: the config from flags, the device, the chosen run, Ctrl-C.

use crate::arguments::{Configured, Saved};
use crate::failure::{Failure, Result};
use ::session::{Opened, Use};
use engine::{Cpu, CpuSettings, cores};
use model::Config;
use run::{Choice, Disk, Kind, RunFolder};
use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Folder of all runs.
pub const RUNS: &str = "runs";

/// The merged config; assignments in `flags` override all others.
pub fn config(c: &Configured, flags: &[String]) -> Result<Config> {
    let text =
        match &c.config {
            Some(path) => {
                let read = std::fs::read_to_string(path);
                Some(read.map_err(|e| {
                    Failure::Failed(format!("{}: can't be read: {e}", path.display()))
                })?)
            }
            None => None,
        };
    let file = c.config.as_deref().zip(text.as_deref());
    let sets: Vec<String> = c.sets.iter().chain(flags).cloned().collect();
    Ok(Config::load(c.preset.as_deref(), file, &sets)?)
}

/// Assignments for the flags that were given.
pub fn assignments(flags: &[(&str, Option<String>)]) -> Vec<String> {
    let given = flags
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)));
    given.collect()
}

/// Threads to use.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(cores)
}

/// The processor, with this many threads.
pub fn cpu(threads: usize) -> Cpu {
    Cpu::new(CpuSettings::with_threads(threads))
}

/// Where a new run goes: the folder of `--run`, or the next free one called `name`.
pub fn choice(run: &Option<PathBuf>, overwrite: bool, name: &str) -> Choice {
    match run {
        Some(path) => Choice::Exact {
            path: path.clone(),
            overwrite,
        },
        None => Choice::Next {
            root: PathBuf::from(RUNS),
            name: name.to_owned(),
        },
    }
}

/// The given run, or else the newest run of a language model.
pub fn open(run: Option<&Path>) -> Result<RunFolder> {
    let files = Arc::new(Disk);
    if let Some(path) = run {
        return Ok(RunFolder::open(files, path)?);
    }
    let all = RunFolder::list(files.clone(), Path::new(RUNS))?;
    let language = |folder: &RunFolder| folder.config().is_ok_and(|c| c.kind == Kind::Language);
    match all.into_iter().find(language) {
        Some(folder) => Ok(folder),
        None => Ok(RunFolder::newest(files, Path::new(RUNS))?),
    }
}

/// The chosen model, and its run if it is in one.
pub fn opened(saved: &Saved) -> Result<(Opened, Option<RunFolder>)> {
    let how = Use {
        threads: threads(saved.threads.map(|n| n as usize)),
        sequences: 1,
    };
    let path = match &saved.run {
        Some(path) => path.clone(),
        None => open(None)?.path().to_path_buf(),
    };
    let opened = Opened::open(&path, saved.checkpoint, how)?;
    for skipped in &opened.skipped {
        eprintln!("warning: {skipped}");
    }
    if let (Some(step), false) = (opened.step, opened.skipped.is_empty()) {
        eprintln!("warning: using the checkpoint of step {step} instead");
    }
    // Checkpoints are in RUN/checkpoints.
    let run = opened.folder.ancestors().nth(2);
    let run = run.and_then(|run| RunFolder::open(Arc::new(Disk), run).ok());
    Ok((opened, run))
}

/// A flag that Ctrl-C sets; a second Ctrl-C exits immediately.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    answering_flag(None)
}

/// The flag of a training; the first Ctrl-C is answered at once, unless a screen has the terminal.
pub fn saving_flag(screen: bool) -> Result<Arc<AtomicBool>> {
    let answer = "stopping and saving; Ctrl-C again quits now";
    answering_flag((!screen).then_some(answer))
}

fn answering_flag(answer: Option<&'static str>) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        if let Some(answer) = answer {
            // The terminal has shown ^C on this line.
            let gap = if stderr().is_terminal() { "\n" } else { "" };
            let _ = writeln!(stderr(), "{gap}{answer}");
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|e| Failure::Failed(format!("Ctrl-C can't be caught: {e}")))?;
    Ok(stop)
}
