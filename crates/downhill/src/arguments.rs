//! The command line: every command with its flags.

use crate::output;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

mod exporting;
mod fitting;
mod hints;
mod inspecting;
mod landscape;
mod originality;
mod racing;
mod reading;
mod runs;
mod sampling;
mod serving;
mod watching;

pub use exporting::Export;
pub use fitting::{Fit, Predict};
pub use inspecting::Inside;
pub use landscape::Landscape;
pub use originality::Originality;
pub use racing::Race;
pub use reading::{DataCache, Texts, size};
pub use runs::{Completions, List, Man, Remove};
pub use sampling::{Chat, Sample, SamplingFlags, Weights};
pub use serving::Serve;
pub use watching::{Compare, Lesson, Play, Report, Watch};

/// Pretrain a language model from scratch on this machine, and watch it learn.
#[derive(Debug, Parser)]
#[command(
    name = "downhill",
    version,
    about,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
#[command(
    after_help = "Without a command, `downhill` runs `downhill train` on the built-in stories."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: TrainFlags,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a language model on text files or folders (default: the built-in stories)
    Train(Train),
    /// Generate text with a trained model
    Sample(Sample),
    /// Write a text together with a trained model in the terminal
    Chat(Chat),
    /// Write with a trained model in the browser, and look at the probabilities behind each token
    Play(Play),
    /// Serve a trained model to other programs: an API in OpenAI's form
    Serve(Serve),
    /// Export a trained model: a GGUF file (llama.cpp, Ollama, LM Studio) or a Hugging Face folder
    Export(Export),
    /// Measure a trained model: nats per token, bits per byte, perplexity
    Eval(Eval),
    /// Measure whether a model writes new text or copies its training text
    Originality(Originality),
    /// Look inside a trained model: attention heads, what each layer would say, nearest tokens
    Inside(Inside),
    /// Show runs on a page in the browser, live or finished
    Watch(Watch),
    /// Compare runs on one page
    Compare(Compare),
    /// Write a run's report to one HTML file, or its charts to SVG files
    Report(Report),
    /// Train several recipes in turns on the same text and seeds, and compare them
    Race(Race),
    /// Fit a line, y = w·x + b, by gradient descent on mean squared error
    Fit(Fit),
    /// Show the cost surface around a run's weights, and walkers that descend it
    Landscape(Landscape),
    /// Learn how training works in nine short lessons, on a page or in the terminal
    Lesson(Lesson),
    /// Predict with a fitted line
    Predict(Predict),
    /// Check every gradient on this machine, or the checkpoints of a run
    Verify(Verify),
    /// List the operations of a training step: shape, FLOPs, bytes, lifetime, offset
    Graph(Graph),
    /// Measure this machine, and how close training comes to its limits
    Bench(Bench),
    /// Plan a timed run without training: sizes, rates and the expected loss
    Plan(Train),
    /// Show every config key with its value and description
    Config(ConfigFlags),
    /// Prepare texts for training, and inspect what was prepared
    #[command(subcommand)]
    Data(Data),
    /// Show how a text is split into tokens
    Tokenize(Tokenize),
    /// List the runs of a folder: model, size, steps, best loss, state
    List(List),
    /// Remove runs
    Rm(Remove),
    /// Print a shell's completions
    Completions(Completions),
    /// Write the man pages to a folder
    Man(Man),
}

/// Where a config comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct Configured {
    /// Start from a preset: tiny, default, gpt2-cpu, gpt2-char, gpt2-124m, or that of a corpus:
    /// tales, sums, copy, reverse, recall
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Read values from a TOML file (see `downhill config`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one value, e.g. optim.lr=1e-3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// Flags of `train`.
#[derive(Debug, Clone, Default, Args)]
pub struct TrainFlags {
    #[command(flatten)]
    pub configured: Configured,
    /// Train on a built-in corpus: tales (the default); sums, of which most are held out, first
    /// learned by rote, then by their rule; copy, reverse or recall, a skill that appears. Each
    /// comes with a preset of the same name
    #[arg(long, value_name = "NAME")]
    pub corpus: Option<text::BuiltIn>,
    /// Number of steps (train.steps)
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Train the best model that this much time allows, as 90s, 10m or 1h30m; sizes, rates and
    /// steps are chosen [default: 3m, if nothing else says how long]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration,
          conflicts_with_all = ["steps", "preset", "config", "resume"])]
    pub time: Option<Duration>,
    /// With --time: show which other sizes were considered
    #[arg(long)]
    pub explain: bool,
    /// End the run when the model is at its best: 5 evaluations in a row have not improved the
    /// validation loss, and it has risen or the weights are stable (train.patience,
    /// train.improvement, train.stable)
    #[arg(long)]
    pub stop_when_best: bool,
    /// Seed for weights, data order and dropout (train.seed)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Train this many models that differ in their seed, and distill them into one (train.members)
    #[arg(long, value_name = "K")]
    pub members: Option<u64>,
    /// Number of threads (train.threads)
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    /// Run folder [default: runs/CORPUS, runs/CORPUS-2, …]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,
    /// Replace the run in the folder given by --run
    #[arg(long, requires = "run")]
    pub overwrite: bool,
    /// Resume a run exactly where it stopped; --steps extends it beyond its end, and --set may
    /// change optim.lr, optim.lr_min, optim.matrix_lr, eval.*, checkpoint.* and sample.*
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["run", "overwrite", "preset", "config", "seed", "members", "corpus", "val", "encoding",
            "lossy", "field", "delimiter", "quotes", "separator", "raw", "skip_bad", "gitignore"]
    )]
    pub resume: Option<PathBuf>,
    /// Resume from the checkpoint of this step instead of the newest sound one; newer ones are
    /// removed when the next is saved
    #[arg(long, value_name = "STEP", requires = "resume")]
    pub checkpoint: Option<u64>,
    /// When --steps extends a resumed run: keep leaves the learning rate at the end of the old
    /// schedule, extend stretches the schedule over all steps (as without this flag)
    #[arg(long, value_enum, requires = "resume")]
    pub schedule: Option<Extension>,
    /// Separate validation text; all other text is used for training
    #[arg(long, value_name = "FILE", conflicts_with = "corpus")]
    pub val: Option<PathBuf>,
    #[command(flatten)]
    pub texts: Texts,
    /// Limit of the cache of prepared texts, as 20GB [default: a quarter of the free space]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub cache_limit: Option<u64>,
    /// Print events as JSON, one object per line
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only the final summary
    #[arg(long)]
    pub quiet: bool,
    /// Don't serve the live page (implied by --json and --quiet)
    #[arg(long)]
    pub no_page: bool,
    /// Show a full-screen view in the terminal instead of the log
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub tui: bool,
    /// Also write TensorBoard event files to the run folder
    #[arg(long)]
    pub tensorboard: bool,
    /// Let the page save and stop the run, with a token that is printed at the start
    #[arg(long, conflicts_with_all = ["no_page", "json", "quiet"])]
    pub allow_control: bool,
}

impl TrainFlags {
    /// The same, with the preset of the corpus where nothing else is given, not even a time: that
    /// of the stories if there is no text either.
    #[must_use]
    pub fn with_preset(mut self, paths: &[PathBuf]) -> TrainFlags {
        if self.time.is_some() || self.resume.is_some() {
            return self;
        }
        let stories = paths.is_empty().then_some(text::BuiltIn::Tales);
        let corpus = self.corpus.or(stories).filter(|corpus| corpus.has_preset());
        if let (Some(corpus), None, None) =
            (corpus, &self.configured.preset, &self.configured.config)
        {
            self.configured.preset = Some(corpus.to_string());
        }
        self
    }

    /// `train.patience`, if `--stop-when-best` is given and no assignment says otherwise.
    pub fn patience(&self) -> Option<String> {
        let given = |set: &String| set.trim_start().starts_with("train.patience");
        let given = self.configured.sets.iter().any(given);
        (self.stop_when_best && !given).then(|| PATIENCE.to_string())
    }
}

/// Evaluations without improvement after which `--stop-when-best` ends a run.
const PATIENCE: u32 = 5;

/// `train`
#[derive(Debug, Args)]
pub struct Train {
    /// Files and folders: text, source code, jsonl, json, csv, tsv, parquet, chats, notebooks,
    /// html, epub, subtitles, and any of these as gz or zst; `-` reads text from standard input;
    /// or one folder made by `data prepare`
    #[arg(value_name = "TEXT", conflicts_with = "corpus")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub flags: TrainFlags,
}

/// Which saved model.
#[derive(Debug, Clone, Args)]
pub struct Saved {
    /// The run [default: the newest in runs/]
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Which checkpoint: best (by validation loss), last, or a step
    #[arg(long, value_name = "best|last|STEP", default_value = "best", value_parser = which)]
    pub checkpoint: run::Which,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
    /// How the weights are stored in memory
    #[arg(long, value_enum, value_name = "TYPE", default_value = "f32")]
    pub weights: Weights,
}

/// `eval`
#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    pub saved: Saved,
    /// Evaluate on this text instead of the run's validation part
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What happens to the schedule of a run that is extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Extension {
    /// The old schedule, then its last rate
    Keep,
    /// One schedule over all steps
    Extend,
}

impl From<Extension> for train::Extension {
    fn from(extension: Extension) -> train::Extension {
        match extension {
            Extension::Keep => train::Extension::Keep,
            Extension::Extend => train::Extension::Extend,
        }
    }
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Check every file of every checkpoint of this run instead
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `graph`
#[derive(Debug, Args)]
pub struct Graph {
    #[command(flatten)]
    pub configured: Configured,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Peak FLOP/s, bandwidth and barriers, for each number of threads
    Machine,
    /// Each operation alone, forward and backward
    Ops,
    /// Whole training steps, and where their time goes
    Step,
    /// Matrix products, from three plain loops to the kernels
    Gemm,
    /// Text generation, token by token
    Generate,
    /// Everything
    All,
}

/// `bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    pub part: Part,
    /// With `generate`: a run or a model's folder, instead of the built-in models
    #[arg(value_name = "RUN|FOLDER")]
    pub run: Option<PathBuf>,
    /// With a model: how its weights are stored
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        requires = "run",
        default_value = "f32"
    )]
    pub weights: Weights,
    /// Only these models (e.g. S,M or L-qwen3) and operations (e.g. linear)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
    /// Number format of matrix products; bf16 only if the processor supports it
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Products,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Number format of the matrix products that `bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Products {
    /// 32-bit numbers
    F32,
    /// Operands rounded to bf16, summed in f32
    Bf16,
}

/// `config`
#[derive(Debug, Args)]
pub struct ConfigFlags {
    #[command(flatten)]
    pub configured: Configured,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `data`
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Tokenize texts to disk, so that `train DIR` starts immediately
    Prepare(DataPrepare),
    /// Show what texts or a prepared folder contain, how they are read, what is skipped and why
    Inspect(DataInspect),
    /// Show random documents from a prepared folder
    Sample(DataSample),
    /// List the texts that `train` prepared in its cache
    Cache(DataCache),
}

/// `data prepare`
#[derive(Debug, Args)]
pub struct DataPrepare {
    /// Files and folders: text, source code, jsonl, json, csv, tsv, parquet, chats, notebooks,
    /// html, epub, subtitles, and any of these as gz or zst; `-` reads text from standard input
    #[arg(value_name = "TEXT", required = true)]
    pub paths: Vec<PathBuf>,
    /// Output folder; an interrupted preparation in it is resumed
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How text is split into tokens (data.tokenizer)
    #[arg(long, value_name = "NAME")]
    pub tokenizer: Option<String>,
    /// Separate validation text; all other text is used for training
    #[arg(long, value_name = "FILE")]
    pub val: Option<PathBuf>,
    #[command(flatten)]
    pub texts: Texts,
    /// Number of threads (train.threads)
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    #[command(flatten)]
    pub configured: Configured,
    /// Print one JSON object: that of `data inspect` plus seconds and peak_bytes
    #[arg(long)]
    pub json: bool,
}

/// `data inspect`
#[derive(Debug, Args)]
pub struct DataInspect {
    /// A prepared folder, or files and folders of text
    #[arg(value_name = "DIR|TEXT", required = true)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub texts: Texts,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `data sample`
#[derive(Debug, Args)]
pub struct DataSample {
    /// A prepared folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Number of documents
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 5)]
    pub count: usize,
    /// Seed for choosing the documents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object per document
    #[arg(long)]
    pub json: bool,
}

/// `tokenize`
#[derive(Debug, Args)]
pub struct Tokenize {
    /// The text; `-` reads standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub text: String,
    /// A run, a tokenizer.json, or a folder with one [default: the newest run in runs/]
    #[arg(long, value_name = "PATH")]
    pub tokenizer: Option<PathBuf>,
    /// Print one JSON object: ids, tokens, bytes, bytes_per_token
    #[arg(long)]
    pub json: bool,
}

fn which(text: &str) -> Result<run::Which, String> {
    match text {
        "best" => Ok(run::Which::Best),
        "last" => Ok(run::Which::Last),
        step => match step.parse() {
            Ok(step) => Ok(run::Which::Step(step)),
            Err(_) => Err("use best, last, or a step number".into()),
        },
    }
}

/// The whole command line, for completions and man pages.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Parses the command line. Prints a short error if it is wrong.
pub fn parse() -> Result<Command, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match CommandLine::try_parse_from(&arguments) {
        Ok(CommandLine {
            command: Some(Command::Train(mut train)),
            ..
        }) => {
            train.flags = train.flags.with_preset(&train.paths);
            Ok(Command::Train(train))
        }
        Ok(CommandLine {
            command: Some(command),
            ..
        }) => Ok(command),
        Ok(CommandLine {
            command: None,
            train,
        }) => Ok(Command::Train(Train {
            paths: Vec::new(),
            flags: train.with_preset(&[]),
        })),
        Err(error) => Err(report(&error, arguments.get(1))),
    }
}

fn report(error: &clap::Error, first: Option<&OsString>) -> ExitCode {
    if error.kind() == ErrorKind::DisplayVersion {
        let commit = match env!("DOWNHILL_COMMIT") {
            "" => String::new(),
            commit => format!(" ({commit})"),
        };
        let (version, processor) = (env!("CARGO_PKG_VERSION"), engine::processor());
        // As below.
        let _ = writeln!(output::out(), "downhill {version}{commit} on {processor}");
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelp {
        // A closed pipe (`downhill --help | head -1`) is no error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let mut lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines.truncate(11);
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if error.kind() == ErrorKind::UnknownArgument => {
            hints::key(flag)
        }
        _ => None,
    };
    let mut lines: Vec<String> = lines.into_iter().map(String::from).collect();
    if let Some(hint) = unknown {
        lines.retain(|line| !line.trim_start().starts_with("tip:"));
        lines.insert(1, hint);
    }
    if let (ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument, Some(path)) =
        (error.kind(), first)
        && Path::new(path).exists()
    {
        lines.push(hints::path(Path::new(path)));
    }
    output::tell_error(&lines.join("\n"), 2);
    ExitCode::from(2)
}
