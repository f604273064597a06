//! The cost of a language model on a plane through its weights: the result of `downhill landscape`,
//! stored in the run.

use crate::{Result, RunFolder};
use serde::{Deserialize, Serialize};

/// Its file in the run's `probes/`. The cost surface of a fit has the same name and other content.
const FILE: &str = "landscape.json";

/// Where the directions of a plane come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaneAxes {
    /// Principal components of the run's checkpoints.
    Pca,
    /// Random directions, as long as the weights row by row.
    Random,
    /// One direction: from this run's weights to another's.
    Line,
}

impl PlaneAxes {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            PlaneAxes::Pca => "pca",
            PlaneAxes::Random => "random",
            PlaneAxes::Line => "line",
        }
    }
}

/// The surface, the run's own path on it, and walkers. Costs are nats per token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostLandscape {
    /// Where the directions come from.
    pub axes: PlaneAxes,
    /// For principal components: the share of the checkpoints' squared distances from the last one
    /// that lies in the plane.
    pub share_of_motion: Option<f64>,
    /// Coordinates of the columns.
    pub x: Vec<f64>,
    /// Coordinates of the rows; a line has one, 0.
    pub y: Vec<f64>,
    /// The costs, row by row; `null` where they aren't finite.
    pub cost: Vec<Vec<Option<f64>>>,
    /// The checkpoints, projected.
    pub path: Vec<PathPoint>,
    /// Walkers that can't leave the plane.
    pub walkers: Vec<Walker>,
    /// Tokens that are predicted at each point.
    pub tokens: u64,
    /// How long it took.
    pub seconds: f64,
}

/// A checkpoint on the plane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// Its step.
    pub step: u64,
    /// The point of the plane that is nearest to it.
    pub x: f64,
    /// As above.
    pub y: f64,
    /// Its own cost; `null` if it isn't finite.
    pub cost: Option<f64>,
    /// The cost at that point: the checkpoint lies beside the plane.
    pub slice: Option<f64>,
}

/// Where a walker was before each of its steps, and after the last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Walker {
    /// The name of its optimizer.
    pub optimizer: String,
    /// Its learning rate.
    pub rate: f64,
    /// Coordinates.
    pub x: Vec<f64>,
    /// As above.
    pub y: Vec<f64>,
    /// The cost there.
    pub cost: Vec<f64>,
}

/// What is stored: the landscape, and what is needed to go on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LandscapeFile {
    /// The landscape.
    #[serde(flatten)]
    pub landscape: CostLandscape,
    /// The other run of a line.
    pub to: Option<String>,
    /// A hash of what the costs depend on.
    pub of: String,
    /// A hash of what the walkers depend on besides.
    pub walked: String,
    /// From the lowest to the highest coordinate of each axis.
    pub sides: Vec<[f64; 2]>,
    /// All costs that are known, by place in the finest grid: also those of a level that isn't
    /// complete.
    pub known: Vec<([usize; 2], Option<f64>)>,
}

impl LandscapeFile {
    /// Reads what a run has; `None` if it has none.
    ///
    /// # Errors
    /// If the file can't be read or is damaged.
    pub fn of_run(run: &RunFolder) -> Result<Option<LandscapeFile>> {
        run.read_probe(FILE, "downhill landscape")
    }

    /// Stores it in a run.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save(&self, run: &RunFolder) -> Result<()> {
        run.save_probe(FILE, self)
    }
}
