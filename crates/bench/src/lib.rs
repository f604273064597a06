//! How close does the engine come to the limits of the machine? This crate measures the machine
//! ([`machine`]), each operation alone ([`ops`]), whole training steps ([`step`]), matrix products
//! rung by rung ([`gemm`]) and generation ([`generate`]). Each time is compared with
//! `max(FLOPs / peak, bytes / bandwidth)`, which shows the possible gain.
//!
//! Start with [`machine`], then [`step`]. Invariants: FLOPs and bytes come only from
//! `Operation::cost`; measurements that are compared are interleaved and have a spread.
#![forbid(unsafe_code)]

pub mod chosen;
mod error;
pub mod gemm;
pub mod generate;
pub mod machine;
pub mod models;
pub mod ops;
mod single;
mod spread;
pub mod step;

pub use error::{Error, Result};
pub use machine::{Limits, Reading};
pub use models::BenchModel;
pub use spread::Spread;

use engine::Precision;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// The results of one part.
#[derive(Debug, Clone, Serialize)]
pub struct Found<T> {
    /// The machine's limits, measured between the other measurements.
    pub machine: Reading,
    /// The measurements.
    pub measured: Vec<T>,
}

/// Settings shared by all parts.
pub struct Conditions<'a> {
    /// Number of compute threads.
    pub threads: usize,
    /// Number format of the products.
    pub precision: Precision,
    /// Set by Ctrl-C: the current part returns [`Error::Stopped`].
    pub stop: &'a AtomicBool,
    /// Receives what is measured next and the completed share of the part.
    pub progress: &'a mut dyn FnMut(&str, f64),
}

/// A precision's name in the config.
fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

impl Conditions<'_> {
    /// Fails if the user asked to stop.
    fn alive(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    /// Reports what is measured next.
    fn next(&mut self, what: &str, done: f64) -> Result<()> {
        self.alive()?;
        (self.progress)(what, done);
        Ok(())
    }
}
