//! `downhill play`: the playground, in the browser.

use crate::arguments::Play;
use crate::commands::teacher::teacher;
use crate::commands::watch::serve;
use crate::failure::Result;
use crate::session::{checkpoint_at, open, stop_flag, threads};
use ::session::ModelFiles;
use model::hugging_face::CONFIG;
use run::{Disk, Kind, RunFolder, Which};
use serve::{Options, Power, Runs};
use std::sync::Arc;

pub fn run(a: &Play) -> Result<()> {
    let (folder, step) = match &a.run {
        Some(path) => match checkpoint_at(path) {
            Some((run, step)) => (run, Some(step)),
            None => (path.clone(), None),
        },
        None => (open(None)?.path().to_path_buf(), None),
    };
    // What can't be played with is an error here, before the page is open.
    if folder.join(CONFIG).is_file() {
        ModelFiles::find(&folder, Which::Best)?;
    } else {
        let run = RunFolder::open(Arc::new(Disk), &folder)?;
        run.config()?.expect(&Kind::Language)?;
        let which = step.map_or(Which::Best, Which::Step);
        run.checkpoints().open(which)?;
    }
    let power = Power::with_threads(threads(a.threads.map(|n| n as usize))?);
    let options = Options {
        runs: Runs::These(vec![folder]),
        port: a.port,
        control: None,
        power,
        teacher: teacher(power),
    };
    let page = step.map_or("play".into(), |step| format!("play#0-{step}"));
    serve(options, &page, stop_flag()?.as_ref())
}
