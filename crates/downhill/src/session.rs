//! What commands share: the config from flags, the device, the chosen run, Ctrl-C.

use crate::arguments::{Configured, Saved, Train};
use crate::failure::{Failure, Result};
use crate::output::{self, tell};
use ::session::{Opened, Use};
use data::{JobControl, Scan};
use engine::{Cpu, CpuSettings, cores};
use model::Config;
use run::{Choice, Disk, Kind, RunConfig, RunFolder};
use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use text::{BuiltIn, TokenizerKind};
use train::{Corpus, Settings, TextSource};

/// Maximum number of threads per core.
const MOST_THREADS: usize = 4;
/// Folder of all runs.
pub const RUNS: &str = "runs";
/// The folder of a run with its members, each named by its number from 1.
pub const MEMBERS: &str = "members";
/// The folder of a run with the others of its crowd, each named by its seed.
pub const CROWD: &str = "crowd";

/// The merged config; assignments in `flags` override all others.
pub fn config(c: &Configured, flags: &[String]) -> Result<Config> {
    Ok(merged(c, flags)?.0)
}

/// The keys of the config that the user set.
pub fn given(c: &Configured, flags: &[String]) -> Result<Vec<String>> {
    Ok(merged(c, flags)?.1)
}

fn merged(c: &Configured, flags: &[String]) -> Result<(Config, Vec<String>)> {
    let text =
        match &c.config {
            Some(path) => {
                let read = std::fs::read_to_string(path);
                Some(read.map_err(|e| {
                    Failure::Failed(format!("{}: can't be read: {e}", path.display()))
                })?)
            }
            None => None,
        };
    // The run.toml of a run holds a config and more.
    let run = c.config.as_deref().zip(text.as_deref());
    let run = run.and_then(|(path, text)| RunConfig::parse(path, text).ok());
    let known = run.as_ref().and_then(|run| run.given.clone());
    let text = run.map(|run| run.config).or(text);
    let file = c.config.as_deref().zip(text.as_deref());
    let sets: Vec<String> = c.sets.iter().chain(flags).cloned().collect();
    let preset = c.preset.as_deref();
    // Of a run's config all values are there, but not all were set by the user.
    let of_file = if known.is_some() { None } else { file };
    let mut given = Config::given(preset, of_file, &sets);
    given.extend(known.unwrap_or_default());
    Ok((Config::load(preset, file, &sets)?, given))
}

/// The text to train on.
pub struct Chosen {
    /// Its files and folders; none for a built-in corpus.
    pub paths: Vec<PathBuf>,
    /// A separate validation text.
    pub validation: Option<PathBuf>,
    /// The built-in corpus, where there are no paths.
    pub corpus: BuiltIn,
}

impl Chosen {
    /// Reads it, or generates it.
    pub fn read(
        &self,
        config: &Config,
        control: &JobControl,
        choose: &dyn Fn(&Scan) -> TokenizerKind,
    ) -> train::Result<Corpus> {
        match self.paths[..] {
            [] => Corpus::built_in(self.corpus, config),
            _ => {
                let validation = self.validation.as_deref();
                Corpus::read(&self.paths, validation, config, control, choose)
            }
        }
    }
}

/// The text to train on: the one that is named, or else that of the run whose run.toml is the
/// config.
pub fn text(a: &Train) -> Result<Chosen> {
    let named = !a.paths.is_empty() || a.flags.corpus.is_some();
    let source = config_source(&a.flags.configured).filter(|_| !named);
    let val = a.flags.val.clone();
    let built_in = |name: &str| name.parse().map_err(Failure::Failed);
    let chosen = match source {
        Some(source) => Chosen {
            corpus: match source.paths[..] {
                [] => built_in(&source.corpus)?,
                _ => BuiltIn::Tales,
            },
            paths: source.paths,
            validation: val.or(source.validation),
        },
        None => Chosen {
            paths: a.paths.clone(),
            validation: val,
            corpus: a.flags.corpus.unwrap_or(BuiltIn::Tales),
        },
    };
    if chosen.paths.is_empty() && chosen.validation.is_some() {
        return Err(Failure::Usage("--val needs a text to train on".into()));
    }
    Ok(chosen)
}

/// The text named by a run.toml that is the config; `None` for other files.
fn config_source(c: &Configured) -> Option<TextSource> {
    let path = c.config.as_deref()?;
    let text = std::fs::read_to_string(path).ok()?;
    let run = RunConfig::parse(path, &text).ok()?;
    run.section(&Kind::Language).ok()
}

/// Assignments for the flags that were given.
pub fn assignments(flags: &[(&str, Option<String>)]) -> Vec<String> {
    let given = flags
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)));
    given.collect()
}

/// Threads to use: the given number, or all cores. Warns once if there are more threads than cores,
/// which is slower.
pub fn threads(asked: Option<usize>) -> Result<usize> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let (cores, threads) = (cores(), asked.unwrap_or_else(cores));
    if threads > MOST_THREADS * cores {
        return Err(Failure::Usage(format!(
            "{threads} threads: this machine runs {cores} at once, so use at most {}",
            MOST_THREADS * cores
        )));
    }
    if threads > cores && !output::has_flag("--quiet") && !TOLD.swap(true, Ordering::Relaxed) {
        tell(&format!(
            "warning: {threads} threads on a machine that runs {cores} at once are slower than {cores}"
        ));
    }
    Ok(threads)
}

/// The processor, with this many threads.
pub fn cpu(threads: usize) -> Cpu {
    Cpu::new(CpuSettings::with_threads(threads))
}

/// Where a new run goes: the folder of `--run`, or the next free one called `name`.
pub fn choice(run: &Option<PathBuf>, overwrite: bool, name: &str) -> Choice {
    match run {
        Some(path) => Choice::Exact {
            path: path.clone(),
            overwrite,
        },
        None => Choice::Next {
            root: PathBuf::from(RUNS),
            name: name.to_owned(),
        },
    }
}

/// Creates the folder of a run, with its settings and the keys that the user set.
pub fn begun(choice: &Choice, settings: &Settings, given: &[String]) -> Result<RunFolder> {
    let folder = RunFolder::create(Arc::new(Disk), choice)?;
    folder.write_config_given(&settings.to_toml()?, given)?;
    Ok(folder)
}

/// Refuses to train what needs more memory than is free.
pub fn enough_memory(needed: u64, what: &str, advice: &str) -> Result<()> {
    let amount = |bytes: u64| watch::amount(bytes, "B");
    match run::available_bytes().filter(|free| *free < needed) {
        None => Ok(()),
        Some(free) => Err(Failure::Failed(format!(
            "{what} needs {} of memory, but only {} is free: {advice}",
            amount(needed),
            amount(free)
        ))),
    }
}

/// The given run, or else the newest run of a language model.
pub fn open(run: Option<&Path>) -> Result<RunFolder> {
    if let Some(path) = run {
        return open_at(path);
    }
    let files = Arc::new(Disk);
    let all = RunFolder::list(files.clone(), Path::new(RUNS))?;
    let language = |folder: &RunFolder| folder.config().is_ok_and(|c| c.kind == Kind::Language);
    match all.into_iter().find(language) {
        Some(folder) => Ok(folder),
        None => Ok(RunFolder::newest(files, Path::new(RUNS))?),
    }
}

/// The run at a path: its folder, or one of its checkpoints.
pub fn open_at(path: &Path) -> Result<RunFolder> {
    let run = checkpoint_at(path).map_or(path.to_owned(), |(run, _)| run);
    Ok(RunFolder::open(Arc::new(Disk), &run)?)
}

/// The run and the step of a path to a checkpoint, RUN/checkpoints/step-000250; `None` for other
/// paths.
pub fn checkpoint_at(path: &Path) -> Option<(PathBuf, u64)> {
    let step = path.file_name()?.to_str()?.strip_prefix("step-")?;
    let run = path.parent()?.parent()?;
    let run = if run.as_os_str().is_empty() {
        Path::new(".")
    } else {
        run
    };
    let within = path.parent()?.ends_with("checkpoints") && run.join("run.toml").is_file();
    Some((run.to_owned(), step.parse().ok()?)).filter(|_| within)
}

/// The error of a text that can't be read, with `advice` if it isn't where it was.
pub fn of_text(error: train::Error, advice: &str) -> Failure {
    match error {
        train::Error::Data(error @ data::Error::Missing { .. }) => {
            Failure::Failed(format!("{error}. If the text was moved, {advice}"))
        }
        other => other.into(),
    }
}

/// The chosen model, and its run if it is in one.
pub fn opened(saved: &Saved) -> Result<(Opened, Option<RunFolder>)> {
    opened_for(saved, 1)
}

/// The same with room for several sequences.
pub fn opened_for(saved: &Saved, sequences: usize) -> Result<(Opened, Option<RunFolder>)> {
    let how = Use {
        threads: threads(saved.threads.map(|n| n as usize))?,
        sequences,
        weights: saved.weights.form(),
    };
    let path = match &saved.run {
        Some(path) => path.clone(),
        None => open(None)?.path().to_path_buf(),
    };
    if saved.run.is_none() && stderr().is_terminal() {
        tell(&format!("run      {}", path.display()));
    }
    let opened = Opened::open(&path, saved.checkpoint, how)?;
    for skipped in &opened.skipped {
        tell(&format!("warning: {skipped}"));
    }
    if let (Some(step), false) = (opened.step, opened.skipped.is_empty()) {
        tell(&format!(
            "warning: using the checkpoint of step {step} instead"
        ));
    }
    // Checkpoints are in RUN/checkpoints.
    let run = opened.folder.ancestors().nth(2);
    let run = run.and_then(|run| RunFolder::open(Arc::new(Disk), run).ok());
    Ok((opened, run))
}

/// A flag that Ctrl-C sets; a second Ctrl-C exits immediately.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    answering_flag(None)
}

/// The flag of a training; the first Ctrl-C is answered immediately, unless the full-screen view
/// has the terminal.
pub fn saving_flag(screen: bool) -> Result<Arc<AtomicBool>> {
    let answer = "stopping and saving; Ctrl-C again quits now";
    answering_flag((!screen).then_some(answer))
}

fn answering_flag(answer: Option<&'static str>) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        if let Some(answer) = answer {
            // The terminal has shown ^C on this line.
            let gap = if stderr().is_terminal() { "\n" } else { "" };
            let _ = writeln!(stderr(), "{gap}{answer}");
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|e| Failure::Failed(format!("Ctrl-C can't be caught: {e}")))?;
    Ok(stop)
}
