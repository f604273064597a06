//! Counter-based random numbers: each is a function of (seed, purpose, step, index), so nothing
//! depends on threads, order or the progress of a run.
//!
//! Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// What a stream of random numbers is for. Streams of different purposes never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RandomPurpose {
    /// Initial weights of the parameter with this index.
    Init(u32),
    /// Dropout mask of the site with this index.
    Mask(u32),
    /// Choice of the next token.
    Sample,
    /// Random inputs of checks.
    Check,
}

impl RandomPurpose {
    fn code(self) -> u32 {
        match self {
            RandomPurpose::Init(row) => row << 3,
            RandomPurpose::Mask(site) => site << 3 | 1,
            RandomPurpose::Sample => 2,
            RandomPurpose::Check => 3,
        }
    }
}

/// Four random words of block `block` of the stream (seed, purpose, step).
#[inline(always)]
pub fn philox(seed: u64, purpose: RandomPurpose, step: u64, block: u64) -> [u32; 4] {
    let mut c = [
        block as u32,
        (block >> 32) as u32 ^ (step >> 32) as u32,
        step as u32,
        purpose.code(),
    ];
    let mut k = [seed as u32, (seed >> 32) as u32];
    for _ in 0..10 {
        let p0 = u64::from(c[0]) * 0xD251_1F53;
        let p1 = u64::from(c[2]) * 0xCD9E_8D57;
        c = [
            (p1 >> 32) as u32 ^ c[1] ^ k[0],
            p1 as u32,
            (p0 >> 32) as u32 ^ c[3] ^ k[1],
            p0 as u32,
        ];
        k = [
            k[0].wrapping_add(0x9E37_79B9),
            k[1].wrapping_add(0xBB67_AE85),
        ];
    }
    c
}

/// A stream read in order.
pub struct Stream {
    seed: u64,
    purpose: RandomPurpose,
    step: u64,
    index: u64,
}

impl Stream {
    /// The stream (seed, purpose, step), from its start.
    pub fn new(seed: u64, purpose: RandomPurpose, step: u64) -> Stream {
        Stream {
            seed,
            purpose,
            step,
            index: 0,
        }
    }

    fn pair(&mut self) -> (f64, f64) {
        let w = philox(self.seed, self.purpose, self.step, self.index);
        self.index += 1;
        let unit = |a: u32, b: u32| {
            ((u64::from(a) << 21 ^ u64::from(b) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        (unit(w[0], w[1]), unit(w[2], w[3]))
    }

    /// Uniform in the open interval (0, 1), with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        self.pair().0
    }

    /// Standard normal (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = self.pair();
        libm::sqrt(-2.0 * libm::log(u)) * libm::cos(2.0 * std::f64::consts::PI * v)
    }

    /// Uniform in 0 … n − 1; 0 if n is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answer of the reference implementation (Random123's kat_vectors) for counter and key
    /// all zero. In our layout that is seed 0, step 0, block 0, Init(0).
    #[test]
    fn philox_gives_the_published_answer() {
        assert_eq!(
            philox(0, RandomPurpose::Init(0), 0, 0),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut s = Stream::new(3, RandomPurpose::Check, 0);
        let x: Vec<f64> = (0..20_000).map(|_| s.normal()).collect();
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04,
            "{mean} {variance}"
        );
    }
}
