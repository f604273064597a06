//! Do runs from different random starts end in the same valley? The result of `downhill landscape
//! --crowd`, stored in the run.

use crate::{Result, RunFolder};
use serde::{Deserialize, Serialize};

/// Its file in the run's `probes/`.
const FILE: &str = "crowd.json";

/// Where the runs end, and what lies between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connectivity {
    /// The runs.
    pub runs: Vec<CrowdRun>,
    /// Each two of them.
    pub pairs: Vec<CrowdPair>,
    /// The cost of the mean of all predictions, in nats per token.
    pub ensemble: f64,
    /// Validation tokens that were predicted.
    pub tokens: u64,
    /// The highest barrier between two runs as they are, in nats per token.
    pub barrier_before: f64,
    /// The same after matching heads and neurons.
    pub barrier_after: f64,
    /// Whether all costs are nearly the same.
    pub alike: bool,
    /// What follows from these figures.
    pub finding: ConnectivityFinding,
    /// The same in one sentence.
    pub verdict: String,
}

/// A run of the crowd.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrowdRun {
    /// Its seed.
    pub seed: u64,
    /// Its folder.
    pub folder: String,
    /// The step of its best checkpoint, which is compared.
    pub step: u64,
    /// Its cost in nats per token.
    pub cost: f64,
}

/// Two runs of the crowd, by their numbers from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrowdPair {
    /// The first.
    pub a: usize,
    /// The second.
    pub b: usize,
    /// Share of tokens for which both find the same next token most likely.
    pub agreement: f64,
    /// Mean Jensen–Shannon divergence of their predictions, in nats.
    pub divergence: f64,
    /// How far the cost on the straight line between their weights rises above the straight line
    /// between their costs, at most.
    pub barrier_before: f64,
    /// The same after matching heads and neurons.
    pub barrier_after: f64,
    /// The costs on the line.
    pub line: CrowdLine,
}

/// Costs on the straight line between the weights of two runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CrowdLine {
    /// Places, from the first run at 0 to the second at 1.
    pub x: Vec<f64>,
    /// Nats per token there.
    pub before: Vec<f64>,
    /// The same after matching heads and neurons.
    pub after: Vec<f64>,
}

/// What lies between the ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectivityFinding {
    /// No barrier.
    OneValley,
    /// No barrier after matching heads and neurons.
    OneValleyMatched,
    /// A low barrier.
    Pass,
    /// A high one.
    Ridge,
}

impl Connectivity {
    /// Reads the result that a run has; `None` if it has none.
    ///
    /// # Errors
    /// If the file can't be read or is damaged.
    pub fn of_run(run: &RunFolder) -> Result<Option<Connectivity>> {
        run.read_probe(FILE, "downhill landscape --crowd")
    }

    /// Stores it in a run.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save(&self, run: &RunFolder) -> Result<()> {
        run.save_probe(FILE, self)
    }
}
