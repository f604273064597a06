//! Where does a text stand in the training tokens? A suffix array of them answers by binary search.
//!
//! The array is made by libsais (Grebnov), in linear time and in place: induced sorting after Nong,
//! Zhang and Chan, "Two efficient algorithms for linear time suffix array construction" (2011).

use crate::originality::{Error, Result};
use data::Tokens;
use libsais::SuffixArrayConstruction;
use std::cmp::Ordering;

/// The most tokens in an index: a position has 31 bits.
pub const MOST: usize = i32::MAX as usize;
/// Tokens read at once.
const READ: usize = 1 << 16;
/// Tokens of a part where the corpus is sampled.
const PART: usize = 1 << 20;

/// A verbatim match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Match {
    /// Its length in tokens.
    pub len: usize,
    /// Where it stands in the training tokens; any place if there are several.
    pub at: usize,
}

/// The training tokens, or evenly spaced parts of them, with their suffix array.
pub struct Index {
    sorted: Sorted,
    /// The first token of each part: in the index, and in the corpus.
    parts: Vec<(usize, usize)>,
    /// Positions of the end-of-text tokens; none where the corpus is sampled.
    ends: Vec<u32>,
}

/// Tokens and the order of their suffixes, in the narrowest type.
enum Sorted {
    Narrow(Vec<u16>, Vec<i32>),
    Wide(Vec<i32>, Vec<i32>),
}

impl Index {
    /// Bytes that an index of this many tokens needs.
    pub fn bytes(tokens: usize, vocabulary: usize) -> u64 {
        let token = if is_narrow(vocabulary) { 2 } else { 4 };
        tokens as u64 * (token + 4)
    }

    /// Reads and sorts at most `most` tokens of the corpus.
    ///
    /// # Errors
    /// If a shard can't be read or is damaged.
    pub fn new(corpus: &Tokens, vocabulary: usize, end_of_text: u32, most: usize) -> Result<Index> {
        let parts = parts(corpus.len(), most.min(MOST));
        let total = parts.iter().map(|(_, len)| len).sum();
        let whole = total == corpus.len();
        let (mut narrow, mut wide, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        match is_narrow(vocabulary) {
            true => narrow.reserve_exact(total),
            false => wide.reserve_exact(total),
        }
        let mut block = vec![0; READ];
        let mut starts = Vec::new();
        let mut done = 0;
        for (start, len) in parts {
            starts.push((done, start));
            for at in (0..len).step_by(READ) {
                let block = &mut block[..READ.min(len - at)];
                corpus.read(start + at, block)?;
                match is_narrow(vocabulary) {
                    true => narrow.extend(block.iter().map(|&t| t as u16)),
                    false => wide.extend(block.iter().map(|&t| t as i32)),
                }
                let end = |&(_, token): &(usize, &u32)| whole && *token == end_of_text;
                let found = block.iter().enumerate().filter(end);
                ends.extend(found.map(|(i, _)| (done + at + i) as u32));
            }
            done += len;
        }
        let failed = |error| Error::Sort(format!("{error:?}"));
        let sorted = match is_narrow(vocabulary) {
            true => {
                let order = SuffixArrayConstruction::for_text(&narrow)
                    .in_owned_buffer32()
                    .single_threaded()
                    .run()
                    .map_err(failed)?
                    .into_vec();
                Sorted::Narrow(narrow, order)
            }
            false => {
                let order = SuffixArrayConstruction::for_text_mut(&mut wide)
                    .in_owned_buffer32()
                    .single_threaded()
                    .run()
                    .map_err(failed)?
                    .into_vec();
                Sorted::Wide(wide, order)
            }
        };
        Ok(Index {
            sorted,
            parts: starts,
            ends,
        })
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        match &self.sorted {
            Sorted::Narrow(_, order) | Sorted::Wide(_, order) => order.len(),
        }
    }

    /// The longest match of each suffix of a text: what begins at each place and also stands in the
    /// corpus.
    pub fn matches(&self, text: &[u32]) -> Vec<Match> {
        match &self.sorted {
            Sorted::Narrow(tokens, order) => {
                let text: Vec<u16> = text.iter().map(|&t| t as u16).collect();
                self.longest(tokens, order, &text)
            }
            Sorted::Wide(tokens, order) => {
                let text: Vec<i32> = text.iter().map(|&t| t as i32).collect();
                self.longest(tokens, order, &text)
            }
        }
    }

    fn longest<T: Copy + Ord>(&self, tokens: &[T], order: &[i32], text: &[T]) -> Vec<Match> {
        let each = (0..text.len()).map(|from| {
            let wanted = &text[from..];
            let below = |&at: &i32| {
                let here = &tokens[at as usize..];
                let here = &here[..here.len().min(wanted.len())];
                here.cmp(wanted) == Ordering::Less
            };
            let place = order.partition_point(below);
            // A longest match is next to the place where the text would be sorted in.
            let near = &order[place.saturating_sub(1)..(place + 1).min(order.len())];
            let found = near.iter().map(|&at| self.locate(tokens, at, wanted));
            found.max_by_key(|found| found.len).unwrap_or_default()
        });
        each.collect()
    }

    /// The match at a place of the index, up to the end of its part.
    fn locate<T: Copy + Ord>(&self, tokens: &[T], at: i32, wanted: &[T]) -> Match {
        let at = at as usize;
        let part = self.parts.partition_point(|(first, _)| *first <= at) - 1;
        let end = self.parts.get(part + 1).map_or(tokens.len(), |next| next.0);
        let pairs = tokens[at..end].iter().zip(wanted);
        let (first, start) = self.parts[part];
        Match {
            len: pairs.take_while(|(a, b)| a == b).count(),
            at: start + at - first,
        }
    }

    /// The number of a position's document in the training part, from 1, and the position in it;
    /// `None` if the corpus has no documents or was sampled.
    pub fn document(&self, at: usize) -> Option<(u64, u64)> {
        if self.ends.is_empty() {
            return None;
        }
        let number = self.ends.partition_point(|&end| (end as usize) < at);
        let start = number
            .checked_sub(1)
            .map_or(0, |i| self.ends[i] as usize + 1);
        Some((number as u64 + 1, (at - start) as u64))
    }
}

fn is_narrow(vocabulary: usize) -> bool {
    vocabulary <= 1 << 16
}

/// Start and length of evenly spaced parts with at most `most` of `all` tokens together.
fn parts(all: usize, most: usize) -> Vec<(usize, usize)> {
    if all <= most {
        return vec![(0, all)];
    }
    let count = most.div_ceil(PART).max(1);
    let part = |i: usize| {
        (
            (all as u128 * i as u128 / count as u128) as usize,
            most / count,
        )
    };
    (0..count).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use text::random::{Random, RandomUse};

    /// The length of the longest match of what begins at `from`, by comparing with every place.
    fn naive(corpus: &[u32], text: &[u32], from: usize) -> usize {
        let common = |at: usize| {
            let pairs = corpus[at..].iter().zip(&text[from..]);
            pairs.take_while(|(a, b)| a == b).count()
        };
        (0..corpus.len()).map(common).max().unwrap()
    }

    #[test]
    fn matches_are_those_of_a_naive_search() {
        let mut random = Random::new(7, RandomUse::Documents, 0);
        for round in 0..300 {
            let letters = 1 + random.below(5);
            // Ids of a wide vocabulary don't fit in two bytes.
            let base = if round % 2 == 0 { 0 } else { 70_000 };
            let mut draw = |most: u64| -> Vec<u32> {
                let len = 1 + random.below(most);
                (0..len)
                    .map(|_| base + random.below(letters) as u32)
                    .collect()
            };
            let (corpus, text) = (draw(200), draw(60));
            let tokens = Tokens::in_memory(&corpus);
            let vocabulary = base as usize + 6;
            let index = Index::new(&tokens, vocabulary, u32::MAX, MOST).unwrap();
            for (from, found) in index.matches(&text).into_iter().enumerate() {
                assert_eq!(found.len, naive(&corpus, &text, from));
                assert_eq!(corpus[found.at..][..found.len], text[from..][..found.len]);
            }
        }
    }

    #[test]
    fn matches_in_a_megabyte_of_stories_are_those_of_a_naive_search() {
        let stories = text::tales(1, 1_000_000, 600);
        let bytes = |text: &[u8]| -> Vec<u32> { text.iter().map(|&b| u32::from(b)).collect() };
        let (corpus, held_out) = (bytes(&stories.train), bytes(&stories.validation));
        assert!(corpus.len() >= 1_000_000 && held_out.len() >= 600);
        let text = [&held_out[..250], &corpus[500_000..500_250]].concat();
        let index = Index::new(&Tokens::in_memory(&corpus), 256, u32::MAX, MOST).unwrap();
        let found = index.matches(&text);
        for (from, found) in found.iter().enumerate() {
            assert_eq!(found.len, naive(&corpus, &text, from), "at {from}");
            assert_eq!(corpus[found.at..][..found.len], text[from..][..found.len]);
        }
        assert!(found[250].len >= 250);
    }

    #[test]
    fn a_position_has_a_document() {
        let tokens = Tokens::in_memory(&[1, 2, 9, 3, 9, 9, 4]);
        let index = Index::new(&tokens, 10, 9, MOST).unwrap();
        let found: Vec<_> = (0..7).map(|at| index.document(at).unwrap()).collect();
        assert_eq!(
            found,
            [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0), (4, 0)]
        );
    }

    #[test]
    fn a_sample_of_the_corpus_has_true_places() {
        assert_eq!(parts(10, 10), [(0, 10)]);
        let corpus: Vec<u32> = (0..5 * PART as u32).map(|i| i % 50_021).collect();
        let tokens = Tokens::in_memory(&corpus);
        let index = Index::new(&tokens, 60_000, u32::MAX, 2 * PART).unwrap();
        assert_eq!((index.tokens(), index.document(3)), (2 * PART, None));
        let text = &corpus[PART - 5..][..10];
        let found = index.matches(text)[0];
        assert_eq!(corpus[found.at..][..found.len], text[..found.len]);
        assert_eq!(found.len, 10);
        let count = parts(5 * PART, 2 * PART);
        assert_eq!(count, [(0, PART), (5 * PART / 2, PART)]);
    }
}
