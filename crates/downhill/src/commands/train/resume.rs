//! `downhill train --resume`.

use crate::arguments::TrainFlags;
use crate::failure::Result;
use crate::output::{out, tell};
use crate::progress::with_progress;
use crate::session::{assignments, checkpoint_at, of_text};
use ::train::{Corpus, Job, Resumed};
use model::Config;
use run::{Disk, RunFolder};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The run to resume; `None` if it is finished, after printing so.
pub fn job(path: &Path, f: &TrainFlags, stop: &AtomicBool) -> Result<Option<Job>> {
    // Locked first: a start that is refused changes nothing.
    let at = checkpoint_at(path);
    let (path, step) = match &at {
        Some((run, step)) => (run.as_path(), Some(*step)),
        None => (path, None),
    };
    let folder = RunFolder::open_to_write(Arc::new(Disk), path)?;
    let text = |n: Option<u64>| n.map(|n| n.to_string());
    let mut sets = f.configured.sets.clone();
    sets.extend(assignments(&[
        ("train.steps", text(f.steps)),
        ("train.threads", text(f.threads)),
        ("train.patience", f.patience()),
    ]));
    let extension = f.schedule.map(Into::into);
    let resumed = Resumed::new(&folder, f.checkpoint.or(step), &sets, extension)?;
    if resumed.is_finished(&folder)? {
        finished(&resumed, path, f.json)?;
        return Ok(None);
    }
    let settings = &resumed.settings;
    let (source, config) = (&settings.source, &settings.config);
    let known = resumed.from.as_ref().map(::session::tokenizer);
    let known = known.transpose()?;
    let corpus = with_progress(config, f, stop, |control| {
        Corpus::of_run(&folder, source, config, known, control).map_err(|error| {
            let file = folder.path().join("run.toml");
            let advice = format!("change its path in [source] of {}", file.display());
            of_text(error, &advice)
        })
    })?;
    folder.write_config_given(&settings.to_toml()?, &Config::given(None, None, &sets))?;
    Ok(Some(Job::resumed(resumed, folder, corpus)?))
}

/// Prints that nothing is left to do.
fn finished(resumed: &Resumed, path: &Path, json: bool) -> Result<()> {
    let steps = resumed.settings.config.train.steps as u64;
    let step = resumed.from.as_ref().map_or(0, |from| from.step);
    let run = path.display();
    let further = match step < steps {
        // It ended at its best.
        true => "--set train.patience=0".to_owned(),
        false => format!("--steps {}", step + steps.max(1)),
    };
    let message = format!(
        "{run} is finished: {step} of {steps} steps. To train it further: \
         downhill train --resume {run} {further}",
    );
    // With --json, standard output has only events.
    if json {
        tell(&message);
    } else {
        writeln!(out(), "{message}")?;
    }
    Ok(())
}
