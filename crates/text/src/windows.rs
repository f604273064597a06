//! The data order: which window of the text is trained on when.

use crate::Error;
use crate::random::{Random, RandomUse};

/// Refuses a text with fewer tokens than `context` inputs and the target after the last one.
/// Training needs a whole window (`context` tokens); a validation text, whose last window may be
/// short, needs 1.
pub fn check_length(tokens: usize, context: usize, what: &str) -> Result<(), Error> {
    let needed = context.saturating_add(1).max(2);
    if tokens < needed {
        return Err(Error::TooShort {
            what: what.to_owned(),
            tokens,
            needed,
        });
    }
    Ok(())
}

/// Up to this many windows in an epoch, their order is stored as a list (at most 4 MiB). Beyond, a
/// function computes it without a list.
const LISTED: u64 = 1 << 20;

/// The order of training windows, a function of (seed, epoch).
///
/// The `n` tokens form a ring. An epoch lays ⌈n / context⌉ windows side by side on it, starting at
/// a random offset, and visits them in random order. The starts of an epoch are all different, and
/// every token is a target at least once; if `context` doesn't divide `n`, the last window overlaps
/// the first one, so `context·⌈n / context⌉ − n` tokens are targets twice. The only state is a
/// cursor: how many windows were taken.
#[derive(Clone, Debug)]
pub struct Windows {
    tokens: usize,
    context: usize,
    seed: u64,
    epoch: Option<u64>,
    offset: usize,
    /// The order of the epoch, if it is stored as a list.
    order: Vec<u32>,
}

impl Windows {
    /// The order over a text of `tokens` tokens in windows of `context` tokens.
    pub fn new(tokens: usize, context: usize, seed: u64) -> Result<Self, Error> {
        let context = context.max(1);
        check_length(tokens, context, "the training text")?;
        Ok(Windows {
            tokens,
            context,
            seed,
            epoch: None,
            offset: 0,
            order: Vec::new(),
        })
    }

    /// The number of windows in an epoch: ⌈n / context⌉.
    pub fn per_epoch(&self) -> u64 {
        self.tokens.div_ceil(self.context) as u64
    }

    /// The position of the first input of window number `window`, counted from the beginning of
    /// training. Input j is token (start + j) mod n, its target token (start + j + 1) mod n.
    pub fn start(&mut self, window: u64) -> usize {
        let epoch = window / self.per_epoch();
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        let place = window % self.per_epoch();
        let slot = match self.order.get(place as usize) {
            Some(&slot) => u64::from(slot),
            None => permute(place, self.per_epoch(), self.seed, epoch),
        };
        ((self.offset as u128 + slot as u128 * self.context as u128) % self.tokens as u128) as usize
    }

    /// Fisher–Yates, from the last place down (Knuth, TAOCP 2, 3.4.2, algorithm P).
    fn shuffle(&mut self, epoch: u64) {
        let mut random = Random::new(self.seed, RandomUse::Windows, epoch);
        self.offset = random.below(self.tokens as u64) as usize;
        self.epoch = Some(epoch);
        if self.per_epoch() > LISTED {
            return;
        }
        self.order.clear();
        self.order.extend(0..self.per_epoch() as u32);
        for last in (1..self.order.len()).rev() {
            self.order
                .swap(last, random.below(last as u64 + 1) as usize);
        }
    }
}

/// Rounds of the Feistel network.
const ROUNDS: u64 = 8;

/// A permutation of 0..n as a function of (seed, epoch), without a list: a Feistel network over the
/// smallest even number of bits that holds n, repeated until the result is below n (Black and
/// Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, methods 2 and 3).
fn permute(place: u64, n: u64, seed: u64, epoch: u64) -> u64 {
    let bits = (64 - n.saturating_sub(1).leading_zeros())
        .div_ceil(2)
        .max(1);
    let mask = (1u64 << bits) - 1;
    let mut at = place;
    loop {
        let (mut left, mut right) = (at >> bits, at & mask);
        for round in 0..ROUNDS {
            let mixed = Random::at(seed, RandomUse::LargeOrder, epoch, right * ROUNDS + round);
            (left, right) = (right, (left ^ u64::from(mixed)) & mask);
        }
        at = left << bits | right;
        if at < n {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_covers_every_token_and_repeats_no_start() {
        for (n, context) in [(9, 8), (16, 4), (17, 4), (1000, 7), (257, 256), (5, 1)] {
            let mut windows = Windows::new(n, context, 3).unwrap();
            for epoch in 0..3 {
                let count = windows.per_epoch();
                let mut targets_seen = vec![0usize; n];
                let mut starts = std::collections::BTreeSet::new();
                for window in epoch * count..(epoch + 1) * count {
                    let start = windows.start(window);
                    assert!(starts.insert(start), "start {start} twice");
                    (1..=context).for_each(|j| targets_seen[(start + j) % n] += 1);
                }
                assert!(targets_seen.iter().all(|&t| (1..=2).contains(&t)));
                let twice = targets_seen.iter().filter(|&&t| t == 2).count();
                assert_eq!(twice, count as usize * context - n);
            }
        }
    }

    #[test]
    fn the_order_without_a_list_is_a_permutation_too() {
        for n in [1, 2, 3, 4, 5, 100, 1000, 4097] {
            let order = |epoch| (0..n).map(move |at| permute(at, n, 7, epoch));
            let mut seen: Vec<u64> = order(0).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..n).collect::<Vec<_>>());
            assert!(n < 100 || order(0).ne(order(1)), "epochs differ");
        }
        // Neighbors end up far apart: in a random order, their mean distance is a third of n.
        let n = 100_000;
        let at = |i| permute(i, n, 7, 0) as f64;
        let distance: f64 = (1..n).map(|i| (at(i) - at(i - 1)).abs()).sum();
        let mean = distance / n as f64 / n as f64;
        assert!((0.32..0.345).contains(&mean), "{mean}");
        let mut large = Windows::new(1 << 30, 64, 1).unwrap();
        let starts: std::collections::BTreeSet<usize> = (0..1000).map(|w| large.start(w)).collect();
        assert!(starts.len() == 1000 && large.order.is_empty());
    }

    #[test]
    fn the_cursor_is_the_whole_state_and_seed_and_epoch_matter() {
        let mut straight = Windows::new(1000, 10, 1).unwrap();
        let starts: Vec<usize> = (0..300).map(|w| straight.start(w)).collect();
        let mut again = Windows::new(1000, 10, 1).unwrap();
        for w in (0..300).rev() {
            assert_eq!(again.start(w), starts[w as usize]);
        }
        assert_ne!(starts[..100], starts[100..200]);
        let mut other = Windows::new(1000, 10, 2).unwrap();
        assert_ne!(
            starts[..100],
            (0..100).map(|w| other.start(w)).collect::<Vec<_>>()[..]
        );
    }

    #[test]
    fn a_text_shorter_than_a_window_and_its_last_target_is_refused() {
        assert!(
            Windows::new(8, 8, 0)
                .unwrap_err()
                .to_string()
                .contains("at least 9")
        );
        assert!(check_length(1, 1, "the validation text").is_err());
        assert!(check_length(2, 1, "the validation text").is_ok());
    }
}
