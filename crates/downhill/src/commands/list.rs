//! `downhill list` and `downhill rm`: list and remove runs.

use crate::arguments::{List, Remove};
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{CROWD, MEMBERS, RUNS};
use crate::terminal;
use model::Config;
use run::{Condition, Disk, Event, Files, Kind, RaceFolder, RunFolder, What, now};
use serde_json::{Value, json};
use std::io::{Read, Seek, SeekFrom, Write, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use watch::{amount, count, duration};

/// Bytes at the end of an event log that are read to learn how far a run is.
const TAIL: u64 = 64 << 10;

/// The row of a run.
struct Summary {
    name: String,
    kind: String,
    model: String,
    bytes: u64,
    step: u64,
    steps: Option<u64>,
    best: Option<f64>,
    /// Whether that is the loss on all validation tokens, rather than on the fixed subset.
    full: bool,
    state: Condition,
    /// In Unix seconds.
    changed: f64,
}

pub fn list(a: &List) -> Result<()> {
    let folder = a.folder.as_deref().unwrap_or(Path::new(RUNS));
    let runs = RunFolder::list(Arc::new(Disk), folder)?;
    let runs: Vec<Summary> = runs.iter().map(summary).collect();
    let races = RaceFolder::list(folder);
    let shown = |path: &PathBuf| path.display().to_string();
    if a.json {
        let runs: Vec<Value> = runs.iter().map(Summary::json).collect();
        let races: Vec<String> = races.iter().map(shown).collect();
        let listed = json!({ "runs": runs, "races": races });
        writeln!(out(), "{}", output::json(&listed)?)?;
        return Ok(());
    }
    if !runs.is_empty() {
        table(&runs)?;
    } else if races.is_empty() {
        let folder = folder.display();
        writeln!(out(), "no runs in {folder}; start one: downhill train")?;
    }
    for race in races {
        let runs = count(runs_of(&race)?.len() as u64);
        let race = watch::argument(&shown(&race));
        writeln!(out(), "race {race} · {runs} runs: downhill list {race}")?;
    }
    Ok(())
}

/// Prints a table of runs.
fn table(runs: &[Summary]) -> Result<()> {
    let titles = ["run", "model", "size", "steps", "best", "state", "changed"];
    let mut rows = vec![titles.map(String::from)];
    rows.extend(runs.iter().map(Summary::row));
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
    let widths: Vec<usize> = (0..titles.len()).filter_map(width).collect();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<String>>().join("  ");
        writeln!(out(), "{}", line.trim_end())?;
    }
    Ok(())
}

impl Summary {
    fn state(&self) -> &'static str {
        match self.state {
            Condition::Live => "training",
            Condition::Ended => "ended",
            Condition::Stopped => "stopped unexpectedly",
            Condition::Gone => "gone",
        }
    }

    fn json(&self) -> Value {
        json!({
            "run": self.name, "kind": self.kind, "model": self.model, "bytes": self.bytes,
            "step": self.step, "steps": self.steps, "best": self.best,
            "full": self.full,
            "state": self.state, "changed": self.changed,
        })
    }

    fn row(&self) -> [String; 7] {
        let steps = self.steps.map_or("–".into(), count);
        // As in the log, ~ marks the loss on the subset.
        let sign = if self.full { "" } else { "~" };
        let best = self
            .best
            .map_or("–".into(), |loss| format!("{sign}{loss:.4}"));
        let ago = format!("{} ago", duration((now() - self.changed).max(0.0)));
        [
            watch::line(&self.name),
            watch::line(&self.model),
            amount(self.bytes, "B"),
            format!("{} of {steps}", count(self.step)),
            best,
            self.state().into(),
            ago,
        ]
    }
}

/// The row of a run; a run that can't be read gets one too.
fn summary(run: &RunFolder) -> Summary {
    let config = run.config().ok();
    let kind = config.as_ref().map(|c| c.kind.clone());
    let settings = config.and_then(|c| Config::load(None, Some((&c.path, &c.config)), &[]).ok());
    let events = last_events(&run.events_path());
    let ended = events
        .iter()
        .rev()
        .find(|e| !matches!(e.what, What::Warning(_)));
    let end = ended.and_then(|e| match &e.what {
        What::End(end) => Some(end),
        _ => None,
    });
    // What the end of a finished run reports.
    let full = end
        .filter(|end| end.reason != "interrupted")
        .and_then(|end| end.val_nats_per_token.or(end.mse))
        .filter(|loss| loss.is_finite());
    let checkpoints = run.checkpoints().list().unwrap_or_default();
    let losses = checkpoints.iter().filter_map(|c| c.loss);
    // Before its first event, a run has only its config.
    let changed = std::fs::metadata(run.events_path())
        .or_else(|_| std::fs::metadata(run.path().join("run.toml")))
        .and_then(|m| m.modified())
        .ok();
    let changed = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Summary {
        name: run.path().display().to_string(),
        kind: match &kind {
            Some(Kind::Language) => "language".into(),
            Some(Kind::Fit) => "fit".into(),
            Some(Kind::Unknown(name)) => name.clone(),
            None => "unreadable".into(),
        },
        model: match (&kind, &settings) {
            (Some(Kind::Language), Some(c)) => {
                let m = &c.model;
                format!("{} {} × {}", m.family.name(), m.layers, m.width)
            }
            (Some(Kind::Fit), _) => "fit".into(),
            _ => "unreadable".into(),
        },
        bytes: run::folder_bytes(run.path()),
        step: events
            .iter()
            .filter_map(|e| e.step)
            .next_back()
            .unwrap_or(0),
        steps: settings.map(|c| c.train.steps as u64),
        best: full.or(losses.min_by(f64::total_cmp)),
        full: full.is_some(),
        state: run.condition(end.is_some()),
        changed: changed.map_or(0.0, |since| since.as_secs_f64()),
    }
}

/// The events at the end of a log.
fn last_events(path: &Path) -> Vec<Event> {
    let mut bytes = Vec::new();
    let mut read = || -> std::io::Result<()> {
        let mut file = std::fs::File::open(path)?;
        let from = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from))?;
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(())
    };
    // A run without a log has no events yet.
    let _ = read();
    let lines = bytes.split(|&b| b == b'\n');
    lines
        .filter_map(|line| Event::parse(line).ok().flatten())
        .collect()
}

pub fn remove(a: &Remove) -> Result<()> {
    // Check all of them before removing any.
    for path in &a.runs {
        let race = RaceFolder::is_in(path);
        let refused = |why: &str, path: &Path| {
            let path = path.display();
            Err(Failure::Failed(format!("{path} {why}")))
        };
        if race {
            RaceFolder::open(path)?;
        } else {
            RunFolder::open(Arc::new(Disk), path)?.config()?;
        }
        if path.is_symlink() {
            return refused("is a link: remove it yourself", path);
        }
        for run in runs_of(path)? {
            if summary(&run).state == Condition::Live {
                return refused("is being trained: stop it first", run.path());
            }
        }
    }
    for path in &a.runs {
        let (name, size) = (path.display(), amount(run::folder_bytes(path), "B"));
        let runs = match RaceFolder::is_in(path) {
            true => format!("{} runs, ", runs_of(path)?.len()),
            false => String::new(),
        };
        if !a.yes && !agreed(&format!("remove {name} ({runs}{size})?"))? {
            continue;
        }
        Disk.remove_folder(path)?;
        writeln!(out(), "removed {name} · {runs}{size}")?;
    }
    Ok(())
}

/// All runs in a folder: those of a race, or a run with its members and its crowd.
fn runs_of(path: &Path) -> Result<Vec<RunFolder>> {
    let list = |path: &Path| RunFolder::list(Arc::new(Disk), path);
    if RaceFolder::is_in(path) {
        return Ok(list(path)?);
    }
    let mut runs = vec![RunFolder::open(Arc::new(Disk), path)?];
    for within in [MEMBERS, CROWD] {
        runs.extend(list(&path.join(within))?);
    }
    Ok(runs)
}

/// Asks for confirmation.
fn agreed(question: &str) -> Result<bool> {
    if !terminal::is_attended() {
        let message = "no terminal to ask on: confirm with --yes";
        return Err(Failure::Usage(message.into()));
    }
    write!(out(), "{question} [y/N] ")?;
    out().flush()?;
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.map_err(|e| Failure::Failed(format!("standard input can't be read: {e}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
