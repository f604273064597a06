//! What can this machine do at most, with how many threads?

use crate::error::Result;
use crate::{Conditions, Spread};
use engine::cpu::measure::MachineProbe;
use engine::{Cost, Precision};
use serde::Serialize;

/// Rounds of the table of the machine.
const ROUNDS: usize = 3;
/// Readings of each limit in a round.
pub const READINGS: usize = 3;

/// The limits with one number of threads.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    /// Threads.
    pub threads: usize,
    /// Fused multiply-adds of f32, FLOP/s.
    pub f32_flops: Spread,
    /// Products of bf16, FLOP/s, where the processor has them.
    pub bf16_flops: Option<Spread>,
    /// Reading from memory, bytes/s.
    pub read_bytes: Spread,
    /// The triad a = b + s·c in memory, bytes/s.
    pub triad_bytes: Spread,
    /// A barrier, seconds.
    pub barrier_seconds: Spread,
}

/// What the engine's speed is held against: the best reading of the peak, since what was reached
/// once can be reached, and the median of the triad, since a reading can profit from what a cache
/// still holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Most FLOP/s of products.
    pub flops: f64,
    /// Usual bytes/s from and to memory.
    pub bytes: f64,
}

impl Limits {
    /// The least seconds that this work can take.
    pub fn bound(&self, cost: Cost) -> f64 {
        (cost.flops as f64 / self.flops).max(cost.bytes as f64 / self.bytes)
    }
}

impl Reading {
    /// Limits of products in this precision; where the processor has no bf16, those of f32.
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

/// Takes readings, a few at a time, so that they can stand between other measurements.
pub struct Gauge {
    threads: usize,
    f32_flops: Vec<f64>,
    bf16_flops: Vec<f64>,
    read_bytes: Vec<f64>,
    triad_bytes: Vec<f64>,
    barrier_seconds: Vec<f64>,
}

impl Gauge {
    /// A gauge of what this many threads can do, without readings.
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

    /// Takes so many readings of each limit. Memory for them is held only meanwhile.
    ///
    /// # Errors
    /// Where the memory can't be had or a thread failed.
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

    /// What was read so far.
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

/// Numbers of threads worth a row: 1, 2, 4, … and all.
pub fn thread_counts(threads: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |n| Some(2 * n));
    let mut counts: Vec<usize> = doubled.take_while(|&n| n < threads).collect();
    counts.push(threads);
    counts
}

/// Seconds that [`run`] will take, about.
pub fn seconds(threads: usize) -> f64 {
    2.0 * thread_counts(threads).len() as f64
}

/// Measures the machine with 1, 2, 4, … and all threads, by turns.
///
/// # Errors
/// Where the memory can't be had, a thread failed, or the user stopped it.
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
