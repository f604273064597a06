//! The landscape of a language model: computed, stored in the run, shown.

use crate::arguments::Landscape as Arguments;
use crate::commands::watch::show;
use crate::failure::{Failure, Result};
use crate::output::{self, out, tell};
use crate::progress::ProgressLine;
use crate::session::{enough_memory, of_text, open_at, threads};
use crate::terminal;
use data::JobControl;
use run::{CostLandscape, Disk, Files, Kind, LandscapeFile, RunFolder, write_output};
use serve::Runs;
use std::io::{Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use study::plane::{Error, LEVELS, StudiedRun, SurveySettings, Surveying, survey};

/// What is drawn if nothing else is asked for.
pub const TOKENS: usize = 4096;
const GRID: usize = 17;
const WALKERS: usize = 3;
const STEPS: u64 = 30;

pub fn run(a: &Arguments, folder: &RunFolder, stop: &AtomicBool) -> Result<()> {
    let flags = &a.plane;
    let finest = LEVELS[LEVELS.len() - 1];
    let settings = SurveySettings {
        axes: flags.axes().map_err(|e| Failure::Usage(e.into()))?,
        tokens: flags.tokens.unwrap_or(TOKENS),
        grid: flags
            .grid
            .unwrap_or(if flags.time.is_some() { finest } else { GRID }),
        time: flags.time,
        walkers: flags.walkers.unwrap_or(WALKERS),
        rules: flags.rules(),
        steps: flags.steps.unwrap_or(STEPS),
        rate: flags.rate.unwrap_or(1.0),
        seed: flags.seed.unwrap_or(1),
        threads: threads(flags.threads.map(|n| n as usize))?,
    };
    let other = flags.to.as_deref().map(open_at).transpose()?;
    if let Some(other) = &other {
        other.config()?.expect(&Kind::Language)?;
    }
    let identity = settings.identity(folder, other.as_ref())?;
    // A damaged file is made again.
    let known = LandscapeFile::of_run(folder).ok().flatten();
    let known = known.filter(|file| file.of == identity);
    let file = match known.as_ref().and_then(|file| settings.answer(file)) {
        Some(file) => file,
        None => draw(folder, other.as_ref(), &settings, identity, known, stop)?,
    };
    let land = &file.landscape;
    if flags.json {
        writeln!(out(), "{}", output::json(land)?)?;
    } else if let Some(to) = &a.svg {
        let chosen = |error: run::Error| error.chosen_with("--svg");
        Disk.create_folder(to).map_err(chosen)?;
        let path = to.join("landscape.svg");
        write_output(&path, &watch::landscape(land), a.overwrite).map_err(chosen)?;
        writeln!(out(), "{}", path.display())?;
    } else {
        print(land, folder)?;
    }
    page(a, folder, stop)
}

/// Shows the page, if a port was given.
pub fn page(a: &Arguments, folder: &RunFolder, stop: &AtomicBool) -> Result<()> {
    match a.port {
        Some(_) => show(Runs::These(vec![folder.path().to_path_buf()]), a.port, stop),
        None => Ok(()),
    }
}

/// Opens a run with its text, which is still as it was.
pub fn opened(folder: RunFolder, control: &JobControl) -> Result<StudiedRun> {
    StudiedRun::open(folder, control).map_err(|error| match error {
        Error::Train(train::Error::Changed { run, what, .. }) => Failure::Failed(format!(
            "{}: {what}. The landscape is that of its own validation text: restore it",
            run.display()
        )),
        Error::Train(error) => of_text(error, "put it back: the cost is measured on it"),
        other => other.into(),
    })
}

/// Computes what is missing, and stores it.
fn draw(
    folder: &RunFolder,
    other: Option<&RunFolder>,
    settings: &SurveySettings,
    identity: String,
    known: Option<LandscapeFile>,
    stop: &AtomicBool,
) -> Result<LandscapeFile> {
    let control = JobControl::new(settings.threads, stop, &|_| {});
    let folder = open_at(folder.path())?;
    let run = opened(folder, &control)?;
    let end = other.map(|other| run.other_end(other)).transpose()?;
    enough_memory(
        run.bytes()?,
        "the landscape",
        "keep fewer checkpoints, or use --axes random",
    )?;
    let line = ProgressLine::new(false);
    let mut show = |at: study::plane::Surveyed| {
        let what = match at.what {
            Surveying::Path => "checkpoints".to_owned(),
            Surveying::Grid(side) => format!("grid {side} × {side}"),
            Surveying::Walkers => "walkers".to_owned(),
        };
        line.count(&what, at.done, at.total);
        !stop.load(Ordering::Relaxed)
    };
    let drawn = survey(&run, end.as_ref(), settings, identity, known, &mut show);
    drop(line);
    let drawn = drawn?;
    if drawn.stopped {
        tell("stopped; what was computed is kept: run the same command to continue");
        return Err(Failure::Interrupted);
    }
    Ok(drawn.file)
}

fn print(land: &CostLandscape, folder: &RunFolder) -> Result<()> {
    // The map is ours, and has no text from outside.
    stdout().write_all(watch::map(land, terminal::color()).as_bytes())?;
    let mut out = out();
    let all = land.cost.iter().flatten().flatten().copied();
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), c| {
        (l.min(c), h.max(c))
    });
    writeln!(out, "lowest {low:.3}, highest {high:.3} nats per token")?;
    for text in watch::caption(land) {
        writeln!(out, "{text}.")?;
    }
    writeln!(
        out,
        "To rotate it in the browser: downhill watch {}",
        folder.path().display()
    )?;
    Ok(())
}
