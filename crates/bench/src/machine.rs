//! What are this machine's limits, by number of threads?

use crate::error::Result;
use crate::{Conditions, Spread};
use engine::cpu::measure::MachineProbe;
use engine::{Cost, Precision};
use serde::Serialize;

/// Rounds of the machine's table.
const ROUNDS: usize = 3;
/// Readings of each limit per round.
pub const READINGS: usize = 3;

/// The limits with a given number of threads.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    /// Threads.
    pub threads: usize,
    /// Fused multiply-adds of f32, FLOP/s.
    pub f32_flops: Spread,
    /// Products of bf16, FLOP/s, if the processor supports them.
    pub bf16_flops: Option<Spread>,
    /// Reading from memory, bytes/s.
    pub read_bytes: Spread,
    /// The triad a = b + s·c in memory, bytes/s.
    pub triad_bytes: Spread,
    /// A barrier, seconds.
    pub barrier_seconds: Spread,
}

/// The limits that the engine is compared with: the best reading of the peak, since a speed reached
/// once is possible, and the median of the triad, since single readings can profit from cached
/// data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Peak FLOP/s of products.
    pub flops: f64,
    /// Typical memory bandwidth, bytes/s.
    pub bytes: f64,
}

impl Limits {
    /// Lower bound for this work, seconds.
    pub fn bound(&self, cost: Cost) -> f64 {
        (cost.flops as f64 / self.flops).max(cost.bytes as f64 / self.bytes)
    }
}

impl Reading {
    /// Limits in this precision; those of f32 if the processor has no bf16.
    pub fn limits(&self, precision: Precision) -> Limits {
        let peak = match (precision, &self.bf16_flops) {
            (Precision::Bf16, Some(bf16)) => bf16,
            _ => &self.f32_flops,
        };
        Limits {
            flops: peak.most,
            bytes: self.triad_bytes.median,
        }
    }
}

/// Takes readings a few at a time, so that they can be interleaved with other measurements.
pub struct Gauge {
    threads: usize,
    f32_flops: Vec<f64>,
    bf16_flops: Vec<f64>,
    read_bytes: Vec<f64>,
    triad_bytes: Vec<f64>,
    barrier_seconds: Vec<f64>,
}

impl Gauge {
    /// A gauge for this many threads, without readings.
    pub fn new(threads: usize) -> Gauge {
        Gauge {
            threads,
            f32_flops: Vec::new(),
            bf16_flops: Vec::new(),
            read_bytes: Vec::new(),
            triad_bytes: Vec::new(),
            barrier_seconds: Vec::new(),
        }
    }

    /// Takes `times` readings of each limit; frees its memory afterward.
    ///
    /// # Errors
    /// If memory runs out or a thread fails.
    pub fn take(&mut self, times: usize) -> Result<()> {
        let mut probe = MachineProbe::new(self.threads)?;
        for _ in 0..times {
            self.f32_flops.push(probe.f32_products()?);
            self.bf16_flops.extend(probe.bf16_products()?);
            self.read_bytes.push(probe.read()?);
            self.triad_bytes.push(probe.triad()?);
            self.barrier_seconds.push(probe.barrier()?);
        }
        Ok(())
    }

    /// The readings so far.
    pub fn reading(&self) -> Reading {
        let bf16 = (!self.bf16_flops.is_empty()).then(|| Spread::of(&self.bf16_flops));
        Reading {
            threads: self.threads,
            f32_flops: Spread::of(&self.f32_flops),
            bf16_flops: bf16,
            read_bytes: Spread::of(&self.read_bytes),
            triad_bytes: Spread::of(&self.triad_bytes),
            barrier_seconds: Spread::of(&self.barrier_seconds),
        }
    }
}

/// The numbers of threads to measure: 1, 2, 4, … and all.
pub fn thread_counts(threads: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |n| Some(2 * n));
    let mut counts: Vec<usize> = doubled.take_while(|&n| n < threads).collect();
    counts.push(threads);
    counts
}

/// Approximate seconds that [`run`] takes.
pub fn seconds(threads: usize) -> f64 {
    2.0 * thread_counts(threads).len() as f64
}

/// Measures the machine with 1, 2, 4, … and all threads, interleaved.
///
/// # Errors
/// If memory runs out, a thread fails, or the user stops the run.
pub fn run(s: &mut Conditions) -> Result<Vec<Reading>> {
    let counts = thread_counts(s.threads);
    let mut gauges: Vec<Gauge> = counts.iter().map(|&n| Gauge::new(n)).collect();
    for turn in 0..ROUNDS * gauges.len() {
        let gauge = &mut gauges[turn % counts.len()];
        let what = format!(
            "round {} of {ROUNDS}, threads: {}",
            turn / counts.len() + 1,
            gauge.threads
        );
        s.next(&what, turn as f64 / (ROUNDS * counts.len()) as f64)?;
        gauge.take(READINGS)?;
    }
    Ok(gauges.iter().map(Gauge::reading).collect())
}
