//! `downhill verify RUN`: which checkpoints of a run are sound.

use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::open_at;
use run::Checkpoint;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use train::check_checkpoint;

pub fn run(path: &Path, as_json: bool) -> Result<()> {
    let folder = open_at(path)?;
    let checked = |(step, loaded): (u64, run::Result<Checkpoint>)| {
        let checked = loaded.and_then(|mut checkpoint| {
            check_checkpoint(&mut checkpoint)?;
            Ok((checkpoint.names().count(), checkpoint.bytes()))
        });
        (step, checked)
    };
    let all: Vec<_> = folder
        .checkpoints()
        .all()?
        .into_iter()
        .map(checked)
        .collect();
    let mut out = out();
    if as_json {
        let each = all.iter().map(|(step, checked)| match checked {
            Ok((files, bytes)) => {
                json!({"step": step, "sound": true, "files": files, "bytes": bytes})
            }
            Err(error) => json!({"step": step, "sound": false, "error": error.what()}),
        });
        let each: Vec<_> = each.collect();
        writeln!(
            out,
            "{}",
            output::json(&json!({"run": path, "checkpoints": each}))?
        )?;
    } else {
        for (step, checked) in &all {
            match checked {
                Ok((files, bytes)) => {
                    let size = watch::amount(*bytes, "B");
                    writeln!(out, "step {step:<9} sound    {files} files, {size}")?;
                }
                Err(error) => writeln!(out, "step {step:<9} damaged  {}", error.what())?,
            }
        }
        if all.is_empty() {
            writeln!(out, "{} has no checkpoints", path.display())?;
        }
    }
    match all.iter().all(|(_, checked)| checked.is_ok()) {
        true => Ok(()),
        false => Err(Failure::Reported),
    }
}
