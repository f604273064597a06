//! An API in OpenAI's form for a trained model: `downhill serve`.
//!
//! ```text
//! connection ─ access ─ routes ─ body ─ completion ─▶ jobs ─▶ scheduler (owns the model)
//!                                  answer ◀─ stream ◀─ events ─┘
//! ```
//!
//! Begin with `scheduler`: one thread owns the model and writes all texts together; they join and
//! leave at each token. A second thread serves the connections; the two exchange jobs and events.
//! What always holds: a text has the same bits alone and among others; whatever a client sends or
//! doesn't send, sizes, counts and times are bounded; a client that went away holds no place.
#![forbid(unsafe_code)]

mod access;
mod answer;
mod body;
mod chat;
mod completion;
mod error;
mod job;
mod metrics;
mod openapi;
mod routes;
mod scheduler;
mod served;
mod server;
mod stream;
mod tokens;

pub use access::Access;
pub use body::check;
pub use error::{Error, Result};
pub use server::{ApiOptions, ApiServer};
