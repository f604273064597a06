//! The one door to the network: a page on this machine that shows runs, live or finished.
//!
//! ```text
//! events.jsonl ─ Follow ─▶ Shown ─ api ─▶ page/
//!                           ├ small events, in memory
//!                           └ steps, in a Pyramid on disk
//! ```
//!
//! Begin with `guard` (who may ask), then `shown` and `pyramid` (what is known), then `api` (what
//! is answered). What always holds: only the run folder feeds it; the training knows nothing of it;
//! its one thread runs at the lowest priority, and sizes, counts and times are bounded.
#![forbid(unsafe_code)]

mod api;
mod assets;
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
pub use pyramid::{Pyramid, SERIES, Slice};
pub use server::{Options, Server};
pub use shelf::Runs;
