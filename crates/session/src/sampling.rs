//! Draws the next token from the most likely ones, found without sorting the vocabulary.

use engine::{RandomPurpose, Stream};

/// Number of candidates sorted first; most draws need no more.
const FIRST: usize = 64;

/// Sampling settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 always takes the most likely token.
    pub temperature: f64,
    /// Only this many of the most likely tokens can be drawn.
    pub top_k: Option<usize>,
    /// Only the most likely tokens that together have this probability can be drawn (nucleus
    /// sampling: Holtzman et al., 2020).
    pub top_p: f64,
    /// Seed of the random draws.
    pub seed: u64,
}

/// A token with its logit.
type Candidate = (u32, f64);

/// Most likely first; ties are broken by number, so that the order is unique.
fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Tokens by decreasing likelihood, sorted no further than needed.
struct Ranked {
    all: Vec<Candidate>,
    sorted: usize,
}

impl Ranked {
    /// The `count` most likely tokens.
    fn first(&mut self, count: usize) -> &[Candidate] {
        let count = count.min(self.all.len());
        if count > self.sorted {
            let rest = &mut self.all[self.sorted..];
            let more = (count - self.sorted).max(self.sorted).max(FIRST);
            let more = more.min(rest.len());
            if more < rest.len() {
                rest.select_nth_unstable_by(more, order);
            }
            rest[..more].sort_unstable_by(order);
            self.sorted += more;
        }
        &self.all[..count]
    }
}

impl Sampling {
    /// Makes draw number `number` of this seed from the logits.
    pub(crate) fn draw(&self, logits: &[f32], number: u64) -> u32 {
        let uniform = Stream::new(self.seed, RandomPurpose::Sample, number).uniform();
        self.draw_at(logits, uniform)
    }

    /// Draws with a uniform number in (0, 1).
    fn draw_at(&self, logits: &[f32], uniform: f64) -> u32 {
        let all = (0..).zip(logits).map(|(t, &x)| (t, f64::from(x)));
        let mut ranked = Ranked {
            all: all.collect(),
            sorted: 0,
        };
        let Some(&(likeliest, most)) = ranked.all.iter().min_by(|a, b| order(a, b)) else {
            return 0;
        };
        if self.temperature == 0.0 {
            return likeliest;
        }
        let weight = |logit: f64| libm::exp((logit - most) / self.temperature);
        let allowed = self.top_k.unwrap_or(logits.len()).clamp(1, logits.len());
        let total: f64 = match allowed < logits.len() {
            true => ranked.first(allowed).iter().map(|c| weight(c.1)).sum(),
            false => ranked.all.iter().map(|c| weight(c.1)).sum(),
        };
        // The most likely tokens that together have probability `top_p`.
        let (mut count, mut sum) = (0, 0.0);
        while count == 0 || count < allowed && sum < self.top_p * total {
            sum += weight(ranked.first(count + 1)[count].1);
            count += 1;
        }
        let mut left = uniform * sum;
        for &(token, logit) in ranked.first(count) {
            left -= weight(logit);
            if left < 0.0 {
                return token;
            }
        }
        ranked.first(count)[count - 1].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Sampling = Sampling {
        temperature: 1.0,
        top_k: None,
        top_p: 1.0,
        seed: 0,
    };

    #[test]
    fn drawing_honors_temperature_top_k_and_top_p() {
        let logits = [1.0, 3.0, 2.0, -1.0];
        let at = |s: Sampling, uniform| s.draw_at(&logits, uniform);
        let greedy = Sampling {
            temperature: 0.0,
            ..ALL
        };
        assert_eq!(at(greedy, 0.99), 1);
        let top_k = |k| Sampling {
            top_k: Some(k),
            ..ALL
        };
        assert_eq!(at(top_k(1), 0.99), 1);
        assert_eq!(at(top_k(2), 0.999), 2);
        // Probabilities: 0.66, 0.24, 0.09, 0.01.
        let top_p = |p| Sampling { top_p: p, ..ALL };
        assert_eq!(at(top_p(0.7), 0.999), 2);
        assert_eq!(at(top_p(0.6), 0.999), 1);
        assert_eq!(at(ALL, 0.5), 1);
        assert_eq!(at(ALL, 0.999), 3);
        assert_eq!(ALL.draw_at(&[f32::NAN, 0.0], 0.3), 0, "NaN never panics");
        assert_eq!(ALL.draw_at(&[], 0.3), 0, "nor does nothing");
    }

    /// Draws the same token as from a fully sorted vocabulary.
    #[test]
    fn a_partial_sort_gives_the_same_draw() {
        let mut random = Stream::new(4, RandomPurpose::Check, 0);
        for round in 0..200 {
            // Few distinct values, so that many are equal.
            let len = 1 + random.below(1000);
            let logit = |r: &mut Stream| (8.0 * r.uniform()).floor() as f32 / 2.0;
            let logits: Vec<f32> = (0..len).map(|_| logit(&mut random)).collect();
            let mut sorted: Vec<Candidate> = (0..)
                .zip(&logits)
                .map(|(t, &x)| (t, f64::from(x)))
                .collect();
            sorted.sort_by(order);
            let s = Sampling {
                temperature: 0.2 + random.uniform(),
                top_k: (round % 3 == 0).then(|| 1 + random.below(len)),
                top_p: random.uniform(),
                seed: 0,
            };
            let allowed = s.top_k.unwrap_or(len);
            let weight = |c: &Candidate| libm::exp((c.1 - sorted[0].1) / s.temperature);
            let total: f64 = sorted[..allowed].iter().map(weight).sum();
            let mut sum = 0.0;
            let within = sorted[..allowed].iter().take_while(|c| {
                let before = sum;
                sum += weight(c);
                before < s.top_p * total
            });
            let nucleus = &sorted[..within.count().max(1)];
            let uniform = random.uniform();
            let mut left = uniform * nucleus.iter().map(weight).sum::<f64>();
            let drawn = nucleus.iter().find(|c| {
                left -= weight(c);
                left < 0.0
            });
            let expected = drawn.or(nucleus.last()).unwrap().0;
            assert_eq!(s.draw_at(&logits, uniform), expected, "{s:?} of {len}");
        }
    }
}
