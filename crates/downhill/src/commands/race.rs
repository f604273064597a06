//! `downhill race`: several recipes in turns, on the same text and with the same seeds.

mod entries;
mod result;

use super::watch::Page;
use crate::arguments::Race;
use crate::failure::{Failure, Result};
use crate::output::{out, tell};
use crate::session::{saving_flag, threads};
use crate::terminal;
use ::train::Job;
use entries::Entries;
use run::Event;
use serve::Runs;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use study::race::{self, Arrival};
use watch::{RaceLog, amount, count, duration};

pub fn run(a: &Race) -> Result<()> {
    let stop = saving_flag(false)?;
    let mut entries = match &a.resume {
        Some(path) => entries::resumed(path, a, &stop)?,
        None => entries::new(a, &stop)?,
    };
    let folder = entries.folder.path.clone();
    if !a.json {
        head(&entries)?;
    }
    let shown = !(a.json || a.no_page || entries.lanes.is_empty());
    let page = shown.then(|| Page::beside(Runs::Folder(folder.clone()), None));
    let page = page.flatten();
    page.iter().for_each(Page::announce);
    let names: Vec<String> = entries.names();
    let arrivals = trained(&mut entries.lanes, &names, a.json, &stop)?;
    let interrupted = arrivals.iter().any(|a| matches!(a, Arrival::Interrupted));
    for (place, arrival) in entries.places.iter().zip(arrivals) {
        match arrival {
            Arrival::Finished(end) => entries.ends[*place] = Some(*end),
            Arrival::Interrupted => {}
            Arrival::Diverged(what) => {
                let run = entries.path(*place);
                tell(&format!("warning: {} diverged: {what}", run.display()));
            }
        }
    }
    if interrupted {
        let folder = folder.display();
        tell(&format!(
            "all runs are saved; to resume: downhill race --resume {folder}"
        ));
        return Err(Failure::Interrupted);
    }
    result::print(&entries, a.json)?;
    // The runs are unlocked while the page stays.
    entries.lanes.clear();
    page.map_or(Ok(()), |page| page.stay(&stop))
}

/// What is about to be trained.
fn head(entries: &Entries) -> Result<()> {
    let mut out = out();
    let folder = &entries.folder;
    writeln!(out, "race     {}", folder.path.display())?;
    if entries.lanes.is_empty() {
        writeln!(out, "         finished: nothing is left to train")?;
        return Ok(());
    }
    let (recipes, seeds) = (folder.recipes.len(), folder.seeds.len());
    let each = match entries.time {
        Some(time) => format!(
            "{} each, about {} in all",
            duration(time),
            duration(time * entries.lanes.len() as f64)
        ),
        None => {
            let steps = entries.lanes.iter().map(|l| l.settings.config.train.steps);
            format!("{} steps each", count(steps.max().unwrap_or(0) as u64))
        }
    };
    let memory = amount(entries.bytes, "B");
    writeln!(
        out,
        "         {recipes} recipes × {seeds} seeds · {each} · {memory} of memory"
    )?;
    let width = folder.recipes.iter().map(|r| r.name.chars().count()).max();
    let width = width.unwrap_or(0);
    for recipe in &folder.recipes {
        let (name, sets) = (&recipe.name, recipe.sets.join(" "));
        writeln!(
            out,
            "         {}",
            format!("{name:width$}  {sets}").trim_end()
        )?;
    }
    writeln!(out)?;
    Ok(())
}

/// Trains all runs, with a log on a thread of its own: a slow terminal can't slow a run. Each lane
/// is shown under its name; lanes of the same name are shown together.
pub fn trained(
    lanes: &mut [Job],
    names: &[String],
    quiet: bool,
    stop: &AtomicBool,
) -> Result<Vec<Arrival>> {
    let Some(first) = lanes.first() else {
        return Ok(Vec::new());
    };
    let threads = threads(first.settings.config.train.threads)?;
    let mut log = RaceLog::new(names, terminal::width());
    let (sender, texts) = channel::<String>();
    let print = move || {
        for text in texts {
            // A reader that went away doesn't stop the race.
            let mut out = std::io::stdout();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    };
    let thread = (!quiet).then(|| std::thread::Builder::new().spawn(print));
    let mut show = |lane: usize, event: &Event| {
        let text = log.event(lane, event);
        if !text.is_empty() {
            let _ = sender.send(text);
        }
    };
    let arrivals = race::run(lanes, threads, stop, &mut show);
    let _ = sender.send(log.finish());
    drop(sender);
    if let Some(Ok(thread)) = thread {
        let _ = thread.join();
    }
    Ok(arrivals?)
}
