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
