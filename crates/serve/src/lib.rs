//! The live page, a server on this machine that shows runs, live or finished; and the playground of
//! their models. `api` reuses its bounds on connections and its guard; no other crate opens a port.
//!
//! ```text
//! events.jsonl ─ Follow ─▶ Shown ─ api ─▶ page/
//!                           ├ small events, in memory
//!                           └ steps, in a Pyramid on disk
//! checkpoints ─ Player ─ play_api ─▶ page/play.js
//!                     Teacher ─ lessons ─▶ page/lesson.js
//! ```
//!
//! Begin with `guard` (which requests are allowed), then `shown` and `pyramid` (the data), then
//! `api` (the routes); for the playground, `play` and `player`. What always holds: the only input
//! is the run folder; training doesn't know about it; beside it, all threads have the lowest
//! priority; sizes, counts and times are bounded.
#![forbid(unsafe_code)]

mod answer;
mod api;
mod assets;
mod connection;
mod control;
mod describe;
mod error;
mod guard;
mod lessons;
mod line;
mod play;
mod play_api;
mod player;
mod power;
mod priority;
mod pyramid;
mod seen;
mod server;
mod shelf;
mod shown;
mod teacher;

pub use control::Control;
pub use error::{Error, Result};
pub use guard::Names;
pub use power::Power;
pub use pyramid::{Pyramid, SERIES, Slice};
pub use server::{Bounds, Options, Server, accept_within};
pub use shelf::Runs;
pub use teacher::Teacher;
