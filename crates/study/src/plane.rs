//! The cost of a language model around its weights: on a plane through its checkpoints, on a random
//! plane, or on the line to another model.
//!
//! What is drawn is a slice: a plane in a space of as many dimensions as the model has weights. On
//! it every cost is exact. What a walker can't do is leave it, and what the run's own path loses is
//! its distance from it: both are measured, and shown.
//!
//! Start with `cost` (the cost anywhere) and `axes` (the plane); `grid` refines the picture,
//! `walkers` go down on it, `survey` does all of that for a run.

mod axes;
mod cost;
mod error;
mod grid;
mod survey;
#[cfg(test)]
mod tests;
mod walkers;

pub use axes::Plane;
pub use cost::{ModelCost, OtherEnd, StudiedRun};
pub use error::{Error, Result};
pub use grid::LEVELS;
pub use survey::{Survey, SurveySettings, Surveyed, Surveying, survey};
pub use walkers::WalkerRule;
