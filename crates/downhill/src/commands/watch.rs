//! `downhill watch` and `downhill compare`: the page for any run, live or finished.

use crate::arguments::{Compare, Watch};
use crate::commands::teacher::teacher;
use crate::failure::{Failure, Result};
use crate::output::{out, tell};
use crate::session::{RUNS, open_at, stop_flag};
use crate::terminal;
use run::{Disk, Follow, Kind, RunFolder};
use serve::{Control, Options, Power, Runs, Server};
use std::io::{Write, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use study::landscape::Landscape;
use watch::tui::{self, Events};

/// How often it is checked whether Ctrl-C was pressed.
const PAUSE: Duration = Duration::from_millis(100);

pub fn run(a: &Watch) -> Result<()> {
    if a.tui {
        return screen(a);
    }
    let all = |folder: &Path| {
        let runs = RunFolder::list(Arc::new(Disk), folder).unwrap_or_default();
        // While the page is open already: without a thread, they have no mountains.
        let draw = move || runs.iter().for_each(draw_mountain);
        let _ = std::thread::Builder::new().spawn(draw);
        RunFolder::newest(Arc::new(Disk), folder).map(|_| Runs::Folder(folder.to_path_buf()))
    };
    let runs = match &a.run {
        Some(path) => match open_at(path) {
            Ok(run) => {
                draw_mountain(&run);
                Runs::These(vec![run.path().to_path_buf()])
            }
            // A folder of runs shows all of them.
            Err(error) => all(path).map_err(|_| error)?,
        },
        None => all(Path::new(RUNS))?,
    };
    show(runs, a.port, stop_flag()?.as_ref())
}

/// Computes the cost surface of a fit that has none yet. A fit with several columns has none, and
/// in a folder that can't be written to it isn't shown.
fn draw_mountain(run: &RunFolder) {
    let fit = run.config().is_ok_and(|config| config.kind == Kind::Fit);
    if fit && !Landscape::is_saved(run) {
        let _ = Landscape::save(run);
    }
}

/// The terminal screen of a run, by default the newest.
fn screen(a: &Watch) -> Result<()> {
    terminal::needed("--tui")?;
    let folder = match &a.run {
        Some(path) => open_at(path)?,
        None => RunFolder::newest(Arc::new(Disk), Path::new(RUNS))?,
    };
    let name = folder.path().display().to_string();
    let events = Events::Follow(Follow::new(folder.events_path()), folder);
    tui::show(&name, events)?;
    Ok(())
}

pub fn compare(a: &Compare) -> Result<()> {
    let mut runs: Vec<PathBuf> = Vec::new();
    for path in &a.runs {
        let run = open_at(path)?.path().to_path_buf();
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    show(Runs::Compared(runs), a.port, stop_flag()?.as_ref())
}

/// Shows the page until Ctrl-C.
pub fn show(runs: Runs, port: Option<u16>, stop: &AtomicBool) -> Result<()> {
    let options = Options {
        runs,
        port,
        control: None,
        power: Power::LEAST,
        teacher: teacher(Power::LEAST),
    };
    serve(options, "", stop)
}

/// Serves a page of the server until Ctrl-C.
pub fn serve(options: Options, page: &str, stop: &AtomicBool) -> Result<()> {
    let server = Server::start(options).map_err(|e| Failure::Failed(e.to_string()))?;
    let address = server.address();
    writeln!(out(), "page     {address}{page} · Ctrl-C to stop")?;
    out().flush()?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// The page shown during training.
pub struct Page {
    server: Server,
    token: Option<String>,
}

impl Page {
    /// Starts the page. If that fails, prints a warning; training goes on without it.
    pub fn beside(runs: Runs, control: Option<(Arc<AtomicBool>, Arc<AtomicBool>)>) -> Option<Page> {
        let control = control.map(|(save, stop)| Control::new(save, stop));
        let start = || -> std::result::Result<Page, String> {
            let control = control.transpose().map_err(|e| e.to_string())?;
            let token = control.as_ref().map(|c| c.token().to_owned());
            let options = Options {
                runs,
                port: None,
                control,
                power: Power::LEAST,
                teacher: teacher(Power::LEAST),
            };
            let server = Server::start(options).map_err(|e| e.to_string())?;
            Ok(Page { server, token })
        };
        match start() {
            Ok(page) => Some(page),
            Err(why) => {
                tell(&format!("warning: {why}"));
                None
            }
        }
    }

    /// Keeps the page open until Enter or Ctrl-C, if somebody is at the terminal.
    pub fn stay(&self, stop: &AtomicBool) -> Result<()> {
        if !terminal::is_attended() {
            return Ok(());
        }
        let address = self.server.address();
        writeln!(out(), "\npage     {address} · press Enter to close it")?;
        let (sender, enter) = channel();
        // The thread ends with the program if nobody presses Enter.
        let wait = move || {
            let _ = stdin().read_line(&mut String::new());
            let _ = sender.send(());
        };
        if std::thread::Builder::new().spawn(wait).is_err() {
            return Ok(());
        }
        while !stop.load(Ordering::Relaxed)
            && enter.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout)
        {}
        Ok(())
    }

    /// Prints its address.
    pub fn announce(&self) {
        // A reader that went away doesn't stop the training.
        let mut out = out();
        let _ = writeln!(out, "page     {}", self.server.address());
        if let Some(token) = &self.token {
            let _ = writeln!(out, "control  {token}");
        }
        let _ = out.flush();
    }
}
