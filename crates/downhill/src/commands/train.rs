//! `downhill train`: from a text to a model.

use super::watch::Page;
use crate::arguments::{Train, TrainFlags};
use crate::failure::{Failure, Result};
use crate::output::{self, out, tell};
use crate::progress::ProgressLine;
use crate::session::{self, assignments, choice, config, cpu, stop_flag, threads};
use crate::terminal;
use ::train::{Corpus, LanguageTask, Outcome, Settings, Trainer, TrainerSettings};
use data::JobControl;
use model::Config;
use run::{Disk, Event, Files, RunFolder, What, Which};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use watch::tui::{self, Closed, Events};
use watch::{Screen, TensorBoard, TerminalLog};

/// What is trained, and from where.
struct Job {
    settings: Settings,
    task: LanguageTask,
    folder: RunFolder,
    /// Whether it goes on from its last checkpoint.
    resumed: bool,
}

pub fn run(a: &Train) -> Result<()> {
    let began = Instant::now();
    let stop = stop_flag()?;
    if a.flags.tui {
        terminal::needed("--tui")?;
    }
    let mut job = match &a.flags.resume {
        None => new(a, &stop)?,
        Some(_) if !a.paths.is_empty() => {
            let message = "--resume goes on with the run's own text: leave the text out";
            return Err(Failure::Usage(message.into()));
        }
        Some(path) => match resume(path.clone(), &a.flags, &stop)? {
            Some(job) => job,
            None => return Ok(()),
        },
    };
    let threads = threads(job.settings.config.train.threads)?;
    let mut device = cpu(threads);
    let from = match job.resumed {
        true => Some(job.folder.checkpoints().open(Which::Last)?),
        false => None,
    };
    let settings = TrainerSettings {
        config: job.settings.config,
        threads,
        began,
        stop: &stop,
    };
    let mut board = match a.flags.tensorboard {
        true => Some(TensorBoard::open(&job.folder)?),
        false => None,
    };
    let save = Arc::new(AtomicBool::new(false));
    let page = page(&a.flags, &job.folder, &save, &stop);
    let mut screen = match a.flags.tui {
        true => Output::tui(&job.folder, stop.clone()),
        false => Output::new(a.flags.json, a.flags.quiet),
    };
    let outcome = {
        let mut show = |event: &Event| {
            screen.event(event);
            if let Some(Err(error)) = board.as_mut().map(|b| b.event(event)) {
                // The run has its own log.
                tell(&format!("warning: TensorBoard's file is left: {error}"));
                board = None;
            }
        };
        Trainer::new(
            settings,
            &mut job.task,
            &mut device,
            &job.folder,
            from.as_ref(),
            &mut show,
        )
        .and_then(|mut trainer| {
            trainer.save_when(save);
            trainer.run()
        })
    };
    screen.finish();
    match outcome? {
        Outcome::Finished => page.map_or(Ok(()), |page| page.stay(&stop)),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

/// The page, where it is wanted and can be had.
fn page(
    f: &TrainFlags,
    folder: &RunFolder,
    save: &Arc<AtomicBool>,
    stop: &Arc<AtomicBool>,
) -> Option<Page> {
    if f.no_page || f.json || f.quiet {
        return None;
    }
    let control = f.allow_control.then(|| (save.clone(), stop.clone()));
    let page = Page::beside(folder, control);
    if !f.tui {
        page.iter().for_each(Page::tell);
    }
    page
}

fn new(a: &Train, stop: &AtomicBool) -> Result<Job> {
    let f = &a.flags;
    let text = |n: Option<u64>| n.map(|n| n.to_string());
    let mut flags = assignments(&[
        ("train.steps", text(f.steps)),
        ("train.seed", text(f.seed)),
        ("train.threads", text(f.threads)),
    ]);
    flags.extend(assignments(&f.texts.assignments()));
    let mut config = config(&f.configured, &flags)?;
    config.train.precision = config.train.precision.settled();
    // Where no text is named, that of the run whose run.toml is the config.
    let source = session::config_source(&f.configured).filter(|_| a.paths.is_empty());
    let (paths, val) = match &source {
        Some(source) => (&source.paths, f.val.as_ref().or(source.validation.as_ref())),
        None => (&a.paths, f.val.as_ref()),
    };
    if paths.is_empty() && f.val.is_some() {
        return Err(Failure::Usage("--val needs a text to train on".into()));
    }
    let corpus = watched(&config, f, stop, |control| {
        Corpus::read(paths, val.map(PathBuf::as_path), &config, control)
    })?;
    config.data.tokenizer = corpus.chosen.clone();
    if let (Some(sample), false) = (corpus.sampled, f.json || f.quiet) {
        let sample = ::watch::amount(sample, "B");
        writeln!(
            out(),
            "the tokenizer is learned from a sample of the text, {sample}"
        )?;
    }
    let choice = choice(&f.run, f.overwrite, &corpus.source.corpus);
    let settings = Settings {
        config,
        source: corpus.source.clone(),
    };
    // Last, so that no mistake leaves a folder behind.
    let task = LanguageTask::new(&settings.config, corpus)?;
    let files: Arc<dyn Files> = Arc::new(Disk);
    let folder = RunFolder::create(files, &choice)?;
    folder.write_config(&settings.to_toml()?)?;
    Ok(Job {
        settings,
        task,
        folder,
        resumed: false,
    })
}

/// The run to go on with; none where it is finished, which is said.
fn resume(path: PathBuf, f: &TrainFlags, stop: &AtomicBool) -> Result<Option<Job>> {
    let folder = RunFolder::open(Arc::new(Disk), &path)?;
    let last = folder.checkpoints().open(Which::Last)?;
    let text = |n: Option<u64>| n.map(|n| n.to_string());
    let flags = assignments(&[
        ("train.steps", text(f.steps)),
        ("train.threads", text(f.threads)),
    ]);
    let settings = Settings::read(&folder, &flags)?;
    ::train::check_unchanged(&folder, &settings, &last)?;
    let steps = settings.config.train.steps as u64;
    if last.step >= steps {
        let (step, run) = (last.step, path.display());
        let told = format!(
            "{run} is finished: {step} of {steps} steps. To train it further: \
             downhill train --resume {run} --steps {}",
            step + steps.max(1)
        );
        // Standard output is for events alone where a script reads them.
        if f.json {
            tell(&told);
        } else {
            writeln!(out(), "{told}")?;
        }
        return Ok(None);
    }
    let source = &settings.source;
    let config = &settings.config;
    let known = ::session::tokenizer(&last)?;
    let corpus = watched(config, f, stop, |control| {
        Corpus::of_run(&folder, source, config, known, control)
    })?;
    let task = LanguageTask::new(&settings.config, corpus)?;
    folder.write_config(&settings.to_toml()?)?;
    Ok(Some(Job {
        settings,
        task,
        folder,
        resumed: true,
    }))
}

/// Reads a text; a line says how far it is where that takes time.
fn watched(
    config: &Config,
    f: &TrainFlags,
    stop: &AtomicBool,
    read: impl FnOnce(&JobControl) -> ::train::Result<Corpus>,
) -> Result<Corpus> {
    let line = ProgressLine::new(f.json || f.quiet);
    let show = |progress| line.show(progress);
    let control = JobControl::new(threads(config.train.threads)?, stop, &show);
    Ok(read(&control)?)
}

/// Where events are shown: as lines of JSON, or as the log that people know.
pub enum Output {
    /// One object a line.
    Json,
    /// For people, on a thread of its own.
    People(Screen),
    /// A screen in the terminal, on a thread of its own; the end is told by the log after it.
    Tui {
        sender: Sender<Event>,
        thread: Option<JoinHandle<()>>,
        /// First and last event, for the log.
        ends: Vec<Event>,
    },
}

impl Output {
    /// An output by flags.
    pub fn new(json: bool, quiet: bool) -> Output {
        if json {
            return Output::Json;
        }
        let log = TerminalLog::new(
            std::io::stdout(),
            terminal::width(),
            terminal::color(),
            quiet,
        );
        Output::People(Screen::new(log))
    }

    /// The terminal screen. Leaving it stops the training as Ctrl-C does.
    fn tui(folder: &RunFolder, stop: Arc<AtomicBool>) -> Output {
        let (sender, receiver) = channel();
        let name = folder.path().display().to_string();
        let show = move || match tui::show(&name, Events::Beside(receiver)) {
            Ok(Closed::User) => stop.store(true, Ordering::Relaxed),
            Ok(Closed::Over) => {}
            Err(error) => tell(&format!("warning: the screen can't be shown: {error}")),
        };
        // Without it, only the end is told.
        let thread = std::thread::Builder::new().spawn(show).ok();
        Output::Tui {
            sender,
            thread,
            ends: Vec::new(),
        }
    }

    /// Shows an event. A reader that went away doesn't stop the training.
    pub fn event(&mut self, event: &Event) {
        match self {
            Output::Json => {
                if let Ok(line) = output::json(event) {
                    let mut out = out();
                    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
                }
            }
            Output::People(screen) => screen.event(event),
            Output::Tui { sender, ends, .. } => {
                if matches!(event.what, What::Start(_) | What::End(_)) {
                    ends.push(event.clone());
                }
                // Once the user left, nobody listens; the end is still told.
                let _ = sender.send(event.clone());
            }
        }
    }

    /// Waits until all is shown.
    pub fn finish(self) {
        match self {
            Output::Json => {}
            Output::People(screen) => screen.finish(),
            Output::Tui {
                sender,
                thread,
                ends,
            } => {
                drop(sender);
                // A panic of the screen has been printed by its thread.
                let _ = thread.map(JoinHandle::join);
                let (width, color) = (terminal::width(), terminal::color());
                let mut log = TerminalLog::new(std::io::stdout(), width, color, true);
                let _ = ends.iter().try_for_each(|event| log.event(event));
            }
        }
    }
}
