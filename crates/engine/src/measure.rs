//! What can this machine do at most? Chains of products that never leave the registers, reading and
//! writing of more than the caches hold, and the cost of a barrier: the bounds that the engine's
//! own speed is held against.

use crate::arena::Arena;
use crate::error::Result;
use crate::lanes::{LANES, Lanes, lanes, sum_by};
use crate::machine::Isa;
use crate::team::{Order, Team, Workers};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Links of the chains of one reading: some milliseconds.
const LINKS: usize = 1 << 22;

/// Numbers that a thread reads or writes at a time.
const BLOCK: usize = 1 << 14;

/// Barriers of one reading.
const BARRIERS: usize = 1 << 12;

/// A team of threads and memory to measure with.
pub struct Probe {
    workers: Workers,
    isa: Isa,
    /// Three buffers of the triad, each much larger than the caches.
    buffers: [Arena; 3],
    sums: Arena,
}

impl Probe {
    /// A team of `threads` threads that uses the widest instructions of this processor.
    ///
    /// # Errors
    /// Where the memory can't be had.
    pub fn new(threads: usize) -> Result<Probe> {
        let isa = Isa::detect();
        let numbers = buffer_bytes() / 4;
        let buffer = || Arena::new(numbers);
        Ok(Probe {
            workers: Workers::new(threads, isa, Order::Rising),
            isa,
            buffers: [buffer()?, buffer()?, buffer()?],
            sums: Arena::new(numbers.div_ceil(BLOCK))?,
        })
    }

    /// Fused multiply-adds of f32 in registers, in FLOP/s: a multiplication and an addition count
    /// as two.
    ///
    /// # Errors
    /// Where a thread failed.
    pub fn f32_products(&mut self) -> Result<f64> {
        let isa = self.isa;
        let chains = if isa == Isa::Avx512 { WIDE } else { NARROW };
        let seconds = self.time(|_| {
            black_box(match isa {
                Isa::Avx512 => wide_chains(isa, black_box(0.5), LINKS),
                _ => narrow_chains(isa, black_box(0.5), LINKS),
            });
        })?;
        Ok(self.all_threads(2 * chains * LANES * LINKS) / seconds)
    }

    /// Products of pairs of bf16, added up in f32 in registers, in FLOP/s; none where the processor
    /// has no `vdpbf16ps`.
    ///
    /// # Errors
    /// Where a thread failed.
    pub fn bf16_products(&mut self) -> Result<Option<f64>> {
        #[cfg(target_arch = "x86_64")]
        if self.isa == Isa::Avx512 && is_x86_feature_detected!("avx512bf16") {
            // SAFETY: the processor has the instructions.
            let work = |_: &Team| unsafe { bf16_chains(black_box(0.5), LINKS) };
            let seconds = self.time(|team| {
                black_box(work(team));
            })?;
            return Ok(Some(self.all_threads(4 * WIDE * LANES * LINKS) / seconds));
        }
        Ok(None)
    }

    /// Reading from memory, in bytes/s.
    ///
    /// # Errors
    /// Where a thread failed.
    pub fn read(&mut self) -> Result<f64> {
        let len = self.buffers[0].len();
        let (from, sums) = (self.buffers[0].read(0, len), self.sums.out(0, self.sums.len()));
        let seconds = self.time(|team| {
            team.each(sums.bands(1, 1), |block, mut sum, _| {
                let end = len.min((block + 1) * BLOCK);
                sum.row(0)[0] = sum_of(team.isa(), &from.real()[block * BLOCK..end]);
            });
        })?;
        Ok(4.0 * len as f64 / seconds)
    }

    /// The triad a = b + s·c in memory, in bytes/s: two buffers read and one written (McCalpin's
    /// STREAM, which doesn't count that what is written is read into the cache before).
    ///
    /// # Errors
    /// Where a thread failed.
    pub fn triad(&mut self) -> Result<f64> {
        let len = self.buffers[0].len();
        let (b, c) = (self.buffers[1].read(0, len), self.buffers[2].read(0, len));
        let a = self.buffers[0].out(0, len);
        let seconds = self.time(|team| {
            team.each(a.bands(1, BLOCK), |block, mut a, _| {
                let (from, a) = (block * BLOCK, a.slice());
                let end = from + a.len();
                triad(team.isa(), a, &b.real()[from..end], &c.real()[from..end]);
            });
        })?;
        Ok(12.0 * len as f64 / seconds)
    }

    /// Seconds that one barrier of the team takes when all come to it at once.
    ///
    /// # Errors
    /// Where a thread failed.
    pub fn barrier(&mut self) -> Result<f64> {
        let seconds = self.time(|team| (0..BARRIERS).for_each(|_| team.meet()))?;
        Ok(seconds / BARRIERS as f64)
    }

    fn all_threads(&self, each: usize) -> f64 {
        (each * self.workers.threads()) as f64
    }

    /// Seconds from when all threads begin to when all are done.
    fn time(&mut self, work: impl Fn(&Team) + Sync) -> Result<f64> {
        let nanoseconds = AtomicU64::new(0);
        self.workers.run(&|team| {
            team.meet();
            let from = Instant::now();
            work(team);
            team.meet();
            if team.worker() == 0 {
                nanoseconds.store(from.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
        })?;
        Ok(nanoseconds.into_inner().max(1) as f64 * 1e-9)
    }
}

/// Bytes of a buffer: four times the largest cache, so that little of it stays there from one
/// reading to the next.
fn buffer_bytes() -> usize {
    let size = |index: usize| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().strip_suffix('K')?.parse::<usize>().ok()
    };
    let largest = (0..5).filter_map(size).max().unwrap_or(16 << 10);
    (4 * largest << 10).clamp(64 << 20, 512 << 20)
}

/// Chains that hide the latency of two units of AVX-512 and fit its 32 registers.
const WIDE: usize = 16;
/// The same for AVX2 (two registers a chain of 16 lanes, 16 registers) and NEON.
const NARROW: usize = 6;

#[inline(always)]
fn chains<const CHAINS: usize>(x: f32, links: usize) -> f32 {
    let (a, b) = (Lanes::all(x), Lanes::all(1.0 - x));
    let mut sums = [Lanes::all(x); CHAINS];
    for _ in 0..links {
        for sum in &mut sums {
            *sum = sum.mul_add(a, b);
        }
    }
    sums.into_iter().map(Lanes::sum).sum()
}

lanes! {
    fn wide_chains(x: f32, links: usize) -> f32 {
        chains::<WIDE>(x, links)
    }
}

lanes! {
    fn narrow_chains(x: f32, links: usize) -> f32 {
        chains::<NARROW>(x, links)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
fn bf16_chains(x: f32, links: usize) -> f32 {
    use std::arch::x86_64::*;
    let ones = _mm512_set1_ps(x);
    let pairs = _mm512_cvtne2ps_pbh(ones, ones);
    let mut sums = [ones; WIDE];
    for _ in 0..links {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
        }
    }
    sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
}

lanes! {
    fn sum_of(x: &[f32]) -> f32 {
        sum_by(x, 0.0, |x| x)
    }
}

lanes! {
    fn triad(a: &mut [f32], b: &[f32], c: &[f32]) {
        let by = Lanes::all(3.0);
        let sources = b.chunks(LANES).zip(c.chunks(LANES));
        for (a, (b, c)) in a.chunks_mut(LANES).zip(sources) {
            by.mul_add(Lanes::load(c, 0.0), Lanes::load(b, 0.0)).store(a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_is_a_positive_number() {
        let mut probe = Probe::new(2).unwrap();
        let bf16 = probe.bf16_products().unwrap();
        let readings = [
            probe.f32_products().unwrap(),
            bf16.unwrap_or(1.0),
            probe.read().unwrap(),
            probe.triad().unwrap(),
            probe.barrier().unwrap(),
        ];
        assert!(readings.iter().all(|x| x.is_finite() && *x > 0.0), "{readings:?}");
        assert_eq!(probe.buffers[0].slice(0, 3), [0.0; 3]);
    }
}
