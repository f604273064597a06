//! What are this machine's limits? Chains of products that stay in registers, reads and writes of
//! more than the caches hold, and the cost of a barrier: the engine's speed is compared with these
//! bounds.

use crate::cpu::arena::Arena;
use crate::cpu::gemm::prefetch_early;
use crate::cpu::lanes::{LANES, Vector, lanes, sum_by};
use crate::cpu::machine::{Isa, Level};
use crate::cpu::team::{Order, Team, Workers};
use crate::error::Result;
use crate::precision::Precision;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Links per chain of one measurement: a few milliseconds.
const LINKS: usize = 1 << 21;

/// Numbers that a thread reads or writes per tile.
const BLOCK: usize = 1 << 16;

/// Parts of a tile that are read at once, since memory delivers several streams faster than one,
/// and how many numbers ahead each is prefetched: as the kernels for one row read weights.
const STREAMS: usize = 4;
const AHEAD: usize = 1024;

/// Number of measurements, of which the best counts.
const READINGS: usize = 5;

/// Barriers per measurement.
const BARRIERS: usize = 1 << 12;

/// A team of threads and memory to measure with.
pub struct MachineProbe {
    workers: Workers,
    isa: Isa,
    /// Three buffers of the triad, each much larger than the caches.
    buffers: [Arena; 3],
    sums: Arena,
}

impl MachineProbe {
    /// A team of `threads` threads that uses the widest instructions of this processor.
    ///
    /// # Errors
    /// If the memory can't be allocated.
    pub fn new(threads: usize) -> Result<MachineProbe> {
        let isa = Isa::detect();
        let numbers = buffer_bytes() / 4;
        // Written once: untouched memory maps to a single page of zeros, which stays in the caches.
        let buffer = || {
            let mut buffer = Arena::new(numbers)?;
            buffer.slice_mut(0, numbers).fill(1.0);
            Ok::<_, crate::Error>(buffer)
        };
        Ok(MachineProbe {
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
    /// If a thread panicked.
    pub fn f32_products(&mut self) -> Result<f64> {
        f32_products(&mut self.workers, self.isa)
    }

    /// Products of pairs of bf16, summed in f32 in registers, in FLOP/s; `None` if the processor
    /// lacks `vdpbf16ps`.
    ///
    /// # Errors
    /// If a thread panicked.
    pub fn bf16_products(&mut self) -> Result<Option<f64>> {
        bf16_products(&mut self.workers, self.isa)
    }

    /// Read bandwidth of memory, in bytes/s.
    ///
    /// # Errors
    /// If a thread panicked.
    pub fn read(&mut self) -> Result<f64> {
        let len = self.buffers[0].len();
        let (from, sums) = (
            self.buffers[0].read(0, len),
            self.sums.out(0, self.sums.len()),
        );
        let seconds = time(&mut self.workers, |team| {
            team.each(sums.bands(1, 1), |block, mut sum, _| {
                let end = len.min((block + 1) * BLOCK);
                sum.row(0)[0] = sum_of(team.isa(), &from.real()[block * BLOCK..end]);
            });
        })?;
        Ok(4.0 * len as f64 / seconds)
    }

    /// The triad a = b + s·c in memory, in bytes/s: two buffers read and one written (McCalpin's
    /// STREAM, which doesn't count the read for ownership of the written lines).
    ///
    /// # Errors
    /// If a thread panicked.
    pub fn triad(&mut self) -> Result<f64> {
        let len = self.buffers[0].len();
        let (b, c) = (self.buffers[1].read(0, len), self.buffers[2].read(0, len));
        let a = self.buffers[0].out(0, len);
        let seconds = time(&mut self.workers, |team| {
            team.each(a.bands(1, BLOCK), |block, mut a, _| {
                let (from, a) = (block * BLOCK, a.slice());
                let end = from + a.len();
                triad(team.isa(), a, &b.real()[from..end], &c.real()[from..end]);
            });
        })?;
        Ok(12.0 * len as f64 / seconds)
    }

    /// Seconds per barrier when all threads arrive at the same time.
    ///
    /// # Errors
    /// If a thread panicked.
    pub fn barrier(&mut self) -> Result<f64> {
        let seconds = time(&mut self.workers, |team| {
            (0..BARRIERS).for_each(|_| team.meet())
        })?;
        Ok(seconds / BARRIERS as f64)
    }
}

/// Peak rate of a team in products of this precision, in FLOP/s: the best of several measurements,
/// about 40 ms in total.
pub(crate) fn products(workers: &mut Workers, isa: Isa, precision: Precision) -> Result<f64> {
    let mut most = 0.0f64;
    for _ in 0..READINGS {
        let bf16 = match precision {
            Precision::Bf16 => bf16_products(workers, isa)?,
            Precision::F32 => None,
        };
        most = most.max(match bf16 {
            Some(found) => found,
            None => f32_products(workers, isa)?,
        });
    }
    Ok(most)
}

fn f32_products(workers: &mut Workers, isa: Isa) -> Result<f64> {
    // Fused multiply-adds of one link of all chains.
    let (chains, lanes, work): (usize, usize, fn(f32) -> f32) = match isa.level() {
        // SAFETY: such an `Isa` exists only where the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => (x86::CHAINS, 16, |x| unsafe { x86::avx512(x) }),
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => (x86::NARROW, 8, |x| unsafe { x86::avx2(x) }),
        _ => (PORTABLE_CHAINS, LANES, portable_chains),
    };
    let seconds = time(workers, |_| {
        black_box(work(black_box(0.5)));
    })?;
    Ok(all_threads(workers, 2 * chains * lanes * LINKS) / seconds)
}

fn bf16_products(workers: &mut Workers, isa: Isa) -> Result<Option<f64>> {
    #[cfg(target_arch = "x86_64")]
    if isa.level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16") {
        let seconds = time(workers, |_| {
            // SAFETY: the processor has the instructions.
            black_box(unsafe { x86::bf16(black_box(0.5)) });
        })?;
        return Ok(Some(
            all_threads(workers, 4 * x86::CHAINS * 16 * LINKS) / seconds,
        ));
    }
    Ok(None)
}

fn all_threads(workers: &Workers, each: usize) -> f64 {
    (each * workers.threads()) as f64
}

/// Seconds from when all threads begin to when all are done.
fn time(workers: &mut Workers, work: impl Fn(&Team) + Sync) -> Result<f64> {
    let nanoseconds = AtomicU64::new(0);
    workers.run(&|team| {
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

/// Bytes of a buffer: four times the largest cache, so that little of it stays cached from one
/// measurement to the next.
fn buffer_bytes() -> usize {
    let size = |index: usize| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().strip_suffix('K')?.parse::<usize>().ok()
    };
    let largest = (0..5).filter_map(size).max().unwrap_or(16 << 10);
    (4 * largest * 1024).clamp(64 << 20, 512 << 20)
}

/// Chains of the portable form: at 4 registers per chain they fit into NEON's 32.
const PORTABLE_CHAINS: usize = 6;

/// Chains of fused multiply-adds on 16 lanes.
fn portable_chains(x: f32) -> f32 {
    use crate::cpu::lanes::Plain as Lanes;
    let (a, b) = (Lanes::all(x), Lanes::all(1.0 - x));
    let mut sums = [Lanes::all(x); PORTABLE_CHAINS];
    for _ in 0..LINKS {
        for sum in &mut sums {
            *sum = sum.mul_add(a, b);
        }
    }
    sums.iter().fold(0.0, |total, sum| total + sum.sum())
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::LINKS;
    use std::arch::x86_64::*;

    /// Enough chains to hide the latency of two units; they fit into the 32 registers of AVX-512.
    pub const CHAINS: usize = 24;
    /// The same for the 16 registers of AVX2.
    pub const NARROW: usize = 12;

    /// sum ← sum · a + b, with a and b such that the sum stays near 1.
    #[target_feature(enable = "avx512f")]
    pub fn avx512(x: f32) -> f32 {
        let (a, b) = (_mm512_set1_ps(x), _mm512_set1_ps(1.0 - x));
        let mut sums = [b; CHAINS];
        for _ in 0..LINKS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        _mm512_reduce_add_ps(sums.iter().fold(b, |t, &s| _mm512_add_ps(t, s)))
    }

    /// The same with AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(x: f32) -> f32 {
        let (a, b) = (_mm256_set1_ps(x), _mm256_set1_ps(1.0 - x));
        let mut sums = [b; NARROW];
        for _ in 0..LINKS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        _mm256_cvtss_f32(sums.iter().fold(b, |t, &s| _mm256_add_ps(t, s)))
    }

    /// sum ← sum + Σ of two products of bf16, lane by lane.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn bf16(x: f32) -> f32 {
        let ones = _mm512_set1_ps(x);
        let pairs = _mm512_cvtne2ps_pbh(ones, ones);
        let mut sums = [ones; CHAINS];
        for _ in 0..LINKS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        _mm512_reduce_add_ps(sums.iter().fold(ones, |t, &s| _mm512_add_ps(t, s)))
    }
}

lanes! {
    /// The sum of the numbers of a block, read as weights are: its quarters at once.
    fn sum_of(x: &[f32]) -> f32 {
        let (quarters, rest) = x.as_chunks::<{ BLOCK / STREAMS }>();
        let mut sums = [Lanes::all(0.0); STREAMS];
        for at in (0..BLOCK / STREAMS).step_by(LANES) {
            for (sum, quarter) in sums.iter_mut().zip(quarters) {
                prefetch_early(quarter.as_ptr().wrapping_add(at + AHEAD), LANES);
                *sum = *sum + Lanes::load(&quarter[at..at + LANES], 0.0);
            }
        }
        sum_by(rest, 0.0, |x: Lanes| x) + sums.map(Lanes::sum).iter().sum::<f32>()
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
        let mut probe = MachineProbe::new(2).unwrap();
        let bf16 = probe.bf16_products().unwrap();
        let readings = [
            probe.f32_products().unwrap(),
            bf16.unwrap_or(1.0),
            probe.read().unwrap(),
            probe.triad().unwrap(),
            probe.barrier().unwrap(),
        ];
        assert!(
            readings.iter().all(|x| x.is_finite() && *x > 0.0),
            "{readings:?}"
        );
        assert_eq!(probe.buffers[0].slice(0, 3), [4.0; 3], "a = b + 3 c");
    }
}
