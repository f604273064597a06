//! `downhill train`: from a text to a model.

mod members;
mod resume;

use super::data::{end_marks, fewer_tokens};
use super::plan;
use super::watch::Page;
use crate::arguments::{Train, TrainFlags};
use crate::failure::{Failure, Result};
use crate::output::{self, out, tell};
use crate::progress::with_progress;
use crate::session::{self, choice, cpu, saving_flag, threads};
use crate::terminal;
use ::train::{Corpus, Deadline, Job, LanguageTask, Outcome, Settings, Trainer, TrainerSettings};
use model::Config;
use run::{Event, RunFolder, What};
use serve::Runs;
use std::io::{Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use watch::tui::{self, Closed, Events};
use watch::{Screen, TensorBoard, TerminalLog};

pub fn run(a: &Train) -> Result<()> {
    let began = Instant::now();
    let stop = saving_flag(a.flags.tui)?;
    if a.flags.tui {
        terminal::needed("--tui")?;
    }
    let Some(job) = start(a, &stop, began)? else {
        return Ok(());
    };
    let at = At {
        flags: &a.flags,
        stop: &stop,
        began,
        threads: threads(job.settings.config.train.threads)?,
    };
    let Some(mut job) = members::train(job, &at)? else {
        return Err(Failure::Interrupted);
    };
    let save = Arc::new(AtomicBool::new(false));
    let page = page(&a.flags, &job.folder, &save, &stop);
    let outcome = train(&mut job, &at, &save, None);
    // The run is unlocked while the page stays.
    drop(job);
    match outcome? {
        Outcome::Finished => page.map_or(Ok(()), |page| page.stay(&stop)),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

/// What all models of a command share.
#[derive(Clone, Copy)]
struct At<'a> {
    flags: &'a TrainFlags,
    stop: &'a Arc<AtomicBool>,
    began: Instant,
    threads: usize,
}

/// A model that will teach the run's own: which one, and of how many.
#[derive(Clone, Copy)]
pub struct Member {
    number: usize,
    of: usize,
}

/// Trains a job. The log doesn't show the end of a member: its commands are not what to do next.
fn train(
    job: &mut Job,
    at: &At,
    save: &Arc<AtomicBool>,
    member: Option<Member>,
) -> Result<Outcome> {
    let flags = at.flags;
    let mut device = cpu(at.threads);
    let settings = TrainerSettings {
        config: job.settings.config.clone(),
        threads: at.threads,
        began: at.began,
        deadline: job.deadline,
        stop: at.stop,
    };
    let board = flags.tensorboard.then(|| TensorBoard::open(&job.folder));
    let mut board = board.transpose()?;
    let mut screen = match (flags.tui, member) {
        (true, _) => Output::tui(&job.folder, at.stop.clone()),
        (false, Some(member)) if flags.json => Output::MemberJson(member),
        (false, _) => Output::new(flags.json, flags.quiet),
    };
    let outcome = {
        let mut show = |event: &Event| {
            if member.is_none() || flags.json || !matches!(event.what, What::End(_)) {
                screen.event(event);
            }
            if let Some(Err(error)) = board.as_mut().map(|b| b.event(event)) {
                // Training goes on: the run has its own log.
                tell(&format!(
                    "warning: TensorBoard files are no longer written: {error}"
                ));
                board = None;
            }
        };
        Trainer::new(
            settings,
            &mut job.task,
            &mut device,
            &job.folder,
            job.from.as_ref(),
            &mut show,
        )
        .and_then(|mut trainer| {
            trainer.save_when(save.clone());
            for note in std::mem::take(&mut job.notes) {
                trainer.warn(note)?;
            }
            let outcome = trainer.run()?;
            job.settings.config = trainer.config().clone();
            Ok(outcome)
        })
    };
    if job.deadline.is_some() && outcome.is_ok() {
        // With the steps that the clock allowed, so that the run can be repeated.
        job.folder.write_config(&job.settings.to_toml()?)?;
    }
    drop(board);
    screen.finish();
    Ok(outcome?)
}

/// What is to be trained; `None` if it is finished.
fn start(a: &Train, stop: &AtomicBool, began: Instant) -> Result<Option<Job>> {
    match &a.flags.resume {
        None => Ok(Some(new(a, stop, began)?)),
        Some(_) if !a.paths.is_empty() => {
            let message = "--resume uses the run's own text: omit the text";
            Err(Failure::Usage(message.into()))
        }
        Some(path) => resume::job(path, &a.flags, stop),
    }
}

/// The page, unless flags exclude it or it can't start.
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
    let page = Page::beside(Runs::These(vec![folder.path().to_path_buf()]), control);
    if !f.tui {
        page.iter().for_each(Page::announce);
    }
    page
}

fn new(a: &Train, stop: &AtomicBool, began: Instant) -> Result<Job> {
    if let Some(time) = plan::time(a) {
        return timed(a, stop, began, time);
    }
    let mut config = plan::load(&a.flags, &[])?;
    let corpus = read(a, &config, stop)?;
    config.data.tokenizer = corpus.chosen.clone();
    job(&a.flags, config, corpus, None)
}

/// Reads the text, and prints what there is to say about it.
pub fn read(a: &Train, config: &Config, stop: &AtomicBool) -> Result<Corpus> {
    let f = &a.flags;
    let text = session::text(a)?;
    let corpus = with_progress(config, f, stop, |control| {
        text.read(config, control, &::train::choose)
    })?;
    if f.json || f.quiet {
        return Ok(corpus);
    }
    if let Some(sample) = corpus.sampled {
        let sample = ::watch::amount(sample, "B");
        writeln!(
            out(),
            "the tokenizer is learned from a sample of the text ({sample})"
        )?;
    }
    describe(&corpus)?;
    Ok(corpus)
}

/// A run that ends on time, as planned.
fn timed(a: &Train, stop: &AtomicBool, began: Instant, time: Duration) -> Result<Job> {
    let planned = plan::plan(a, stop, began, time)?;
    if !(a.flags.json || a.flags.quiet) {
        planned.print(a.flags.explain)?;
    }
    let deadline = Deadline {
        seconds: time.as_secs_f64(),
        step_seconds: planned.plan.chosen.step_seconds,
        forecast: Some(planned.plan.forecast),
    };
    job(
        &a.flags,
        planned.plan.config,
        planned.corpus,
        Some(deadline),
    )
}

/// A new run and its folder.
fn job(f: &TrainFlags, config: Config, corpus: Corpus, deadline: Option<Deadline>) -> Result<Job> {
    let choice = choice(&f.run, f.overwrite, &corpus.source.corpus);
    let settings = Settings {
        config,
        source: corpus.source.clone(),
    };
    // The folder is created last, so that no mistake leaves one behind.
    let task = LanguageTask::new(&settings.config, corpus)?;
    let given = session::given(&f.configured, &plan::flags(f))?;
    let folder = session::begun(&choice, &settings, &given)?;
    Ok(Job::new(settings, task, folder, deadline))
}

/// Says what of a text was left out, and how it was read.
fn describe(corpus: &Corpus) -> Result<()> {
    let mut out = out();
    if let Some(told) = fewer_tokens(&corpus.chosen, &corpus.tokenizer) {
        writeln!(out, "{told}")?;
    }
    let Some(report) = &corpus.report else {
        return Ok(());
    };
    if let Some(summary) = report.summary() {
        writeln!(out, "{}", ::watch::lines(&summary))?;
    }
    for (rule, files) in &report.read_as {
        writeln!(out, "read as {rule}: {files} files")?;
    }
    if report.replaced > 0 {
        let lost = report.replaced;
        writeln!(out, "{lost} characters were replaced by U+FFFD")?;
    }
    if report.end_marks > 0 {
        writeln!(out, "{}", end_marks(report))?;
    }
    Ok(())
}

/// Where events are shown.
pub enum Output {
    /// Lines of JSON, one object per line.
    Json,
    /// The same for a member. Its events are wrapped, so that scripts don't take them for those of
    /// the run's own model.
    MemberJson(Member),
    /// The log, on a thread of its own.
    Log(Screen),
    /// The terminal screen, on a thread of its own; when it closes, the log prints the end.
    Tui {
        sender: Sender<Event>,
        thread: Option<JoinHandle<()>>,
        /// First and last event, for the log.
        ends: Vec<Event>,
    },
}

impl Output {
    /// The output that the flags ask for.
    pub fn new(json: bool, quiet: bool) -> Output {
        if json {
            return Output::Json;
        }
        let log = TerminalLog::new(stdout(), terminal::width(), terminal::color(), quiet);
        Output::Log(Screen::new(log))
    }

    /// The terminal screen. Closing it stops the training as Ctrl-C does.
    fn tui(folder: &RunFolder, stop: Arc<AtomicBool>) -> Output {
        let (sender, receiver) = channel();
        let name = folder.path().display().to_string();
        let show = move || match tui::show(&name, Events::Beside(receiver)) {
            Ok(Closed::User) => stop.store(true, Ordering::Relaxed),
            Ok(Closed::Over) => {}
            Err(error) => {
                tell(&format!(
                    "warning: the terminal screen can't be shown: {error}"
                ));
            }
        };
        // Without the thread, only the end is printed.
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
            Output::Json => print_json(event),
            Output::MemberJson(member) => print_json(&serde_json::json!({
                "event": "member",
                "member": member.number,
                "members": member.of,
                "wrapped": event,
            })),
            Output::Log(screen) => screen.event(event),
            Output::Tui { sender, ends, .. } => {
                if matches!(event.what, What::Start(_) | What::End(_)) {
                    ends.push(event.clone());
                }
                // Nobody receives it once the user has closed the screen.
                let _ = sender.send(event.clone());
            }
        }
    }

    /// Waits until everything is shown.
    pub fn finish(self) {
        match self {
            Output::Json | Output::MemberJson(_) => {}
            Output::Log(screen) => screen.finish(),
            Output::Tui {
                sender,
                thread,
                ends,
            } => {
                drop(sender);
                // A panic of the screen has been printed by its thread.
                let _ = thread.map(JoinHandle::join);
                let (width, color) = (terminal::width(), terminal::color());
                let mut log = TerminalLog::new(stdout(), width, color, true);
                let _ = ends.iter().try_for_each(|event| log.event(event));
            }
        }
    }
}

/// Prints one line of JSON.
fn print_json(value: &impl serde::Serialize) {
    if let Ok(line) = output::json(value) {
        let mut out = out();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
