//! What happens inside a model while it reads a passage? Where its heads look, and what it would
//! say after each layer.

use crate::error::{Error, Result};
use crate::heads::{Passages, Reasons, attention};
use crate::sampling::LogProbability;
use crate::session::Session;
use engine::{Heads, Host, HostMut, Plan, Purpose, Scalars};
use model::{Mode, ModelConfig, readout};
use run::{Head, Inside, LayerLens};
use std::time::Instant;
use text::Tokenizer;

/// Maximum tokens of a passage.
const TOKENS: usize = 64;
/// Maximum probabilities of all heads.
const PROBABILITIES: usize = 1 << 17;
/// The most likely tokens shown after each layer.
const TOP: usize = 3;

/// A token's text; bytes that aren't UTF-8 by themselves are shown in hexadecimal.
pub fn token_text(tokenizer: &Tokenizer, token: u32) -> String {
    String::from_utf8(tokenizer.decode(&[token])).unwrap_or_else(|broken| {
        let bytes = broken.as_bytes().iter();
        bytes.map(|byte| format!("\\x{byte:02X}")).collect()
    })
}

/// The most tokens of a passage that can be inspected: few enough for the context and for the
/// attention of all heads to be kept.
pub fn most_inspected(model: &ModelConfig) -> usize {
    let heads = model.layers * model.heads;
    let fits = |time: &usize| heads * time * (time + 1) / 2 <= PROBABILITIES;
    let lengths = 1..=TOKENS.min(model.context);
    lengths.take_while(fits).last().unwrap_or(1)
}

impl Session<'_> {
    /// Looks inside the model while it reads passages; `shown` tokens are put on the map, with
    /// their nearest among `others`.
    ///
    /// # Errors
    /// If a passage has fewer than two tokens or more than [`most_inspected`], a token
    /// doesn't exist, or the device fails.
    pub fn inspect(
        &mut self,
        tokenizer: &Tokenizer,
        passages: Passages,
        (shown, others): (&[u32], &[u32]),
    ) -> Result<Inside> {
        let from = Instant::now();
        let (time, most) = (passages.time(), most_inspected(&self.plans.model));
        if time < 2 || time > most {
            return Err(Error::Passage { tokens: time, most });
        }
        let text = |token: &u32| token_text(tokenizer, *token);
        let tokens: Vec<String> = passages.tokens.iter().map(text).collect();
        let words: Vec<usize> = tokens.chunks_exact(time).flat_map(beginnings).collect();
        let repeated = repeated(passages.tokens, time);
        let model = self.plans.model.clone();
        let heads = Heads {
            heads: model.heads,
            kv_heads: model.kv_heads,
            head_size: model.head_size,
        };
        let again = self.activations(Mode::Inspect, &repeated, 1)?.attended;
        let read = self.activations(Mode::Inspect, passages.tokens, passages.sequences)?;
        let reasons = Reasons::new(&passages, &words, repeated.len() / 2);
        let mut found = Vec::new();
        for (layer, (qk, again)) in read.attended.iter().zip(&again).enumerate() {
            for head in 0..model.heads {
                let looks = attention(qk, heads, head, time);
                let again = attention(again, heads, head, repeated.len());
                let (scores, kind, clear) = reasons.judge(&looks, &again);
                let row = |row: &Vec<f64>| row.iter().map(|p| (p * 255.0).round() as u8).collect();
                let head = Head {
                    layer,
                    head,
                    kind,
                    scores,
                    attention: looks[..time].iter().map(row).collect(),
                };
                found.push((head, clear));
            }
        }
        found.sort_by(|a, b| a.0.kind.cmp(&b.0.kind).then(b.1.total_cmp(&a.1)));
        // Each half of a block writes to the stream.
        let streams = read.stream.iter().skip(1).step_by(2);
        let layers = streams.map(|stream| self.layer(tokenizer, &passages.tokens[..time], stream));
        let layers = layers.collect::<Result<_>>()?;
        Ok(Inside {
            tokens: tokens[..time].to_vec(),
            heads: found.into_iter().map(|(head, _)| head).collect(),
            layers,
            embeddings: self.embeddings(tokenizer, shown, others)?,
            seconds: from.elapsed().as_secs_f64(),
        })
    }

    /// Looks inside the model while it reads one text; its tokens are put on the map, with their
    /// nearest of the whole vocabulary.
    ///
    /// # Errors
    /// As [`Session::inspect`].
    pub fn inspect_text(&mut self, tokenizer: &Tokenizer, tokens: &[u32]) -> Result<Inside> {
        let mut shown: Vec<u32> = Vec::new();
        for token in tokens {
            if !shown.contains(token) {
                shown.push(*token);
            }
        }
        // The model's vocabulary may be larger than the tokenizer's.
        let all = self.plans.vocabulary.min(tokenizer.vocabulary_size());
        let all: Vec<u32> = (0..all as u32).collect();
        let passages = Passages {
            tokens,
            sequences: 1,
            answer: &(0..0),
        };
        self.inspect(tokenizer, passages, (&shown, &all))
    }

    /// What the model would say about a passage if the residual stream [T, C] were its last.
    fn layer(
        &mut self,
        tokenizer: &Tokenizer,
        tokens: &[u32],
        stream: &[f32],
    ) -> Result<LayerLens> {
        let vocabulary = self.plans.vocabulary;
        let logits = self.read_out(&stream[..tokens.len() * self.plans.model.width])?;
        let mut lens = LayerLens::default();
        let mut sum = 0.0;
        for (t, row) in logits.chunks_exact(vocabulary).enumerate() {
            let next = tokens.get(t + 1).copied();
            let said = LogProbability::of(next.unwrap_or(0), row, TOP);
            let share = |nats: f64| ((libm::exp(nats) * 1e4).round() / 1e4) as f32;
            let top = said.top.iter();
            let top = top.map(|&(token, nats)| (token_text(tokenizer, token), share(nats)));
            lens.top.push(top.collect());
            if next.is_some() {
                sum -= said.nats;
                lens.nats.push(finite(-said.nats));
            }
        }
        lens.mean_nats = finite(sum / lens.nats.len() as f64);
        Ok(lens)
    }

    /// The logits [T, V] that the final norm and the output head make of a residual stream [T, C].
    pub(crate) fn read_out(&mut self, stream: &[f32]) -> Result<Vec<f32>> {
        self.check_stop()?;
        let (model, vocabulary) = (&self.plans.model, self.plans.vocabulary);
        let rows = stream.len() / model.width;
        let r = readout(model, vocabulary, rows)?;
        let plan = Plan::new(r.graph, 1, Purpose::Infer)?;
        let ready = self.device.prepare(plan)?;
        let mut logits = vec![0.0; rows * vocabulary];
        let device = &mut *self.device;
        let done = device
            .write(ready, r.stream, Host::Real(stream))
            .and_then(|()| device.run(ready, &Scalars::default()))
            .and_then(|()| device.read(ready, r.logits, HostMut::Real(&mut logits)));
        device.release(ready);
        done?;
        Ok(logits)
    }
}

fn finite(x: f64) -> Option<f32> {
    let x = x as f32;
    x.is_finite().then_some(x)
}

/// For each token of a passage, the token with which its word begins. Characters of Chinese and
/// Japanese are words of their own.
fn beginnings(tokens: &[String]) -> Vec<usize> {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && !is_ideographic(c));
    let mut begin = 0;
    let each = tokens.iter().enumerate().map(|(at, token)| {
        let before = at.checked_sub(1).and_then(|at| tokens[at].chars().last());
        if !(letter(before) && letter(token.chars().next())) {
            begin = at;
        }
        begin
    });
    each.collect()
}

fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Different tokens of the passages in an arbitrary order, and the same again: at most `time`
/// tokens. What follows a token the first time follows it again, and nothing else tells what does.
fn repeated(tokens: &[u32], time: usize) -> Vec<u32> {
    // A multiplicative hash (Knuth): any fixed order will do that is not the text's.
    let mut known = tokens.to_vec();
    known.sort_unstable_by_key(|token| (token.wrapping_mul(2_654_435_761), *token));
    known.dedup();
    known.truncate((time / 2).max(1));
    known.repeat(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plans;
    use engine::verify::relative_error;
    use engine::{Cpu, CpuSettings, Device, Field, RandomPurpose, Stream, tolerance};
    use model::{Config, decoder};

    /// Runs `use_it` with a session of a small model of this family with random weights.
    fn with_model(sets: &[&str], use_it: impl FnOnce(&mut Session, &Tokenizer)) {
        let all = ["width=16", "heads=4", "kv_heads=2", "context=12"];
        let sets = all.iter().chain(sets);
        let sets: Vec<String> = sets.map(|set| format!("model.{set}")).collect();
        let model = Config::load(Some("tiny"), None, &sets).unwrap().model;
        let tokenizer = Tokenizer::chars(&[b"abcdefgh "]).unwrap();
        let mut device = Cpu::new(CpuSettings::with_threads(2));
        let recorded = decoder(&model, tokenizer.vocabulary_size(), (1, 1), Mode::Score).unwrap();
        device.create(recorded.graph.variables(), None).unwrap();
        let mut random = Stream::new(5, RandomPurpose::Check, 8);
        for v in recorded.graph.variables() {
            let numbers: Vec<f32> = (0..v.len()).map(|_| random.normal() as f32).collect();
            let host = Host::Real(&numbers);
            device.write_variable(&v.name, Field::Weight, host).unwrap();
        }
        let mut plans = Plans::new(&model, tokenizer.vocabulary_size(), 1);
        use_it(&mut Session::new(&mut device, &mut plans), &tokenizer);
    }

    /// The final norm and the output head are the decoder's own, and arithmetic is defined once: so
    /// after the last layer they say what the model says, bit for bit.
    #[test]
    fn after_the_last_layer_the_lens_says_what_the_model_says() {
        for sets in [
            &["tied=true"][..],
            &["tied=false"],
            &["family=gpt2", "kv_heads=4"],
        ] {
            with_model(sets, |session, tokenizer| {
                let tokens = tokenizer.encode(b"abc dead cab").unwrap();
                let all = session.activations(Mode::Inspect, &tokens, 1).unwrap();
                let last = all.stream.last().unwrap();
                let bits = |all: Vec<f32>| all.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                let said = bits(session.read_out(last).unwrap());
                assert_eq!(said, bits(all.logits), "{sets:?}");
                let passages = Passages {
                    tokens: &tokens,
                    sequences: 1,
                    answer: &(0..0),
                };
                let inside = session
                    .inspect(tokenizer, passages, (&[0, 1, 2], &[0, 1]))
                    .unwrap();
                let nats = session.nats(&tokens).unwrap();
                let found = &inside.layers.last().unwrap().nats;
                for (nats, found) in nats.iter().zip(found) {
                    let error = relative_error(&[f64::from(found.unwrap())], &[f64::from(*nats)]);
                    assert!(error <= tolerance::CACHE, "{error}");
                }
                let first = &inside.layers[0].nats;
                assert_ne!(first, found);
                assert_eq!((inside.layers.len(), inside.heads.len()), (2, 8));
                for head in &inside.heads {
                    for (t, row) in head.attention.iter().enumerate() {
                        assert_eq!(row.len(), t + 1);
                        let sum: u32 = row.iter().map(|&p| u32::from(p)).sum();
                        assert!(sum.abs_diff(255) <= (t as u32 + 2) / 2, "{row:?}");
                    }
                }
                let near = &inside.embeddings.near;
                let last: Vec<&str> = near[2].iter().map(|n| n.0.as_str()).collect();
                assert_eq!((near.len(), last.len()), (3, 2));
                assert!(last.contains(&" ") && last.contains(&"a"), "{last:?}");
            });
        }
    }

    #[test]
    fn a_passage_of_a_wrong_length_is_refused() {
        with_model(&[], |session, tokenizer| {
            for (text, tokens) in [(&b"a"[..], 1), (b"abc dead cabb", 13)] {
                let read = tokenizer.encode(text).unwrap();
                let passages = Passages {
                    tokens: &read,
                    sequences: 1,
                    answer: &(0..0),
                };
                let error = session
                    .inspect(tokenizer, passages, (&[], &[]))
                    .unwrap_err();
                let expected =
                    format!("the passage has {tokens} tokens; from 2 to 12 can be shown");
                assert_eq!(error.to_string(), expected);
            }
        });
    }

    #[test]
    fn words_begin_where_letters_do() {
        let begin = |tokens: &[&str]| {
            let tokens: Vec<String> = tokens.iter().map(|&t| t.to_owned()).collect();
            beginnings(&tokens)
        };
        assert_eq!(
            begin(&["a", "b", " ", "c", "d", ".", "e"]),
            [0, 0, 2, 3, 3, 5, 6]
        );
        assert_eq!(
            begin(&["Some", "thing", " is", "n't", "\n"]),
            [0, 0, 2, 2, 4]
        );
        assert_eq!(begin(&["山", "水", "x", "y"]), [0, 1, 2, 2]);
    }

    #[test]
    fn a_repeated_sequence_has_each_token_twice() {
        let tokens: Vec<u32> = (0..40).map(|i| i * i % 17).collect();
        let all = repeated(&tokens, 13);
        let (first, again) = all.split_at(6);
        assert_eq!(first, again);
        let mut different = first.to_vec();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 6);
        assert_eq!(repeated(&[7; 9], 9), [7, 7]);
    }
}
