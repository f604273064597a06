//! Counter-based random numbers: the n-th number is a function of (seed, purpose, stream, n) alone.
//!
//! Philox4x32-10 from Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
//! (SC 2011), section 3.

/// The purpose of a stream, so that no two uses share one.
#[derive(Clone, Copy, Debug)]
pub enum RandomUse {
    /// Order of the training windows; the stream is the epoch.
    Windows = 1,
    /// Stories of the training text.
    TrainTales = 2,
    /// Stories of the validation text.
    ValidationTales = 3,
    /// Order of the training windows of a large text; the stream is the epoch.
    LargeOrder = 4,
    /// Choice of the documents to show.
    Documents = 5,
    /// Merges that are left out; the stream is the number of the training window.
    Merges = 6,
    /// Questions of the built-in exercises.
    Exercises = 7,
    /// Stories about which questions are asked.
    AskedTales = 8,
    /// Strings planted in the training text, and where; the stream tells the two apart.
    Canaries = 16,
}

/// Four words from a counter and a key: ten rounds.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [
            key[0].wrapping_add(0x9E37_79B9),
            key[1].wrapping_add(0xBB67_AE85),
        ];
    }
    counter
}

/// One stream of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    key: [u32; 2],
    stream: u32,
    purpose: u32,
    block: u64,
    words: [u32; 4],
    used: usize,
}

impl Random {
    /// Stream `stream` (its low 32 bits count) for a purpose and a seed.
    pub fn new(seed: u64, purpose: RandomUse, stream: u64) -> Self {
        Random {
            key: [seed as u32, (seed >> 32) as u32],
            stream: stream as u32,
            purpose: purpose as u32,
            block: 0,
            words: [0; 4],
            used: 4,
        }
    }

    /// The first 32 bits of block `index` of a stream, computed directly.
    pub fn at(seed: u64, purpose: RandomUse, stream: u64, index: u64) -> u32 {
        let counter = [
            index as u32,
            (index >> 32) as u32,
            stream as u32,
            purpose as u32,
        ];
        philox(counter, [seed as u32, (seed >> 32) as u32])[0]
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            let counter = [
                self.block as u32,
                (self.block >> 32) as u32,
                self.stream,
                self.purpose,
            ];
            self.words = philox(counter, self.key);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A uniform number in 0..n (n ≥ 1); draws below 2⁶⁴ mod n are rejected.
    pub fn below(&mut self, n: u64) -> u64 {
        let n = n.max(1);
        let uneven = n.wrapping_neg() % n;
        loop {
            let draw = u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32;
            if draw >= uneven {
                return draw % n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_vectors() {
        assert_eq!(
            philox([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(
            philox(pi, [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
