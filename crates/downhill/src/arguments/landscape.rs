//! Arguments of `landscape`.

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use run::PlaneAxes;
use std::path::PathBuf;
use std::time::Duration;
use study::plane::WalkerRule;

/// `landscape`
#[derive(Debug, Args)]
pub struct Landscape {
    /// A run of a language model, or of `downhill fit` with one column
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Write the view from above as SVG to this folder: one file, or of a fit one per optimizer
    #[arg(long, value_name = "FOLDER", conflicts_with = "json")]
    pub svg: Option<PathBuf>,
    /// Replace files that downhill didn't write
    #[arg(long, requires = "svg")]
    pub overwrite: bool,
    /// Show the page on this port on 127.0.0.1 (a fit is always shown) [default: the first free one
    /// from 8311 up]
    #[arg(long, value_name = "PORT", conflicts_with_all = ["svg", "json"])]
    pub port: Option<u16>,
    #[command(flatten)]
    pub plane: PlaneFlags,
}

/// Which part of a model's landscape is drawn, and how: a fit has no choice.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Language models")]
pub struct PlaneFlags {
    /// Directions of the plane [default: pca; with --to: line]
    #[arg(long, value_enum, value_name = "AXES", requires_if("line", "to"))]
    pub axes: Option<Directions>,
    /// The other end of a line: the last checkpoint of this run
    #[arg(long, value_name = "RUN")]
    pub to: Option<PathBuf>,
    /// Instead of a surface, compare N runs from different random starts: the run itself and N - 1
    /// more that are trained like it, or N of its members. Are their ends the same model?
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(2..=16),
          conflicts_with_all = ["axes", "to", "grid", "time", "walkers", "optimizers", "steps", "rate",
          "seed", "svg"])]
    pub crowd: Option<usize>,
    /// Validation tokens to predict at each point [default: 4096]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000_000))]
    pub tokens: Option<usize>,
    /// Points per side: 5, 9, 17 or 33 [default: 17]
    #[arg(long, value_name = "N", value_parser = grid)]
    pub grid: Option<usize>,
    /// Refine the grid, up to 33 points per side, and let walkers go only as long as this, as 30s
    /// or 5m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub time: Option<Duration>,
    /// Number of places from which walkers start; 0 for none [default: 3]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(0..=1000))]
    pub walkers: Option<usize>,
    /// Optimizers of the walkers, separated by commas: sgd, momentum, adam, muon [default: all]
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    pub optimizers: Vec<Rule>,
    /// Steps of each walker [default: 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub steps: Option<u64>,
    /// Factor on the walkers' learning rates, which suit the surface [default: 1]
    #[arg(long, value_name = "X", value_parser = factor)]
    pub rate: Option<f64>,
    /// Seed of random directions and of the walkers' starts [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Directions of a plane.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Directions {
    /// Principal components of the run's checkpoints
    Pca,
    /// Random directions, as long as the weights row by row
    Random,
    /// One direction, to the model of --to
    Line,
}

/// An optimizer of walkers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rule {
    /// Plain gradient descent
    Sgd,
    /// With momentum
    Momentum,
    /// Adam
    Adam,
    /// Muon
    Muon,
}

impl PlaneFlags {
    /// The first flag that was given.
    pub fn given(&self) -> Option<&'static str> {
        let all = [
            ("--axes", self.axes.is_some()),
            ("--to", self.to.is_some()),
            ("--crowd", self.crowd.is_some()),
            ("--tokens", self.tokens.is_some()),
            ("--grid", self.grid.is_some()),
            ("--time", self.time.is_some()),
            ("--walkers", self.walkers.is_some()),
            ("--optimizers", !self.optimizers.is_empty()),
            ("--steps", self.steps.is_some()),
            ("--rate", self.rate.is_some()),
            ("--seed", self.seed.is_some()),
            ("--threads", self.threads.is_some()),
            ("--json", self.json),
        ];
        all.iter().find(|(_, given)| *given).map(|(name, _)| *name)
    }

    /// Where the directions come from; an error if that doesn't go with `--to`.
    pub fn axes(&self) -> Result<PlaneAxes, &'static str> {
        match (&self.to, self.axes) {
            (Some(_), None | Some(Directions::Line)) => Ok(PlaneAxes::Line),
            (Some(_), Some(_)) => Err("--to is the end of a line: leave out --axes"),
            (None, Some(Directions::Random)) => Ok(PlaneAxes::Random),
            (None, Some(Directions::Line)) => Err("--axes line needs its other end: --to RUN"),
            (None, _) => Ok(PlaneAxes::Pca),
        }
    }

    /// The walkers' optimizers, each once.
    pub fn rules(&self) -> Vec<WalkerRule> {
        let mut all = Vec::new();
        for rule in &self.optimizers {
            let rule = match rule {
                Rule::Sgd => WalkerRule::Sgd,
                Rule::Momentum => WalkerRule::Momentum,
                Rule::Adam => WalkerRule::Adam,
                Rule::Muon => WalkerRule::Muon,
            };
            if !all.contains(&rule) {
                all.push(rule);
            }
        }
        match all.is_empty() {
            true => WalkerRule::ALL.to_vec(),
            false => all,
        }
    }
}

fn grid(text: &str) -> Result<usize, String> {
    let known = study::plane::LEVELS;
    let side = text.parse().ok().filter(|side| known.contains(side));
    side.ok_or_else(|| "a grid has 5, 9, 17 or 33 points per side".into())
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text
        .parse()
        .ok()
        .filter(|x: &f64| x.is_finite() && *x > 0.0);
    factor.ok_or_else(|| "a number above 0 is needed".into())
}
