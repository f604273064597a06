//! Arguments of `race`.

use super::{Configured, Texts, size};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `race`
#[derive(Debug, Args)]
pub struct Race {
    /// Files and folders, as for `train` [default: the built-in stories]
    #[arg(value_name = "TEXT", conflicts_with = "corpus")]
    pub paths: Vec<PathBuf>,
    /// Race on a built-in corpus, as for `train`: tales (the default), sums, copy, reverse or
    /// recall; without --preset, --config and --time, with its preset
    #[arg(long, value_name = "NAME")]
    pub corpus: Option<text::BuiltIn>,
    /// A name and the values that this recipe sets on top of what all share, e.g.
    /// wide:model.width=256,optim.lr=2e-3; give at least two
    #[arg(long = "recipe", value_name = "NAME[:KEY=VALUE,…]")]
    pub recipes: Vec<String>,
    /// Optimizers to race, separated by commas, each as a recipe: sgd, momentum, nesterov, adam,
    /// adamw, muon, normuon; the first three at higher rates, which suit them, than all share
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub optimizers: Vec<String>,
    /// Runs of each recipe, with seeds train.seed, train.seed + 1, …
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub seeds: u64,
    /// Number of steps of each run (train.steps)
    #[arg(long, value_name = "N", conflicts_with = "time")]
    pub steps: Option<u64>,
    /// Time of each run, as 90s, 10m or 1h30m; without --preset or --config, it also decides
    /// what all recipes share, as in `train` [default: 3m, if nothing else says how long]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time: Option<Duration>,
    #[command(flatten)]
    pub configured: Configured,
    /// Number of threads (train.threads)
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    /// Separate validation text; all other text is used for training
    #[arg(long, value_name = "FILE", conflicts_with = "corpus")]
    pub val: Option<PathBuf>,
    #[command(flatten)]
    pub texts: Texts,
    /// Limit of the cache of prepared texts, as 20GB [default: a quarter of the free space]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub cache_limit: Option<u64>,
    /// Folder of the race, with a run folder for each recipe and seed
    /// [default: runs/race-CORPUS, runs/race-CORPUS-2, …]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Resume the race in this folder: every run where it stopped
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["paths", "corpus", "recipes", "optimizers", "seeds", "steps",
        "time", "preset", "config", "sets", "val", "out", "encoding", "lossy", "field",
        "delimiter", "quotes", "separator", "raw", "skip_bad", "gitignore"])]
    pub resume: Option<PathBuf>,
    /// Print only the result, one JSON object per recipe
    #[arg(long)]
    pub json: bool,
    /// Don't serve the live page (implied by --json)
    #[arg(long)]
    pub no_page: bool,
}
