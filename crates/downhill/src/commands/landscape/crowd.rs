//! `downhill landscape --crowd`: do runs from different random starts end in the same valley? The
//! run itself is the first of them; the others are trained in turns, each a run of its own in the
//! folder `crowd` of that run. The members of a run are a crowd already.

use super::language::{TOKENS, opened};
use crate::arguments::Landscape;
use crate::commands::race;
use crate::failure::{Failure, Result};
use crate::output::{self, out, tell};
use crate::progress::ProgressLine;
use crate::session::{CROWD, MEMBERS, begun, enough_memory, threads};
use ::train::{Corpus, Job, LanguageTask, Resumed, Settings, memory};
use data::JobControl;
use run::{Choice, Connectivity, Disk, RunFolder, Which};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use study::crowd::{CrowdEnd, compare};
use study::plane::StudiedRun;
use study::race::Arrival;
use watch::count;

/// What may differ between the runs of a crowd: it doesn't change what they learn.
const FREE: [&str; 5] = [
    "train.seed",
    "train.threads",
    "eval.",
    "checkpoint.",
    "sample.",
];
pub fn run(a: &Landscape, wanted: usize, folder: &RunFolder, stop: &AtomicBool) -> Result<()> {
    let shown = folder.path().display().to_string();
    // Nothing else trains it, or its crowd, at the same time.
    let folder = RunFolder::open_to_write(Arc::new(Disk), folder.path())?;
    let resumed = Resumed::new(&folder, None, &[], None)?;
    if !resumed.is_finished(&folder)? {
        return Err(Failure::Failed(format!(
            "{shown} isn't finished, and only ends can be compared: downhill train --resume {shown}"
        )));
    }
    let mut settings = resumed.settings;
    if let Some(threads) = a.plane.threads {
        settings.config.train.threads = Some(threads as usize);
    }
    let threads = threads(settings.config.train.threads)?;
    let run = {
        let line = ProgressLine::new(a.plane.json);
        let show = |progress| line.show(progress);
        opened(folder, &JobControl::new(threads, stop, &show))?
    };
    let folders = match settings.config.train.members {
        1 => trained(&run, &settings, wanted, a.plane.json, stop)?,
        members if members < wanted => {
            return Err(Failure::Usage(format!(
                "--crowd {wanted}: {shown} has {members} members, which are its crowd: use \
                 --crowd {members} at most"
            )));
        }
        _ => {
            let members = run.folder.path().join(MEMBERS);
            (1..=wanted).map(|n| members.join(n.to_string())).collect()
        }
    };
    let ends = folders.into_iter().map(|folder| end(folder, &run.folder));
    let ends = ends.collect::<Result<Vec<_>>>()?;
    let found = {
        let line = ProgressLine::new(a.plane.json);
        let mut show = |done, total| line.count("comparing", done, total);
        let tokens = a.plane.tokens.unwrap_or(TOKENS);
        compare(&run, &ends, (tokens, threads), stop, &mut show)?
    };
    found.save(&run.folder)?;
    if a.plane.json {
        writeln!(out(), "{}", output::json(&json!({ "crowd": found }))?)?;
        return Ok(());
    }
    print(&found, &shown)
}

/// Trains the runs that aren't trained yet; returns the folders of all.
fn trained(
    run: &StudiedRun,
    settings: &Settings,
    wanted: usize,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<Vec<PathBuf>> {
    let first = settings.config.train.seed;
    let shown = run.folder.path().display();
    let (mut folders, mut lanes) = (vec![run.folder.path().to_path_buf()], Vec::new());
    let mut names = Vec::new();
    let mut new = Vec::new();
    for seed in (1..wanted).map(|n| first.wrapping_add(n as u64)) {
        let path = run.folder.path().join(CROWD).join(format!("seed{seed}"));
        let mut settings = settings.clone();
        settings.config.train.seed = seed;
        folders.push(path.clone());
        if !path.join("run.toml").is_file() {
            names.push(format!("seed {seed}"));
            new.push((path, settings));
        } else if let Some(lane) = resumed(&path, &settings, &run.corpus)? {
            names.insert(lanes.len(), format!("seed {seed}"));
            lanes.push(lane);
        }
    }
    let vocabulary = run.corpus.tokenizer.vocabulary_size();
    let each = memory(&settings.config, vocabulary)? + 4 * run.corpus.validation.len() as u64;
    let needed = each * names.len() as u64;
    enough_memory(needed, "training the crowd", "use a smaller --crowd")?;
    let given = run.folder.config()?.given.unwrap_or_default();
    for (path, settings) in new {
        let task = LanguageTask::new(&settings.config, run.corpus.clone())?;
        let choice = Choice::Exact {
            path,
            // A start that was killed leaves an empty folder.
            overwrite: true,
        };
        let folder = begun(&choice, &settings, &given)?;
        lanes.push(Job::new(settings, task, folder, None));
    }
    if !lanes.is_empty() && !quiet {
        let (runs, steps) = (lanes.len(), settings.config.train.steps);
        writeln!(
            out(),
            "{runs} more to train, {} steps each, in {shown}/{CROWD}\n",
            count(steps as u64)
        )?;
    }
    let arrivals = race::trained(&mut lanes, &names, quiet, stop)?;
    for (lane, arrival) in lanes.iter().zip(arrivals) {
        match arrival {
            Arrival::Finished(_) => {}
            Arrival::Interrupted => {
                tell(&format!(
                    "all runs are saved; to resume: downhill landscape {shown} --crowd {wanted}"
                ));
                return Err(Failure::Interrupted);
            }
            Arrival::Diverged(what) => {
                let lane = lane.folder.path().display();
                return Err(Failure::Failed(format!(
                    "{lane} diverged, so there is no end to compare: {what}"
                )));
            }
        }
    }
    Ok(folders)
}

/// A run of the crowd that was begun before; `None` if it is finished.
fn resumed(path: &Path, wanted: &Settings, corpus: &Corpus) -> Result<Option<Job>> {
    let folder = RunFolder::open_to_write(Arc::new(Disk), path)?;
    let resumed = Resumed::new(&folder, None, &[], None)?;
    let differences = resumed.settings.config.differences(&wanted.config);
    let fixed = |key: &str| !FREE.iter().any(|free| key.starts_with(free));
    if let Some(other) = differences.iter().find(|other| fixed(&other.key)) {
        let path = path.display();
        return Err(Failure::Failed(format!(
            "{path} has {} = {}, but its run has {}: they can't be compared. To train it again: \
             downhill rm {path}",
            other.key, other.mine, other.theirs
        )));
    }
    match resumed.is_finished(&folder)? {
        true => Ok(None),
        false => Ok(Some(Job::resumed(resumed, folder, corpus.clone())?)),
    }
}

/// The end of a run of the crowd: its best checkpoint.
fn end(path: PathBuf, of: &RunFolder) -> Result<CrowdEnd> {
    let folder = RunFolder::open(Arc::new(Disk), &path)?;
    let Settings { config, source } = Settings::read(&folder, &[])?;
    if source != Settings::read(of, &[])?.source {
        let path = path.display();
        return Err(Failure::Failed(format!(
            "{path} was trained on another text than its run: they can't be compared. To train it \
             again: downhill rm {path}"
        )));
    }
    Ok(CrowdEnd {
        seed: config.train.seed,
        checkpoint: folder.checkpoints().open(Which::Best)?,
        folder: path,
    })
}

fn print(found: &Connectivity, run: &str) -> Result<()> {
    let mut out = out();
    writeln!(out, "{}\n", found.verdict)?;
    let folder = |run: &run::CrowdRun| watch::line(&run.folder);
    let width = found.runs.iter().map(|run| folder(run).chars().count());
    let width = width.max().unwrap_or(0).max(26);
    writeln!(
        out,
        "     {:width$}{:>12}{:>10}{:>10}",
        "", "seed", "step", "cost"
    )?;
    for (number, run) in found.runs.iter().enumerate() {
        let (seed, step, cost) = (run.seed, count(run.step), run.cost);
        let (number, name) = (number + 1, folder(run));
        writeln!(
            out,
            "{number:>3}  {name:width$}{seed:>12}{step:>10}{cost:>10.4}"
        )?;
    }
    let (name, cost) = ("mean of their predictions", found.ensemble);
    writeln!(out, "     {name:width$}{:>12}{:>10}{cost:>10.4}\n", "", "")?;
    writeln!(
        out,
        "{:11}{:>16}{:>14}{:>10}{:>18}",
        "", "same top token", "divergence", "barrier", "after matching"
    )?;
    for pair in &found.pairs {
        writeln!(
            out,
            "{:>3} and {:<3}{:>16}{:>14.4}{:>10.4}{:>18.4}",
            pair.a + 1,
            pair.b + 1,
            format!("{:.1}%", 100.0 * pair.agreement),
            pair.divergence,
            pair.barrier_before,
            pair.barrier_after
        )?;
    }
    writeln!(
        out,
        "\nnats per token on {} validation tokens; barriers on the straight line between the \
         weights, as they are and after matching heads and neurons\n\nnext\n  downhill watch {run}",
        count(found.tokens)
    )?;
    Ok(())
}
