//! Into which windows is a text cut? EXPERIMENTS.md, "The planner", has the races.

use super::Facts;

/// How a text is read: windows of a step and their length, over the first part of the run the
/// length of short ones (0 for none) and their share of the steps, and whether the output head is
/// the embedding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub batch: usize,
    pub context: usize,
    pub short: usize,
    pub short_share: f64,
    pub tied: bool,
}

/// For texts that have few long windows.
pub(super) const SMALL_TEXT: Reading = Reading {
    batch: 16,
    context: 128,
    short: 0,
    short_share: 0.75,
    tied: false,
};

/// For all others.
const LARGE_TEXT: Reading = Reading {
    batch: 4,
    context: 512,
    short: 128,
    short_share: 0.75,
    tied: true,
};

/// Tokens of the smallest large text.
const LARGE: u64 = 1 << 15;

/// The share of the steps with short windows where much can be copied from further back, as in
/// code.
const SHORT_SHARE_OF_COPIES: f64 = 0.5;

/// Much can be copied if a trigram model that remembers needs less than this share of the bits of
/// one that doesn't.
const COPIES: f64 = 0.9;

/// If there is time for fewer steps than this, a step has half as many windows; with very few, a
/// quarter.
const FEW_STEPS: f64 = 400.0;
const VERY_FEW_STEPS: f64 = 150.0;

impl Reading {
    pub fn of(facts: &Facts) -> Reading {
        if facts.tokens < LARGE {
            return SMALL_TEXT;
        }
        match facts.remembering_bits < COPIES * facts.trigram_bits {
            true => Reading {
                short_share: SHORT_SHARE_OF_COPIES,
                ..LARGE_TEXT
            },
            false => LARGE_TEXT,
        }
    }

    /// The same, if there is time for this many steps.
    pub fn within(self, steps: f64) -> Reading {
        let share = match steps {
            few if few < VERY_FEW_STEPS => 4,
            few if few < FEW_STEPS => 2,
            _ => 1,
        };
        Reading {
            batch: self.batch / share,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_steps_the_fewer_windows_each_has() {
        let batch = |steps| LARGE_TEXT.within(steps).batch;
        assert_eq!([100.0, 300.0, 500.0].map(batch), [1, 2, 4]);
    }

    #[test]
    fn long_windows_come_earlier_where_much_is_copied() {
        let share = |remembering_bits| {
            let facts = Facts {
                tokens: 1_000_000,
                validation: 100_000,
                token_bytes: 3.0,
                vocabulary: 2048,
                merges: true,
                trigram_bits: 2.0,
                remembering_bits,
            };
            Reading::of(&facts).short_share
        };
        // Python and Rust; prose.
        assert_eq!([1.3, 1.75, 2.0].map(share), [0.5, 0.5, 0.75]);
    }
}
