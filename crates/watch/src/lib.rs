//! Watching a run: readers of its events.
//!
//! [`TerminalLog`] turns events into text, from the events alone (no clock, no terminal is asked),
//! so the same events always give the same log. [`Screen`] shows it beside the training, which it
//! can neither slow nor crash.
#![forbid(unsafe_code)]

mod dashboard;
mod report;
mod screen;
mod summary;
mod svg;
mod table;
mod tensorboard;
mod terminal;
mod text;
pub mod tui;
mod units;

pub use dashboard::Dashboard;
pub use report::{pictures, report};
pub use screen::Screen;
pub use tensorboard::TensorBoard;
pub use terminal::TerminalLog;
pub use units::{amount, count, duration};
