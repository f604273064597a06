//! The command line: every command with its flags.

use crate::output;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod hints;
mod runs;
mod watching;

pub use runs::{Completions, List, Man, Remove};

pub use watching::{Compare, Landscape, Report, Watch};

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
    after_help = "Without a command, `downhill` is `downhill train` on the built-in stories."
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
    /// Let a trained model write
    Sample(Sample),
    /// Measure a trained model: nats per token, bits per byte, perplexity
    Eval(Eval),
    /// Show runs on a page in the browser, live or finished
    Watch(Watch),
    /// Lay runs over each other on one page
    Compare(Compare),
    /// Tell a run in one HTML file, or in single pictures
    Report(Report),
    /// Fit a line, y = w·x + b, by gradient descent on mean squared error
    Fit(Fit),
    /// Draw the cost of a fitted line as a mountain, and a crowd that walks down it
    Landscape(Landscape),
    /// Predict with a fitted line
    Predict(Predict),
    /// Check every gradient on this very machine
    Verify(Verify),
    /// Show every step of a training step: shape, FLOPs, bytes, lifetime, offset
    Graph(Graph),
    /// Measure this machine, and how near training comes to what it can do
    Bench(Bench),
    /// Show every key of the config, its value and its comment
    Config(ConfigFlags),
    /// Prepare texts once, look at what was prepared
    #[command(subcommand)]
    Data(Data),
    /// Show how a text is cut into tokens
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
    /// Begin with these values: tiny, default, gpt2-cpu, gpt2-char or gpt2-124m
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Read values from a TOML file (see `downhill config`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one value, as optim.lr=1e-3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// How texts are read.
#[derive(Debug, Clone, Default, Args)]
pub struct Texts {
    /// The field or column that holds a record's text (data.field)
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
    /// Leave out and count records that hold no text (data.skip_bad)
    #[arg(long)]
    pub skip_bad: bool,
    /// Leave out of folders what a .gitignore names (data.gitignore)
    #[arg(long)]
    pub gitignore: bool,
    /// Replace bytes that are not UTF-8 by U+FFFD (data.lossy)
    #[arg(long)]
    pub lossy: bool,
}

impl Texts {
    /// The flags as assignments.
    pub fn assignments(&self) -> [(&'static str, Option<String>); 4] {
        let yes = |flag: bool| flag.then(|| "true".to_owned());
        [
            ("data.field", self.field.clone()),
            ("data.skip_bad", yes(self.skip_bad)),
            ("data.gitignore", yes(self.gitignore)),
            ("data.lossy", yes(self.lossy)),
        ]
    }
}

/// Flags of `train`.
#[derive(Debug, Clone, Default, Args)]
pub struct TrainFlags {
    #[command(flatten)]
    pub configured: Configured,
    /// Number of steps (train.steps)
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Seed of weights, data order and dropout (train.seed)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Threads that compute (train.threads)
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    /// Folder of the run [default: runs/CORPUS, runs/CORPUS-2, …]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,
    /// Replace the run that lies in the folder given by --run
    #[arg(long, requires = "run")]
    pub overwrite: bool,
    /// Go on with a run exactly where it stopped; with --steps also beyond its end
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "overwrite", "preset", "config", "sets", "seed", "val", "field", "skip_bad", "gitignore", "lossy"])]
    pub resume: Option<PathBuf>,
    /// A validation text of its own; then all of the other text trains
    #[arg(long, value_name = "FILE")]
    pub val: Option<PathBuf>,
    #[command(flatten)]
    pub texts: Texts,
    /// Print events as JSON, one object a line
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only the end
    #[arg(long)]
    pub quiet: bool,
    /// Don't show the page in the browser (it isn't with --json and --quiet)
    #[arg(long)]
    pub no_page: bool,
    /// Show a screen in the terminal instead of the log
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub tui: bool,
    /// Write event files for TensorBoard to the run's folder too
    #[arg(long)]
    pub tensorboard: bool,
    /// Let the page save and stop, by a token that is printed
    #[arg(long, conflicts_with_all = ["no_page", "json", "quiet"])]
    pub allow_control: bool,
}

/// `train`
#[derive(Debug, Args)]
pub struct Train {
    /// Files and folders: text, source code, jsonl, json, csv, tsv, parquet, and gz or zst of
    /// these; `-` is text from standard input; or one folder that `data prepare` made
    #[arg(value_name = "TEXT")]
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
    /// Threads that compute [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
}

/// `sample`
#[derive(Debug, Args)]
pub struct Sample {
    #[command(flatten)]
    pub saved: Saved,
    /// What the text begins with; - reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prompt: Option<String>,
    /// A file that holds what the text begins with
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompt_file: Option<PathBuf>,
    /// How many tokens to write
    #[arg(long, value_name = "N")]
    pub tokens: Option<String>,
    /// Below 1 the likely tokens get likelier; 0 always takes the likeliest
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub temperature: Option<String>,
    /// Draw only among the K likeliest tokens
    #[arg(long, value_name = "K", allow_hyphen_values = true)]
    pub top_k: Option<String>,
    /// Draw only among the likeliest tokens that together have this probability
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub top_p: Option<String>,
    /// Seed of the drawing
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// Print one JSON object at the end instead of the text as it comes
    #[arg(long)]
    pub json: bool,
}

/// `eval`
#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    pub saved: Saved,
    /// Measure on this text instead of the run's validation part
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `fit`
#[derive(Debug, Args)]
pub struct Fit {
    /// A CSV file with a header line [default: a built-in noisy line]
    #[arg(value_name = "CSV")]
    pub file: Option<PathBuf>,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Most steps
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Set one value, as optim.lr=0.1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Then show the cost as a mountain, and a crowd that walks down it
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub watch: bool,
    /// Folder of the run [default: runs/fit, runs/fit-2, …]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,
    /// Replace the run that lies in the folder given by --run
    #[arg(long, requires = "run")]
    pub overwrite: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only the end
    #[arg(long)]
    pub quiet: bool,
}

/// `predict`
#[derive(Debug, Args)]
pub struct Predict {
    /// A run of `downhill fit`
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// A CSV file with the same columns
    #[arg(value_name = "CSV")]
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
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
    /// Peaks, bandwidth and barriers, for each number of threads
    Machine,
    /// Each operation alone, forward and backward
    Ops,
    /// Whole training steps, and where their time goes
    Step,
    /// Matrix products, from three plain loops to the kernels, rung by rung
    Gemm,
    /// Writing, token by token
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
    /// Only these models (as S,M or L-qwen3) and operations (as linear), by name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Threads that compute [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
    /// Number format of the products: f32, or bf16 where the processor has it
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Products,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Number format of the products that `bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Products {
    /// 32-bit numbers
    F32,
    /// Operands rounded to 16 bits, added up in f32
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
    /// Turn texts into tokens on the disk; `train DIR` then starts at once
    Prepare(DataPrepare),
    /// Show what a prepared folder holds, and what was skipped and why
    Inspect(DataInspect),
    /// Show some documents of a prepared folder
    Sample(DataSample),
}

/// `data prepare`
#[derive(Debug, Args)]
pub struct DataPrepare {
    /// Files and folders: text, source code, jsonl, json, csv, tsv, parquet, and gz or zst of
    /// these; `-` is text from standard input
    #[arg(value_name = "TEXT", required = true)]
    pub paths: Vec<PathBuf>,
    /// The folder to make; a preparation that was interrupted there goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How text is cut into tokens (data.tokenizer)
    #[arg(long, value_name = "NAME")]
    pub tokenizer: Option<String>,
    /// A validation text of its own; then all of the other text trains
    #[arg(long, value_name = "FILE")]
    pub val: Option<PathBuf>,
    #[command(flatten)]
    pub texts: Texts,
    /// Threads that work (train.threads)
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    #[command(flatten)]
    pub configured: Configured,
    /// Print one JSON object: that of `data inspect`, seconds and peak_bytes
    #[arg(long)]
    pub json: bool,
}

/// `data inspect`
#[derive(Debug, Args)]
pub struct DataInspect {
    /// A prepared folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
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
    /// How many documents
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 5)]
    pub count: usize,
    /// Seed of the drawing
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object a document
    #[arg(long)]
    pub json: bool,
}

/// `tokenize`
#[derive(Debug, Args)]
pub struct Tokenize {
    /// The text; - reads standard input
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
            Err(_) => Err("use best, last, or the number of a step".into()),
        },
    }
}

/// The command line as a whole, for completions and man pages.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Reads the command line; what is wrong with it is told here, in a few lines.
pub fn parse() -> Result<Command, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match CommandLine::try_parse_from(&arguments) {
        Ok(CommandLine {
            command: Some(command),
            ..
        }) => Ok(command),
        Ok(CommandLine {
            command: None,
            train,
        }) => Ok(Command::Train(Train {
            paths: Vec::new(),
            flags: train,
        })),
        Err(error) => Err(explain(&error, arguments.get(1))),
    }
}

fn explain(error: &clap::Error, first: Option<&OsString>) -> ExitCode {
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
        // A reader that goes away (`downhill --help | head -1`) is no error.
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
