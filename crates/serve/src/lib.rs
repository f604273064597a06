//! The live page: a server on this machine that shows runs, live or finished. `api` reuses its
//! bounds on connections and its guard; no other crate opens a port.
//!
//! ```text
//! events.jsonl ─ Follow ─▶ Shown ─ api ─▶ page/
//!                           ├ small events, in memory
//!                           └ steps, in a Pyramid on disk
//! ```
//!
//! Begin with `guard` (which requests are allowed), then `shown` and `pyramid` (the data), then
//! `api` (the routes). What always holds: its only input is the run folder; training doesn't know
//! about it; its one thread runs at the lowest priority; sizes, counts and times are bounded.
#![forbid(unsafe_code)]

mod api;
mod assets;
mod connection;
mod control;
mod describe;
mod error;
mod guard;
mod line;
mod priority;
mod pyramid;
mod sampler;
mod server;
mod shelf;
mod shown;

pub use control::Control;
pub use error::{Error, Result};
pub use guard::Names;
pub use pyramid::{Pyramid, SERIES, Slice};
pub use server::{Bounds, Options, Server, accept_within};
pub use shelf::Runs;
