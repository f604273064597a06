//! How near does the engine come to what the machine can do? The machine is measured first
//! ([`machine`]), then each operation alone ([`ops`]), whole training steps ([`step`]), matrix
//! products rung by rung ([`gemm`]) and generation ([`generate`]). Each time is compared with
//! `max(FLOPs / peak, bytes / bandwidth)`, which shows what is left to gain.
//!
//! Begin with [`machine`], then [`step`]. What always holds: FLOPs and bytes come from
//! `Operation::cost` alone; what is compared is measured by turns, with its spread.
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

/// What a part found.
#[derive(Debug, Clone, Serialize)]
pub struct Found<T> {
    /// The machine's limits, measured between the rest.
    pub machine: Reading,
    /// What was measured.
    pub measured: Vec<T>,
}

/// What every part is told.
pub struct Conditions<'a> {
    /// Threads that compute.
    pub threads: usize,
    /// Number format of the products.
    pub precision: Precision,
    /// Set by Ctrl-C: the part at hand ends with [`Error::Stopped`].
    pub stop: &'a AtomicBool,
    /// Told what is measured next, and the share of the part that is done.
    pub progress: &'a mut dyn FnMut(&str, f64),
}

/// A precision's name, as the config has it.
fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

impl Conditions<'_> {
    /// Fails where the user wants to stop.
    fn alive(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    /// Says what is measured next.
    fn next(&mut self, what: &str, done: f64) -> Result<()> {
        self.alive()?;
        (self.progress)(what, done);
        Ok(())
    }
}
