//! Draws the next token from the most likely ones, found without sorting the vocabulary.

use crate::error::{Error, Result};
use engine::{RandomPurpose, Stream};
use std::collections::{HashMap, HashSet};

/// Number of candidates sorted first; most draws need no more.
const FIRST: usize = 64;

/// The largest temperature and repetition penalty.
const MOST: f64 = 1000.0;
/// The largest frequency and presence penalty, as in OpenAI's API.
const MOST_PENALTY: f64 = 2.0;

/// Sampling settings. They apply in this order: penalties, temperature, `top_k`, `top_p`, `min_p`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 always takes the most likely token.
    pub temperature: f64,
    /// Only this many of the most likely tokens can be drawn.
    pub top_k: Option<usize>,
    /// Only the most likely tokens that together have this probability can be drawn (nucleus
    /// sampling: Holtzman et al., 2020).
    pub top_p: f64,
    /// Only tokens can be drawn whose probability is at least this share of the most likely token's
    /// (Nguyen et al., 2024); 0 allows all.
    pub min_p: f64,
    /// Divides the logit, or multiplies it if it is negative, of each token in the prompt or in the
    /// text so far (Keskar et al., 2019); 1 changes nothing.
    pub repetition_penalty: f64,
    /// Subtracted from a token's logit for each time that it was drawn.
    pub frequency_penalty: f64,
    /// Subtracted from the logit of each token that was drawn.
    pub presence_penalty: f64,
    /// Seed of the random draws.
    pub seed: u64,
}

impl Default for Sampling {
    /// Draws from the model's own probabilities, with seed 0.
    fn default() -> Sampling {
        Sampling {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: 0,
        }
    }
}

/// A token with its logit.
type Candidate = (u32, f64);

/// Most likely first; ties are broken by number, so that the order is unique.
fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// All tokens with their logits [V].
fn candidates(logits: &[f32]) -> impl Iterator<Item = Candidate> {
    (0..)
        .zip(logits)
        .map(|(token, &logit)| (token, f64::from(logit)))
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
    /// Checks every setting.
    ///
    /// # Errors
    /// If one is out of range; the first is named.
    pub fn check(&self) -> Result<()> {
        let penalties = -MOST_PENALTY..=MOST_PENALTY;
        let above_zero = f64::MIN_POSITIVE;
        let settings = [
            (
                "temperature",
                self.temperature,
                0.0..=MOST,
                "from 0 to 1000",
            ),
            ("top_p", self.top_p, above_zero..=1.0, "above 0, up to 1"),
            ("min_p", self.min_p, 0.0..=1.0, "from 0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty,
                above_zero..=MOST,
                "above 0, up to 1000",
            ),
            (
                "frequency_penalty",
                self.frequency_penalty,
                penalties.clone(),
                "from -2 to 2",
            ),
            (
                "presence_penalty",
                self.presence_penalty,
                penalties,
                "from -2 to 2",
            ),
        ];
        let wrong = settings
            .into_iter()
            .find(|(_, value, range, _)| !range.contains(value));
        if let Some((name, value, _, allowed)) = wrong {
            return Err(Error::Setting {
                name,
                value,
                allowed,
            });
        }
        match self.top_k {
            Some(0) => Err(Error::Setting {
                name: "top_k",
                value: 0.0,
                allowed: "from 1",
            }),
            _ => Ok(()),
        }
    }

    fn penalizes(&self) -> bool {
        self.repetition_penalty != 1.0
            || self.frequency_penalty != 0.0
            || self.presence_penalty != 0.0
    }

    fn weight(&self, logit: f64, most: f64) -> f64 {
        libm::exp((logit - most) / self.temperature)
    }

    /// What can be drawn, from logits in token order; `None` without logits.
    fn narrow(&self, logits: Vec<Candidate>) -> Option<Narrowed> {
        let vocabulary = logits.len();
        let mut ranked = Ranked {
            all: logits,
            sorted: 0,
        };
        let &first = ranked.all.iter().min_by(|a, b| order(a, b))?;
        if self.temperature == 0.0 {
            // The caller never looks further than the first.
            ranked.all = vec![first];
            return Some(Narrowed {
                ranked,
                most: first.1,
                count: 1,
                sum: 1.0,
            });
        }
        let most = first.1;
        let weight = |logit| self.weight(logit, most);
        let allowed = self.top_k.unwrap_or(vocabulary).clamp(1, vocabulary);
        let total: f64 = match allowed < vocabulary {
            true => ranked.first(allowed).iter().map(|c| weight(c.1)).sum(),
            false => ranked.all.iter().map(|c| weight(c.1)).sum(),
        };
        // The most likely tokens that together have probability `top_p`, as far as `min_p` allows.
        // The most likely one has weight 1.
        let (mut count, mut sum) = (0, 0.0);
        while count == 0 || count < allowed && sum < self.top_p * total {
            let next = weight(ranked.first(count + 1)[count].1);
            if count > 0 && next < self.min_p {
                break;
            }
            sum += next;
            count += 1;
        }
        Some(Narrowed {
            ranked,
            most,
            count,
            sum,
        })
    }

    /// Draws with a uniform number in (0, 1) from logits in token order.
    fn draw_at(&self, logits: Vec<Candidate>, uniform: f64) -> u32 {
        let Some(mut from) = self.narrow(logits) else {
            return 0;
        };
        if from.count == 1 {
            return from.ranked.first(1)[0].0;
        }
        let (mut left, most) = (uniform * from.sum, from.most);
        let candidates = from.ranked.first(from.count);
        for &(token, logit) in candidates {
            left -= self.weight(logit, most);
            if left < 0.0 {
                return token;
            }
        }
        candidates[from.count - 1].0
    }
}

/// The tokens that can be drawn: the first `count` of `ranked`, whose weights add up to `sum`.
struct Narrowed {
    ranked: Ranked,
    /// The largest logit; its token has weight 1.
    most: f64,
    count: usize,
    sum: f64,
}

/// Draws the tokens of one text. The same settings and the same logits give the same tokens.
#[derive(Debug, Clone)]
pub struct TokenSampler {
    settings: Sampling,
    /// Tokens of the prompt.
    read: HashSet<u32>,
    /// How often each token was drawn.
    written: HashMap<u32, u32>,
    /// Number of draws.
    drawn: u64,
}

impl TokenSampler {
    /// For a text that begins with `prompt`.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn new(settings: Sampling, prompt: &[u32]) -> Result<TokenSampler> {
        settings.check()?;
        Ok(TokenSampler {
            settings,
            read: prompt.iter().copied().collect(),
            written: HashMap::new(),
            drawn: 0,
        })
    }

    /// Draws a token from the logits [V].
    pub fn draw(&mut self, logits: &[f32]) -> u32 {
        let purpose = RandomPurpose::Sample;
        let uniform = Stream::new(self.settings.seed, purpose, self.drawn).uniform();
        let token = match self.settings.temperature == 0.0 && !self.settings.penalizes() {
            true => candidates(logits).min_by(order).map_or(0, |first| first.0),
            false => self.settings.draw_at(self.adjusted(logits), uniform),
        };
        self.take(token);
        token
    }

    /// Counts a token that was chosen in another way as drawn: what follows is drawn as if it had
    /// been.
    pub fn take(&mut self, token: u32) {
        self.drawn += 1;
        *self.written.entry(token).or_default() += 1;
    }

    /// The tokens that [`draw`](TokenSampler::draw) could return and their probabilities, most
    /// likely first.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        let s = &self.settings;
        let Some(mut from) = s.narrow(self.adjusted(logits)) else {
            return Vec::new();
        };
        if from.count == 1 {
            return vec![(from.ranked.first(1)[0].0, 1.0)];
        }
        let (most, sum) = (from.most, from.sum);
        let each = from.ranked.first(from.count).iter();
        each.map(|&(token, logit)| (token, s.weight(logit, most) / sum))
            .collect()
    }

    /// The logits in token order, after the penalties.
    fn adjusted(&self, logits: &[f32]) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = candidates(logits).collect();
        if self.settings.penalizes() {
            self.penalize(&mut all);
        }
        all
    }

    fn penalize(&self, logits: &mut [Candidate]) {
        let s = &self.settings;
        for token in self.read.union(&self.written.keys().copied().collect()) {
            let Some((_, logit)) = logits.get_mut(*token as usize) else {
                continue;
            };
            *logit = match *logit > 0.0 {
                true => *logit / s.repetition_penalty,
                false => *logit * s.repetition_penalty,
            };
            if let Some(&count) = self.written.get(token) {
                *logit -= s.frequency_penalty * f64::from(count) + s.presence_penalty;
            }
        }
    }
}

/// A token's log-probability before any sampling setting, and those of the most likely tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct LogProbability {
    /// The token.
    pub token: u32,
    /// Natural logarithm of its probability.
    pub nats: f64,
    /// The most likely tokens and their log-probabilities, most likely first.
    pub top: Vec<(u32, f64)>,
}

impl LogProbability {
    /// Of a token after a text with these logits [V].
    pub fn of(token: u32, logits: &[f32], top: usize) -> LogProbability {
        let mut ranked = Ranked {
            all: candidates(logits).collect(),
            sorted: 0,
        };
        let most = logits
            .iter()
            .fold(f64::MIN, |most, &x| most.max(f64::from(x)));
        let sum: f64 = logits.iter().map(|&x| libm::exp(f64::from(x) - most)).sum();
        let nats = |logit: f64| logit - most - libm::log(sum);
        LogProbability {
            token,
            nats: logits
                .get(token as usize)
                .map_or(f64::NEG_INFINITY, |&x| nats(f64::from(x))),
            top: ranked
                .first(top)
                .iter()
                .map(|&(t, x)| (t, nats(x)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(logits: &[f32]) -> Vec<Candidate> {
        (0..).zip(logits.iter().map(|&x| f64::from(x))).collect()
    }

    /// What the documentation of [`Sampling`] says, as plainly as possible: every token of the
    /// vocabulary has a probability, and each setting sets some to 0.
    fn plain(s: &Sampling, prompt: &[u32], written: &[u32], logits: &[f32], uniform: f64) -> u32 {
        let adjusted = |(token, logit): Candidate| {
            let count = written.iter().filter(|&&t| t == token).count() as f64;
            let seen = count > 0.0 || prompt.contains(&token);
            let r = if seen { s.repetition_penalty } else { 1.0 };
            let logit = if logit > 0.0 { logit / r } else { logit * r };
            let present = if count > 0.0 { s.presence_penalty } else { 0.0 };
            (token, logit - (s.frequency_penalty * count + present))
        };
        let mut all: Vec<Candidate> = candidates(logits).into_iter().map(adjusted).collect();
        all.sort_by(order);
        if s.temperature == 0.0 {
            return all[0].0;
        }
        let most = all[0].1;
        let share = |logit: f64| libm::exp((logit - most) / s.temperature);
        let mut all: Vec<(u32, f64)> = all.iter().map(|&(t, x)| (t, share(x))).collect();
        all.truncate(s.top_k.unwrap_or(all.len()));
        // In token order if all are allowed, as the sampler adds them.
        let total: f64 = match s.top_k.is_some_and(|k| k < logits.len()) {
            true => all.iter().map(|c| c.1).sum(),
            false => {
                let mut by_token = all.clone();
                by_token.sort_by_key(|c| c.0);
                by_token.iter().map(|c| c.1).sum()
            }
        };
        let mut before = 0.0;
        all.retain(|&(_, p)| {
            let inside = before < s.top_p * total && p >= s.min_p;
            before += p;
            inside
        });
        let mut left = uniform * all.iter().map(|c| c.1).sum::<f64>();
        let drawn = all.iter().find(|&&(_, p)| {
            left -= p;
            left < 0.0
        });
        drawn.unwrap_or(&all[all.len() - 1]).0
    }

    #[test]
    fn every_setting_does_what_a_plain_implementation_does() {
        let mut random = Stream::new(4, RandomPurpose::Check, 0);
        for round in 0..400u64 {
            // Few distinct values, so that many are equal.
            let len = 1 + random.below(1000);
            let logit = |r: &mut Stream| (16.0 * r.uniform()).floor() as f32 / 2.0 - 2.0;
            let logits: Vec<f32> = (0..len).map(|_| logit(&mut random)).collect();
            let mut sometimes = |value: f64, off: f64| match random.below(2) {
                0 => off,
                _ => value * random.uniform(),
            };
            let s = Sampling {
                temperature: 0.2 + sometimes(1.5, 0.8),
                top_p: sometimes(1.0, 1.0),
                min_p: sometimes(0.3, 0.0),
                repetition_penalty: 0.5 + sometimes(2.0, 0.5),
                frequency_penalty: sometimes(2.0, 0.0),
                presence_penalty: sometimes(-2.0, 0.0),
                top_k: (round % 3 == 0).then(|| 1 + random.below(len)),
                seed: round,
            };
            let mut below =
                |n: usize| -> Vec<u32> { (0..n).map(|_| random.below(len) as u32).collect() };
            let (prompt, mut written) = (below(20), Vec::new());
            let mut sampler = TokenSampler::new(s, &prompt).unwrap();
            for draw in 0..8 {
                let uniform = Stream::new(round, RandomPurpose::Sample, draw).uniform();
                let expected = plain(&s, &prompt, &written, &logits, uniform);
                let probabilities = sampler.probabilities(&logits);
                let token = sampler.draw(&logits);
                assert_eq!(token, expected, "{s:?} of {len}, draw {draw}");
                // Each token is drawn by exactly its share of the numbers.
                let mut from = 0.0;
                for &(each, share) in probabilities.iter().filter(|p| p.1 > 1e-6) {
                    for (inside, uniform) in [(1e-9, from), (-1e-9, from + share)] {
                        let drawn = plain(&s, &prompt, &written, &logits, uniform + inside);
                        assert_eq!(drawn, each, "{s:?} of {len}, draw {draw}");
                    }
                    from += share;
                    if round % 16 != 0 {
                        break;
                    }
                }
                let sum: f64 = probabilities.iter().map(|p| p.1).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{sum}");
                written.push(token);
            }
        }
    }

    #[test]
    fn drawing_honors_each_setting() {
        let logits = [1.0, 3.0, 2.0, -1.0];
        let at = |s: Sampling, uniform| s.draw_at(candidates(&logits), uniform);
        let all = Sampling::default();
        let greedy = Sampling {
            temperature: 0.0,
            ..all
        };
        assert_eq!(at(greedy, 0.99), 1);
        let top_k = |k| Sampling {
            top_k: Some(k),
            ..all
        };
        assert_eq!(at(top_k(1), 0.99), 1);
        assert_eq!(at(top_k(2), 0.999), 2);
        // Probabilities: 0.66, 0.24, 0.09, 0.01.
        let top_p = |p| Sampling { top_p: p, ..all };
        assert_eq!(at(top_p(0.7), 0.999), 2);
        assert_eq!(at(top_p(0.6), 0.999), 1);
        // Shares of the largest: 1, 0.37, 0.14, 0.02.
        let min_p = |p| Sampling { min_p: p, ..all };
        assert_eq!(at(min_p(0.3), 0.999), 2);
        assert_eq!(at(min_p(0.1), 0.999), 0);
        assert_eq!(at(min_p(1.0), 0.999), 1);
        assert_eq!(at(all, 0.5), 1);
        assert_eq!(at(all, 0.999), 3);
        let strange = candidates(&[f32::NAN, 0.0]);
        assert_eq!(all.draw_at(strange, 0.3), 0, "NaN never panics");
        assert_eq!(all.draw_at(Vec::new(), 0.3), 0, "nor does nothing");
        let mut greedy = TokenSampler::new(
            Sampling {
                presence_penalty: 1.5,
                ..greedy
            },
            &[],
        );
        let tokens = [(); 4].map(|()| greedy.as_mut().unwrap().draw(&logits));
        assert_eq!(tokens, [1, 2, 1, 1], "the penalty doesn't grow");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let off = Sampling::default;
        let nan = f64::NAN;
        for (name, wrong) in [
            (
                "temperature",
                Sampling {
                    temperature: -0.1,
                    ..off()
                },
            ),
            (
                "top_p",
                Sampling {
                    top_p: 0.0,
                    ..off()
                },
            ),
            (
                "min_p",
                Sampling {
                    min_p: nan,
                    ..off()
                },
            ),
            (
                "top_k",
                Sampling {
                    top_k: Some(0),
                    ..off()
                },
            ),
            (
                "repetition_penalty",
                Sampling {
                    repetition_penalty: 0.0,
                    ..off()
                },
            ),
            (
                "frequency_penalty",
                Sampling {
                    frequency_penalty: 2.1,
                    ..off()
                },
            ),
            (
                "presence_penalty",
                Sampling {
                    presence_penalty: -2.1,
                    ..off()
                },
            ),
        ] {
            let error = TokenSampler::new(wrong, &[]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn log_probabilities_are_those_of_the_logits() {
        let found = LogProbability::of(2, &[0.0, 1.0, 0.0], 2);
        let sum = 2.0 + 1f64.exp();
        assert!((found.nats + sum.ln()).abs() < 1e-12);
        assert_eq!(found.top.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 0]);
        assert!((found.top[0].1 - (1.0 - sum.ln())).abs() < 1e-12);
    }
}
