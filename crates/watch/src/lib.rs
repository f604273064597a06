//! Watching a run: the readers of its events.
//!
//! Begin with [`Dashboard`] (the state of a run after some events), then [`TerminalLog`], [`tui`]
//! and [`report()`], which show it.
//!
//! What always holds: everything shown comes from events alone, never from a clock or the terminal,
//! so the same events give the same log and the same report. [`Screen`] prints on a thread of its
//! own and can neither slow nor crash training.
#![forbid(unsafe_code)]

mod dashboard;
mod landscape;
mod left;
mod race;
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
pub use landscape::{caption, landscape, map};
pub use race::RaceLog;
pub use report::{Findings, pictures, report};
pub use screen::Screen;
pub use tensorboard::TensorBoard;
pub use terminal::TerminalLog;
pub use text::{argument, cell, escaped_json, hidden, line, lines};
pub use units::{amount, count, duration};
