//! Baselines that only count: unigrams, bigrams and trigrams of the training text, each smoothed by
//! the next shorter one (Witten and Bell, "The zero-frequency problem", 1991):
//!
//! P(w | h) = (count(h w) + kinds(h) · P(w | h')) / (count(h) + kinds(h))
//!
//! where kinds(h) is the number of distinct tokens seen after h, and h' is h without its first
//! token.

use crate::error::Result;
use data::Tokens;
use run::Ladder;
use std::collections::HashMap;
use std::ops::Range;

/// The most training tokens counted, and the most validation tokens predicted. They limit the time
/// to a few tenths of a second and the memory to 100 MB for any vocabulary.
const COUNTED: usize = 2_000_000;
const PREDICTED: usize = 100_000;
/// Tokens of a piece where not all are counted, and where not all are predicted. The pieces are
/// spread evenly, because places of a text may be much harder than the rest.
const COUNTED_PIECE: usize = 20_000;
const PREDICTED_PIECE: usize = 1_000;

/// Tokens of the contexts that are remembered within a piece.
const REMEMBERED: [usize; 2] = [3, 4];

/// Bits per token in a key: three tokens fit 64 bits, which allows vocabularies of 2 million
/// tokens.
const BITS: u32 = 21;

/// The continuations of one context: how many tokens, and how many distinct ones.
#[derive(Clone, Copy, Default)]
struct Follows {
    count: f64,
    kinds: f64,
}

/// Counts of contexts of one length, sorted: (context and token, count), and (context, follows).
struct Counts {
    grams: Vec<(u64, u32)>,
    contexts: Vec<(u64, Follows)>,
}

/// Tokens packed into one number, the last in the lowest bits.
fn key(tokens: &[u32]) -> u64 {
    tokens.iter().fold(0, |key, &t| key << BITS | u64::from(t))
}

impl Counts {
    /// Counts all grams of `length` tokens.
    fn new(tokens: &[u32], length: usize) -> Counts {
        let mut all: Vec<u64> = tokens.windows(length).map(key).collect();
        all.sort_unstable();
        let same = all.chunk_by(|a, b| a == b);
        let grams: Vec<(u64, u32)> = same.map(|same| (same[0], same.len() as u32)).collect();
        let same = grams.chunk_by(|a, b| a.0 >> BITS == b.0 >> BITS);
        let contexts = same.map(|same| {
            let follows = Follows {
                count: same.iter().map(|(_, count)| f64::from(*count)).sum(),
                kinds: same.len() as f64,
            };
            (same[0].0 >> BITS, follows)
        });
        Counts {
            contexts: contexts.collect(),
            grams,
        }
    }

    /// P(last token | preceding tokens), given that of the shorter model.
    fn probability(&self, gram: &[u32], shorter: f64) -> f64 {
        let gram = key(gram);
        let found = self.contexts.binary_search_by_key(&(gram >> BITS), |c| c.0);
        let Ok(at) = found else { return shorter };
        let Follows { count, kinds } = self.contexts[at].1;
        let seen = self.grams.binary_search_by_key(&gram, |g| g.0);
        let seen = seen.map_or(0.0, |at| f64::from(self.grams[at].1));
        (seen + kinds * shorter) / (count + kinds)
    }
}

/// All of `len` tokens, or pieces of `piece` with `most` of them.
fn pieces(len: usize, most: usize, piece: usize) -> Vec<Range<usize>> {
    let (piece, count) = match len <= most {
        true => (len, 1),
        false => (piece, most / piece),
    };
    let begins = (0..count).map(|at| at * (len - piece) / (count - 1).max(1));
    begins.map(|begin| begin..begin + piece).collect()
}

/// The tokens of a training part that are counted.
///
/// # Errors
/// If they can't be read.
pub fn counted(train: &Tokens) -> Result<Vec<u32>> {
    let mut counted = Vec::new();
    for piece in pieces(train.len(), COUNTED, COUNTED_PIECE) {
        let from = counted.len();
        counted.resize(from + piece.len(), 0);
        train.read(piece.start, &mut counted[from..])?;
    }
    Ok(counted)
}

/// Counts of a training part, from which tokens are predicted.
pub struct Counting {
    /// Of grams of one, two and three tokens.
    counts: [Counts; 3],
    tokens: usize,
    vocabulary: usize,
}

impl Counting {
    /// Counts tokens; `None` if the vocabulary has more of them than keys can hold.
    pub fn new(train: &[u32], vocabulary: usize) -> Option<Counting> {
        (vocabulary <= 1 << BITS).then(|| Counting {
            counts: [1, 2, 3].map(|length| Counts::new(train, length)),
            tokens: train.len(),
            vocabulary,
        })
    }

    /// P(last token) of three, by itself, given one token and given two.
    fn probabilities(&self, gram: &[u32]) -> [f64; 3] {
        let mut probability = 1.0 / self.vocabulary as f64;
        let mut at = 0;
        self.counts.each_ref().map(|counts| {
            probability = counts.probability(&gram[2 - at..], probability);
            at += 1;
            probability
        })
    }

    /// Predicts a validation part; `None` if it is too short.
    pub fn ladder(&self, validation: &[u32]) -> Option<Ladder> {
        let pieces = pieces(validation.len(), PREDICTED, PREDICTED_PIECE);
        let (mut nats, mut predicted) = ([0.0f64; 3], 0);
        let grams = pieces.into_iter().flat_map(|at| validation[at].windows(3));
        for gram in grams {
            for (nats, p) in nats.iter_mut().zip(self.probabilities(gram)) {
                *nats -= libm::log(p);
            }
            predicted += 1;
        }
        let [unigram, bigram, trigram] = nats.map(|nats| nats / f64::from(predicted));
        (predicted > 0).then(|| Ladder {
            uniform: libm::log(self.vocabulary as f64),
            unigram,
            bigram,
            trigram,
            tokens: self.tokens as u64,
        })
    }

    /// Losses of a trigram model, and of one that also remembers what followed the last three and
    /// four tokens where they occurred before in the same piece of [`PREDICTED_PIECE`] tokens,
    /// smoothed in the same way. In nats per token; `None` if the validation part is too short.
    pub fn remembering(&self, validation: &[u32]) -> Option<[f64; 2]> {
        let (mut nats, mut predicted) = ([0.0; 2], 0);
        for at in pieces(validation.len(), PREDICTED, PREDICTED_PIECE) {
            for piece in validation[at].chunks(PREDICTED_PIECE) {
                let mut followed: HashMap<&[u32], HashMap<u32, u32>> = HashMap::new();
                for end in 3..=piece.len() {
                    let (before, next) = (&piece[..end - 1], piece[end - 1]);
                    let [.., trigram] = self.probabilities(&piece[end - 3..end]);
                    let mut probability = trigram;
                    for length in REMEMBERED {
                        let Some(from) = before.len().checked_sub(length) else {
                            continue;
                        };
                        let seen = followed.entry(&before[from..]).or_default();
                        let count = f64::from(seen.values().sum::<u32>());
                        let kinds = seen.len() as f64;
                        if kinds > 0.0 {
                            let same = f64::from(seen.get(&next).copied().unwrap_or(0));
                            probability = (same + kinds * probability) / (count + kinds);
                        }
                        *seen.entry(next).or_default() += 1;
                    }
                    for (nats, p) in nats.iter_mut().zip([trigram, probability]) {
                        *nats -= libm::log(p);
                    }
                    predicted += 1;
                }
            }
        }
        (predicted > 0).then(|| nats.map(|nats| nats / f64::from(predicted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model counted by hand: "a b a b a c" over four tokens.
    #[test]
    fn probabilities_are_those_counted_by_hand() {
        let tokens = [0, 1, 0, 1, 0, 2];
        let unigram = Counts::new(&tokens, 1);
        // a occurs 3 times in 6, and there are 3 kinds: (3 + 3/4) / (6 + 3).
        let a = unigram.probability(&[0], 0.25);
        assert!((a - 3.75 / 9.0).abs() < 1e-12, "{a}");
        let bigram = Counts::new(&tokens, 2);
        // After a: b twice, c once. P(b | a) = (2 + 2·P(b)) / (3 + 2).
        let b = bigram.probability(&[0, 1], 0.3);
        assert!((b - 2.6 / 5.0).abs() < 1e-12, "{b}");
        // Nothing was seen after c: the shorter model decides.
        assert_eq!(bigram.probability(&[2, 1], 0.3), 0.3);
    }

    #[test]
    fn all_of_a_long_validation_part_counts() {
        let train = [0, 1].repeat(5000);
        // After many tokens that are known, as many that aren't.
        let known = [0, 1].repeat(PREDICTED);
        let unknown = [2, 3, 3].repeat(PREDICTED * 2 / 3);
        let counting = Counting::new(&train, 4).unwrap();
        let of = |validation: &[u32]| counting.ladder(validation).map(|rungs| rungs.trigram);
        let [known, unknown, both] =
            [&known, &unknown, &[&known[..], &unknown].concat()].map(|v| of(v).unwrap());
        assert!(
            (both / (0.5 * (known + unknown)) - 1.0).abs() < 0.05,
            "{both}"
        );
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let tokens: Vec<u32> = (0..500u32).map(|i| i * i % 7).collect();
        let counts = [1, 2, 3].map(|n| Counts::new(&tokens, n));
        let sum: f64 = (0..9u32)
            .map(|last| {
                let gram = [4, 2, last];
                let step = |p, (n, c): (usize, &Counts)| c.probability(&gram[2 - n..], p);
                counts.iter().enumerate().fold(1.0 / 9.0, step)
            })
            .sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }

    #[test]
    fn longer_contexts_predict_a_regular_text_better() {
        // The next token depends on the two before it.
        let mut tokens = vec![0u32, 1];
        for i in 2..4000 {
            tokens.push((tokens[i - 1] + tokens[i - 2] + u32::from(i % 11 == 0)) % 5);
        }
        let counting = Counting::new(&tokens[..3000], 5).unwrap();
        let rungs = counting.ladder(&tokens[3000..]).unwrap();
        let all = [rungs.uniform, rungs.unigram, rungs.bigram, rungs.trigram];
        assert!(all[3] < 0.6 * all[2], "{all:?}");
        assert!((all[0] - 5f64.ln()).abs() < 1e-12);
        assert!(counting.ladder(&[1, 2]).is_none() && counting.remembering(&[1, 2]).is_none());
    }

    #[test]
    fn what_occurred_shortly_before_is_remembered() {
        // A training part that tells nothing, then a sentence twice.
        let mut random = 1u32;
        let mut draw = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 25
        };
        let train: Vec<u32> = (0..20_000).map(|_| draw()).collect();
        let sentence: Vec<u32> = (0..300).map(|_| draw()).collect();
        let counting = Counting::new(&train, 128).unwrap();
        let of = |validation: &[u32]| {
            let [trigram, remembering] = counting.remembering(validation).unwrap();
            remembering / trigram
        };
        let (once, twice) = (of(&sentence), of(&sentence.repeat(2)));
        assert!((once - 1.0).abs() < 0.02 && twice < 0.7, "{once} {twice}");
    }
}
