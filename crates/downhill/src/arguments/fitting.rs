//! Arguments of `fit` and `predict`.

use clap::Args;
use std::path::PathBuf;

/// `fit`
#[derive(Debug, Args)]
pub struct Fit {
    /// A CSV file with a header line [default: a built-in noisy line]
    #[arg(value_name = "CSV")]
    pub file: Option<PathBuf>,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Maximum number of steps
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Set one value, e.g. optim.lr=0.1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Then show the cost surface on the page, and 200 runs that descend it
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub watch: bool,
    /// Run folder [default: runs/fit, runs/fit-2, …]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,
    /// Replace the run in the folder given by --run
    #[arg(long, requires = "run")]
    pub overwrite: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only the final summary
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
