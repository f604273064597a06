//! The data order: which window of the text is learnt from when.

use crate::Error;
use crate::random::{Purpose, Random};

/// Refuses a text that can't fill what it is for: `context` inputs and the target after the last of
/// them. Training needs a whole window (`context` tokens); for a validation text, where a part
/// shorter than a window is scored as a short one, pass 1.
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

/// The order of training windows, a function of (seed, epoch).
///
/// The `n` tokens are seen as a ring. An epoch lays ⌈n / context⌉ windows side by side on it,
/// beginning at a random offset, and visits them in a random order. The starts of an epoch are all
/// different and every token is a target at least once; where `context` doesn't divide `n`, the
/// last window laid reaches over the first one, so the `context·⌈n / context⌉ − n` tokens there are
/// targets twice. The only state is a cursor: how many windows were taken.
#[derive(Clone, Debug)]
pub struct Windows {
    tokens: usize,
    context: usize,
    seed: u64,
    epoch: Option<u64>,
    offset: usize,
    order: Vec<usize>,
}

impl Windows {
    /// The order over a text of `tokens` tokens in windows of `context` tokens.
    pub fn new(tokens: usize, context: usize, seed: u64) -> Result<Self, Error> {
        let context = context.max(1);
        check_length(tokens, context, "the training text")?;
        let order = Vec::with_capacity(tokens.div_ceil(context));
        Ok(Windows {
            tokens,
            context,
            seed,
            epoch: None,
            offset: 0,
            order,
        })
    }

    /// How many windows make an epoch: ⌈n / context⌉.
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
        let slot = self.order[(window % self.per_epoch()) as usize];
        ((self.offset as u128 + slot as u128 * self.context as u128) % self.tokens as u128) as usize
    }

    /// Fisher–Yates, from the last place down (Knuth, TAOCP 2, 3.4.2, algorithm P).
    fn shuffle(&mut self, epoch: u64) {
        let mut random = Random::new(self.seed, Purpose::Windows, epoch);
        self.offset = random.below(self.tokens as u64) as usize;
        self.order.clear();
        self.order.extend(0..self.tokens.div_ceil(self.context));
        for last in (1..self.order.len()).rev() {
            self.order
                .swap(last, random.below(last as u64 + 1) as usize);
        }
        self.epoch = Some(epoch);
    }

    /// Fills `inputs` and `targets` (both `[batch, context]`, row-major) with the windows
    /// `first_window`, `first_window + 1`, … of `tokens`, which must be the text that this order
    /// was made for.
    pub fn fill(
        &mut self,
        tokens: &[u32],
        first_window: u64,
        batch: usize,
        inputs: &mut [u32],
        targets: &mut [u32],
    ) {
        assert_eq!(tokens.len(), self.tokens, "tokens of another text");
        assert_eq!(
            (inputs.len(), targets.len()),
            (batch * self.context, batch * self.context)
        );
        let rows = inputs.chunks_exact_mut(self.context);
        let rows = rows.zip(targets.chunks_exact_mut(self.context));
        for ((input, target), window) in rows.zip(first_window..) {
            let start = self.start(window);
            copy_ring(tokens, start, input);
            copy_ring(tokens, (start + 1) % tokens.len(), target);
        }
    }
}

/// Copies from a ring that is at least as long as `out`.
fn copy_ring(ring: &[u32], start: usize, out: &mut [u32]) {
    let straight = out.len().min(ring.len() - start);
    let (head, tail) = out.split_at_mut(straight);
    head.copy_from_slice(&ring[start..start + straight]);
    tail.copy_from_slice(&ring[..tail.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_covers_every_token_and_repeats_no_start() {
        for (n, context) in [(9, 8), (16, 4), (17, 4), (1000, 7), (257, 256), (5, 1)] {
            let tokens: Vec<u32> = (0..n as u32).collect();
            let mut windows = Windows::new(n, context, 3).unwrap();
            for epoch in 0..3 {
                let count = windows.per_epoch();
                let mut targets_seen = vec![0usize; n];
                let mut starts = std::collections::BTreeSet::new();
                for window in epoch * count..(epoch + 1) * count {
                    let (mut x, mut y) = (vec![0; context], vec![0; context]);
                    windows.fill(&tokens, window, 1, &mut x, &mut y);
                    assert!(starts.insert(x[0]), "start {} twice", x[0]);
                    for (x, y) in x.iter().zip(&y) {
                        assert_eq!((*x as usize + 1) % n, *y as usize);
                        targets_seen[*y as usize] += 1;
                    }
                }
                assert!(targets_seen.iter().all(|&t| (1..=2).contains(&t)));
                let twice = targets_seen.iter().filter(|&&t| t == 2).count();
                assert_eq!(twice, count as usize * context - n);
            }
        }
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
