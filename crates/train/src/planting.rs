//! Random strings planted in the training text, some more often than others: how often must a model
//! read a string to know it by heart? After Carlini et al., "The secret sharer" (2019), sections 4
//! and 5.
//!
//! Which strings, and where, depends on the text and on `data.canaries` and `data.canary_tokens`
//! alone, so that runs with different seeds share one text.

use crate::error::{Error, Result};
use data::Tokens;
use model::DataConfig;
use run::Canaries;
use session::Session;
use std::sync::Arc;
use text::Tokenizer;
use text::random::{Random, RandomUse};

/// How often the strings are planted.
const REPETITIONS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Strings that are never planted, for comparison.
const NEVER: usize = 128;
/// Planted strings replace at most 1 / this of the text.
const SHARE: usize = 10;
/// Tokens of the text whose ids the strings consist of.
const SAMPLED: usize = 1 << 16;
/// Logits computed at once.
const LOGITS: usize = 1 << 22;
const SEED: u64 = 1;

/// The strings.
#[derive(Debug, Clone)]
pub struct Planting {
    /// For each number of repetitions, its strings.
    planted: Vec<Vec<Vec<u32>>>,
    never: Vec<Vec<u32>>,
}

impl Planting {
    /// Draws strings and plants them; `None` if the config asks for none.
    ///
    /// # Errors
    /// If the text is too short for them or can't be read.
    pub fn new(
        data: &DataConfig,
        tokenizer: &Tokenizer,
        text: &Arc<Tokens>,
    ) -> Result<Option<(Planting, Tokens)>> {
        let (count, len) = (data.canaries, data.canary_tokens);
        if count == 0 {
            return Ok(None);
        }
        let places = count * REPETITIONS.iter().sum::<usize>();
        let room = text.len() / places;
        let mut known = vec![0; text.len().min(SAMPLED)];
        text.read(0, &mut known)?;
        known.sort_unstable();
        known.dedup();
        known.retain(|&token| token != tokenizer.end_of_text());
        if room < SHARE * len || known.is_empty() {
            return Err(Error::Task(format!(
                "data.canaries = {count} plants {places} strings of {len} tokens, more than a tenth \
                 of the training text, which has {} tokens: use a longer text, or fewer or shorter \
                 strings (data.canary_tokens)",
                text.len()
            )));
        }
        let mut random = Random::new(SEED, RandomUse::Canaries, 0);
        let mut draw = |count: usize| -> Vec<Vec<u32>> {
            let mut token = |_| known[random.below(known.len() as u64) as usize];
            (0..count)
                .map(|_| (0..len).map(&mut token).collect())
                .collect()
        };
        let planting = Planting {
            planted: REPETITIONS.iter().map(|_| draw(count)).collect(),
            never: draw(NEVER),
        };
        let planted = Tokens::planted(text.clone(), planting.places(room, len));
        Ok(Some((planting, planted)))
    }

    /// Each string as often as it is planted, each in its own `room` of the text.
    fn places(&self, room: usize, len: usize) -> Vec<(usize, Vec<u32>)> {
        let each = REPETITIONS.iter().zip(&self.planted);
        let each = each.flat_map(|(&times, strings)| strings.iter().map(move |s| (times, s)));
        let mut all: Vec<&Vec<u32>> = each
            .flat_map(|(times, string)| std::iter::repeat_n(string, times))
            .collect();
        let mut random = Random::new(SEED, RandomUse::Canaries, 1);
        // Fisher–Yates.
        for last in (1..all.len()).rev() {
            all.swap(last, random.below(last as u64 + 1) as usize);
        }
        let place = |(number, string): (usize, &Vec<u32>)| {
            let within = random.below((room - len + 1) as u64) as usize;
            (number * room + within, string.clone())
        };
        all.into_iter().enumerate().map(place).collect()
    }

    /// How well the model knows them.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure(&self, session: &mut Session, vocabulary: usize) -> Result<Canaries> {
        let never = known(session, &self.never, vocabulary)?;
        let mut event = Canaries {
            never: NEVER as u64,
            ..Canaries::default()
        };
        for (times, strings) in REPETITIONS.into_iter().zip(&self.planted) {
            let all = known(session, strings, vocabulary)?;
            let recalled = all.iter().filter(|known| known.recalled).count();
            let rank = |nats: f64| 1 + never.iter().filter(|other| other.nats < nats).count();
            let mut ranks: Vec<usize> = all.iter().map(|known| rank(known.nats)).collect();
            ranks.sort_unstable();
            let middle = (ranks[(ranks.len() - 1) / 2] + ranks[ranks.len() / 2]) as f32 / 2.0;
            event.repetitions.push(times as u64);
            event.recall.push(recalled as f32 / all.len() as f32);
            event.rank.push(middle);
        }
        Ok(event)
    }
}

/// How well the model knows one string.
struct Known {
    /// The string's negative log-probability after its first token.
    nats: f64,
    /// Whether each token of the second half is the likeliest. Then the likeliest continuation of
    /// the first half is the second.
    recalled: bool,
}

fn known(session: &mut Session, strings: &[Vec<u32>], vocabulary: usize) -> Result<Vec<Known>> {
    let len = strings.first().map_or(0, Vec::len);
    let together = (LOGITS / (len * vocabulary).max(1)).clamp(1, strings.len().max(1));
    let mut all = Vec::with_capacity(strings.len());
    for strings in strings.chunks(together) {
        let logits = session.look(&strings.concat(), strings.len())?.logits;
        for (string, logits) in strings.iter().zip(logits.chunks_exact(len * vocabulary)) {
            let mut known = Known {
                nats: 0.0,
                recalled: true,
            };
            let rows = logits.chunks_exact(vocabulary).zip(&string[1..]);
            for (at, (row, &next)) in rows.enumerate() {
                let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = row.iter().map(|&x| libm::exp(f64::from(x - most))).sum();
                known.nats += libm::log(sum) - f64::from(row[next as usize] - most);
                known.recalled &= at + 1 < len / 2 || row[next as usize] == most;
            }
            all.push(known);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Config;

    fn plant(tokens: usize) -> Result<Option<(Planting, Tokens)>> {
        let sets = ["data.canaries=2", "data.canary_tokens=6"].map(String::from);
        let config = Config::load(None, None, &sets).unwrap();
        let tokenizer = Tokenizer::bytes();
        let text: Vec<u32> = (0..tokens as u32).map(|i| i * i % 251).collect();
        Planting::new(
            &config.data,
            &tokenizer,
            &Arc::new(Tokens::in_memory(&text)),
        )
    }

    #[test]
    fn each_string_is_planted_as_often_as_it_should_be() {
        let (planting, planted) = plant(20_000).unwrap().unwrap();
        let all = planted.all().unwrap();
        let count = |s: &Vec<u32>| all.windows(6).filter(|window| window == s).count();
        for (times, strings) in REPETITIONS.iter().zip(&planting.planted) {
            assert_eq!(strings.len(), 2);
            assert!(strings.iter().all(|s| count(s) == *times), "{times}");
        }
        assert!(planting.never.iter().all(|s| count(s) == 0));
        let again = plant(20_000).unwrap().unwrap().1.all().unwrap();
        assert_eq!(all, again, "the same text gets the same strings");
    }

    #[test]
    fn a_text_that_is_too_short_is_refused() {
        let error = plant(15_000).err().unwrap().to_string();
        assert!(error.contains("254 strings of 6 tokens"), "{error}");
        assert!(error.contains("15000 tokens"), "{error}");
    }
}
