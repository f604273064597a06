//! What do attention heads look at? Their probabilities, from queries and keys, and how much of
//! them goes to places that are known to matter.

use engine::Heads;
use run::{HeadKind, HeadScores};
use std::ops::Range;

/// A head is named after some places if it looks at them clearly more than a head that looks
/// everywhere alike: by this share of what it could be at most.
const CLEAR: f64 = 0.3;

/// Passages of equal length to inspect.
#[derive(Debug, Clone, Copy)]
pub struct Passages<'a> {
    /// The tokens of S passages [S·T]. The first is shown; scores are means over all.
    pub tokens: &'a [u32],
    /// S.
    pub sequences: usize,
    /// Which tokens of each passage answer a question; empty if none do.
    pub answer: &'a Range<usize>,
}

impl Passages<'_> {
    /// T.
    pub(crate) fn time(&self) -> usize {
        self.tokens.len() / self.sequences.max(1)
    }
}

/// The attention of a head: softmax(q·k / √D) over the tokens of a sequence up to each one, from
/// queries [S·T, H·D] and keys [S·T, K·D]. A row has the probabilities from one token.
pub fn attention([q, k]: &[Vec<f32>; 2], heads: Heads, head: usize, time: usize) -> Vec<Vec<f64>> {
    let size = heads.head_size;
    let (query, key) = (heads.heads * size, heads.kv_heads * size);
    let shared = head * heads.kv_heads / heads.heads;
    let row = |(at, q): (usize, &[f32])| {
        let q = &q[head * size..][..size];
        let score = |u: usize| {
            let k = &k[u * key + shared * size..][..size];
            let products = q.iter().zip(k).map(|(&q, &k)| f64::from(q) * f64::from(k));
            products.sum::<f64>() / (size as f64).sqrt()
        };
        let mut row: Vec<f64> = (at - at % time..=at).map(score).collect();
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|s| *s = libm::exp(*s - most));
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
        row
    };
    q.chunks_exact(query).enumerate().map(row).collect()
}

/// For each row of some sequences, the places in its sequence that a head may look at for one
/// reason. Rows without any don't count.
struct Pattern(Vec<Vec<usize>>);

impl Pattern {
    /// The mean share of attention that goes to these places; and that of a head that looks
    /// everywhere alike.
    fn share(&self, attention: &[Vec<f64>]) -> Option<(f64, f64)> {
        let rows = self.0.iter().zip(attention);
        let rows = rows.filter(|(places, _)| !places.is_empty());
        let (mut count, mut found, mut alike) = (0.0, 0.0, 0.0);
        for (places, row) in rows {
            count += 1.0;
            found += places.iter().map(|&u| row[u]).sum::<f64>();
            alike += places.len() as f64 / row.len() as f64;
        }
        (count > 0.0).then(|| (found / count, alike / count))
    }
}

/// The places of a sequence to look at from its token t, whose word begins at the last argument.
type Chooses<'a> = dyn Fn(&[u32], usize, usize) -> Vec<usize> + 'a;

/// The reasons that a head may have, in passages and in a repeated sequence.
pub struct Reasons {
    /// Each with the kind of a head that has it.
    inside: [(HeadKind, Pattern); 5],
    induction: Pattern,
}

impl Reasons {
    /// Those of these passages, in which the word of each token begins at `words` [S·T], counted
    /// within its sequence; and of a sequence of `half` different tokens and the same again.
    pub fn new(passages: &Passages, words: &[usize], half: usize) -> Reasons {
        let (tokens, time) = (passages.tokens, passages.time());
        let pattern = |places: &Chooses| {
            let each = words.iter().enumerate().map(|(at, &word)| {
                let (sequence, t) = (&tokens[at - at % time..][..time], at % time);
                places(sequence, t, word)
            });
            Pattern(each.collect())
        };
        let one = |place: usize, wanted: bool| if wanted { vec![place] } else { Vec::new() };
        let with = |sequence: &[u32], t: usize, token: u32| -> Vec<usize> {
            (0..=t).filter(|&u| sequence[u] == token).collect()
        };
        // The second token's previous token is the first one.
        let previous = pattern(&|_, t, _| one(t.saturating_sub(1), t >= 2));
        let first = pattern(&|_, t, _| one(0, t >= 2));
        let word = pattern(&|_, t, word| one(word, word + 2 <= t));
        let same = pattern(&|s, t, _| match t {
            0 => Vec::new(),
            _ => with(s, t, s[t]),
        });
        let mut answer = pattern(&|s, t, _| match passages.answer.contains(&(t + 1)) {
            true => with(s, t, s[t + 1]),
            false => Vec::new(),
        });
        let found = answer.0.iter().filter(|places| !places.is_empty()).count();
        if 2 * found < passages.sequences * passages.answer.len() {
            // The answers of sums are in their questions only by chance.
            answer.0.clear();
        }
        let after = (0..2 * half).map(|t| one((t + 1).saturating_sub(half), t >= half));
        Reasons {
            inside: [
                (HeadKind::Previous, previous),
                (HeadKind::Same, same),
                (HeadKind::Word, word),
                (HeadKind::First, first),
                (HeadKind::Copying, answer),
            ],
            induction: Pattern(after.collect()),
        }
    }

    /// The scores of a head with this attention in the passages and in the repeated sequence; its
    /// kind, and how clear that is.
    pub fn judge(
        &self,
        passages: &[Vec<f64>],
        repeated: &[Vec<f64>],
    ) -> (HeadScores, HeadKind, f64) {
        let mut found: Vec<(HeadKind, Option<(f64, f64)>)> = (self.inside.iter())
            .map(|(kind, pattern)| (*kind, pattern.share(passages)))
            .collect();
        found.push((HeadKind::Copying, self.induction.share(repeated)));
        let score = |at: usize| {
            found[at]
                .1
                .map(|(share, _)| (share * 1e4).round() as f32 / 1e4)
        };
        let scores = HeadScores {
            previous: score(0),
            same: score(1),
            word: score(2),
            first: score(3),
            answer: score(4),
            induction: score(5),
        };
        let clear = found.iter().filter_map(|&(kind, found)| {
            let (share, alike) = found?;
            Some((kind, (share - alike) / (1.0 - alike)))
        });
        let clearest = clear.filter(|(_, clear)| *clear >= CLEAR);
        let clearest = clearest.max_by(|a, b| a.1.total_cmp(&b.1));
        let (kind, clear) = clearest.unwrap_or((HeadKind::Mixed, 0.0));
        (scores, kind, clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::verify::relative_error;
    use engine::{
        Device, Graph, Host, HostMut, Plan, Purpose, RandomPurpose, Reference, Scalars, Stream,
        tolerance,
    };
    use std::sync::Arc;

    /// What the operation adds up, Σ p·v, is the sum with these probabilities, of each query head
    /// with its group's values.
    #[test]
    fn the_probabilities_are_those_of_the_operation() {
        let (time, sequences) = (7, 2);
        let heads = Heads {
            heads: 6,
            kv_heads: 3,
            head_size: 4,
        };
        let widths = [24, 12, 12];
        let mut g = Graph::new();
        let inputs = widths.map(|width| g.input("x", sequences * time, width));
        let [q, k, v] = inputs;
        let y = g.attention(q, k, v, heads, time).unwrap();
        g.keep(y);
        let mut device = Reference::new();
        device.create(&[], None).unwrap();
        let plan = Plan::new(Arc::new(g), 1, Purpose::Infer).unwrap();
        let ready = device.prepare(plan).unwrap();
        let mut random = Stream::new(3, RandomPurpose::Check, 1);
        let numbers = widths.map(|width| {
            let count = sequences * time * width;
            (0..count)
                .map(|_| random.normal() as f32)
                .collect::<Vec<f32>>()
        });
        for (value, numbers) in inputs.into_iter().zip(&numbers) {
            device.write(ready, value, Host::Real(numbers)).unwrap();
        }
        device.run(ready, &Scalars::default()).unwrap();
        let mut expected = vec![0.0; sequences * time * 24];
        device
            .read(ready, y, HostMut::Double(&mut expected))
            .unwrap();
        let [q, k, v] = numbers;
        let qk = [q, k];
        let mut found = vec![0.0; expected.len()];
        for head in 0..6 {
            let rows = attention(&qk, heads, head, time);
            for (at, row) in rows.iter().enumerate() {
                assert_eq!(row.len(), at % time + 1, "causal");
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for (u, p) in row.iter().enumerate() {
                    let v = &v[((at - at % time + u) * 3 + head / 2) * 4..][..4];
                    let y = &mut found[(at * 6 + head) * 4..][..4];
                    y.iter_mut()
                        .zip(v)
                        .for_each(|(y, &v)| *y += p * f64::from(v));
                }
            }
        }
        let error = relative_error(&found, &expected);
        assert!(error <= tolerance::GOLDEN, "{error}");
    }

    /// A head that looks at one place of each row of the passages, and of the repeated sequence.
    fn judged(
        passages: &Passages,
        words: &[usize],
        place: &dyn Fn(usize) -> usize,
        again: &dyn Fn(usize) -> usize,
    ) -> (HeadScores, HeadKind) {
        let half = 4;
        let rows = |count: usize, time: usize, place: &dyn Fn(usize) -> usize| -> Vec<Vec<f64>> {
            let one = |at: usize| {
                let mut row = vec![0.0; at % time + 1];
                row[place(at % time)] = 1.0;
                row
            };
            (0..count).map(one).collect()
        };
        let looks = rows(passages.tokens.len(), passages.time(), place);
        let (scores, kind, clear) =
            Reasons::new(passages, words, half).judge(&looks, &rows(2 * half, 2 * half, again));
        assert_eq!(clear > 0.0, kind != HeadKind::Mixed);
        (scores, kind)
    }

    #[test]
    fn a_head_is_named_after_what_it_looks_at() {
        // A question, 1 2 3 4, a sign, and its answer, once more; two words, of 4 and 5 tokens.
        let tokens: Vec<u32> = [1, 2, 3, 4, 0, 1, 2, 3, 4].repeat(2);
        let words: Vec<usize> = [0, 0, 0, 0, 4, 4, 4, 4, 4].repeat(2);
        let passages = Passages {
            tokens: &tokens,
            sequences: 2,
            answer: &(5..9),
        };
        let judge = |place: &dyn Fn(usize) -> usize, again: &dyn Fn(usize) -> usize| {
            judged(&passages, &words, place, again)
        };
        let back = |t: usize| t.saturating_sub(1);
        let (scores, kind) = judge(&back, &back);
        assert_eq!((scores.previous, kind), (Some(1.0), HeadKind::Previous));
        assert_eq!(scores.induction, Some(0.0));
        let (scores, kind) = judge(&|t| if t > 4 { t - 5 } else { t }, &|t| t);
        assert_eq!((scores.same, kind), (Some(1.0), HeadKind::Same));
        let begin = |t: usize| if t < 4 { 0 } else { 4 };
        let (scores, kind) = judge(&begin, &|_| 0);
        assert_eq!((scores.word, kind), (Some(1.0), HeadKind::Word));
        let (scores, kind) = judge(&|_| 0, &|_| 0);
        assert_eq!((scores.first, kind), (Some(1.0), HeadKind::First));
        // In the repeated sequence alone: after the place where the token stood.
        let (scores, kind) = judge(&|t| t / 2, &|t| (t + 1).saturating_sub(4));
        assert_eq!((scores.induction, kind), (Some(1.0), HeadKind::Copying));
        // In the questions alone: from the sign to the first letter, and so on.
        let (scores, kind) = judge(&|t| t.saturating_sub(4), &|_| 0);
        assert_eq!((scores.answer, kind), (Some(1.0), HeadKind::Copying));
        assert_eq!(judge(&|t| t / 2, &|t| t).1, HeadKind::Mixed);
        // Answers that aren't in their questions.
        let passages = Passages {
            tokens: &[1, 2, 3, 4, 0, 5, 6, 7, 1],
            sequences: 1,
            ..passages
        };
        let scores = judged(&passages, &words[..9], &back, &back).0;
        assert_eq!((scores.previous, scores.answer), (Some(1.0), None));
    }
}
