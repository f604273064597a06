//! Arguments of the commands that show runs.

use clap::Args;
use std::path::PathBuf;

/// `watch`
#[derive(Debug, Args)]
pub struct Watch {
    /// A run, or a folder of runs [default: runs]
    #[arg(value_name = "RUN|FOLDER")]
    pub run: Option<PathBuf>,
    /// Show a full-screen view in the terminal instead of the page
    #[arg(long, conflicts_with = "port")]
    pub tui: bool,
    /// Port on 127.0.0.1 [default: the first free one from 8311 up]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// `play`
#[derive(Debug, Args)]
pub struct Play {
    /// A run, one of its checkpoints, or a Hugging Face folder [default: the newest run in runs/]
    #[arg(value_name = "RUN|FOLDER")]
    pub run: Option<PathBuf>,
    /// Port on 127.0.0.1 [default: the first free one from 8311 up]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
}

/// `report`
#[derive(Debug, Args)]
pub struct Report {
    /// The run [default: the newest in runs/]
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Output file; - for standard output [default: report.html]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write each chart as an SVG file to this folder
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
    /// Replace files that downhill didn't write
    #[arg(long)]
    pub overwrite: bool,
}

/// `compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// The runs
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Port on 127.0.0.1 [default: the first free one from 8311 up]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// `lesson`
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct Lesson {
    /// Show this lesson in the terminal, 1 to 9 [default: all lessons on a page]
    #[arg(value_name = "N")]
    pub number: Option<usize>,
    /// Lesson 1: the text to continue
    #[arg(long, value_name = "TEXT", requires = "number")]
    pub text: Option<String>,
    /// Lesson 2: the probability that the model gives to the right token
    #[arg(long, value_name = "P", requires = "number")]
    pub probability: Option<f64>,
    /// Lessons 3 and 7: the weight
    #[arg(long, value_name = "W", requires = "number")]
    pub weight: Option<f64>,
    /// Lessons 4 and 6: the learning rate
    #[arg(long, value_name = "RATE", requires = "number")]
    pub rate: Option<f64>,
    /// Lessons 5 and 8: the number of steps
    #[arg(long, value_name = "N", requires = "number")]
    pub steps: Option<f64>,
    /// Lesson 9: how many lines of text the model reads
    #[arg(long, value_name = "N", requires = "number")]
    pub lines: Option<f64>,
    /// Check this answer to the lesson's question
    #[arg(
        long,
        value_name = "ANSWER",
        requires = "number",
        allow_hyphen_values = true
    )]
    pub answer: Option<String>,
    /// Print what the lesson computes as JSON, one object per line
    #[arg(long, requires = "number", conflicts_with = "answer")]
    pub json: bool,
    /// Port on 127.0.0.1 [default: the first free one from 8311 up]
    #[arg(long, value_name = "PORT", conflicts_with = "number")]
    pub port: Option<u16>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
}
