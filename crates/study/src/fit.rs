//! A line or plane through points, y = w·x + b, by the same machine that trains language models.
//!
//! Read in this order: `points` (what is fitted), `standard` (in which units), `least_squares`
//! (what the answer must be, and how steep the way there), `task` (how the trainer finds it),
//! `model` (what is kept).

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
