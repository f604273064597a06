//! Fits a line or plane to points, y = w·x + b, with the trainer that also trains language models.
//!
//! Read in this order: `points` (the data), `standard` (its units), `least_squares` (the
//! closed-form answer and the curvature of the error), `task` (how the trainer finds it), `model`
//! (the saved result).

mod error;
mod least_squares;
mod line;
mod model;
mod points;
mod standard;
mod table;
mod task;

pub use error::{Error, Result};
pub use line::Line;
pub use model::Model;
pub use points::{Points, Source};
pub use table::{column_names, listed};
pub(crate) use task::net;
pub use task::{Curvature, FitTask};
