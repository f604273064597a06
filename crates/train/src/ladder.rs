//! Baselines that only count: unigrams, bigrams and trigrams of the training text, each smoothed by
//! the next shorter one (Witten and Bell, "The zero-frequency problem", 1991):
//!
//! P(w | h) = (count(h w) + kinds(h) · P(w | h')) / (count(h) + kinds(h))
//!
//! where kinds(h) is the number of distinct tokens seen after h, and h' is h without its first
//! token.

use run::Ladder;

/// The most training tokens counted, and the most validation tokens predicted. They limit the time
/// to a few tenths of a second and the memory to 100 MB for any vocabulary.
pub const COUNTED: usize = 2_000_000;
const PREDICTED: usize = 100_000;

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

/// Counts the tokens of the training part and predicts the validation part; `None` if that is too
/// short, or if the vocabulary has more tokens than keys can hold.
pub fn climb(train: &[u32], validation: &[u32], vocabulary: usize) -> Option<Ladder> {
    let validation = &validation[..validation.len().min(PREDICTED)];
    if validation.len() < 3 || vocabulary > 1 << BITS {
        return None;
    }
    let counts = [1, 2, 3].map(|length| Counts::new(train, length));
    let uniform = 1.0 / vocabulary as f64;
    let mut nats = [0.0f64; 3];
    for gram in validation.windows(3) {
        let mut probability = uniform;
        for (length, (counts, nats)) in counts.iter().zip(&mut nats).enumerate() {
            probability = counts.probability(&gram[2 - length..], probability);
            *nats -= libm::log(probability);
        }
    }
    let mean = |at: usize| nats[at] / (validation.len() - 2) as f64;
    Some(Ladder {
        uniform: libm::log(vocabulary as f64),
        unigram: mean(0),
        bigram: mean(1),
        trigram: mean(2),
        tokens: train.len() as u64,
    })
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
        let rungs = climb(&tokens[..3000], &tokens[3000..], 5).unwrap();
        let all = [rungs.uniform, rungs.unigram, rungs.bigram, rungs.trigram];
        assert!(all[3] < 0.6 * all[2], "{all:?}");
        assert!((all[0] - 5f64.ln()).abs() < 1e-12);
        assert!(climb(&tokens, &[1, 2], 5).is_none());
    }
}
