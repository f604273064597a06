//! Learns a byte-level BPE: which pairs become tokens.
//!
//! Words (the split's pieces) are counted. Then the most frequent pair of neighbors becomes a
//! token, again and again (Sennrich et al. 2016); on a tie, the pair with the smaller ids, as in
//! Hugging Face's trainer. Only words with the pair are touched; a heap whose counts are updated
//! lazily finds the next pair.

use super::bpe::Bpe;
use super::split::Split;
use super::{END_OF_TEXT, stand_in_order};
use crate::choose::is_syllable;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most bytes to learn from, sampled from a larger text: enough for tens of thousands of
/// tokens, while time and memory stay bounded.
pub const SAMPLE_BYTES: usize = 8 << 20;

/// Size of one part of the sample; the parts are spread evenly over the text.
const PART_BYTES: usize = 64 << 10;

/// Every token has fewer bytes than this.
const TOKEN_BYTES: usize = 64;

/// A pair that occurs less often isn't worth a token.
const LEAST: i64 = 2;

type Pair = (u32, u32);

/// How often each word occurs.
pub(super) type Words = FxHashMap<Box<[u8]>, i64>;

/// Learns a tokenizer of at most `size` tokens from counted words: 256 bytes, merges in the order
/// learned, the end of text last. There are fewer if no pair occurs twice. `split` is the one that
/// texts will be cut by.
pub(super) fn learn(words: &Words, size: usize, split: Split) -> Bpe {
    let mut learning = Learning::new(words);
    while learning.tokens.len() + 1 < size {
        let Some(pair) = learning.most_frequent() else {
            break;
        };
        learning.merge(pair);
    }
    let Learning {
        mut tokens, merges, ..
    } = learning;
    let end = tokens.len() as u32;
    tokens.push(Vec::new());
    Bpe::new(
        split,
        &tokens,
        merges,
        vec![(end, END_OF_TEXT.into())],
        end,
        false,
    )
}

/// Counts the words of `texts`, or of an even sample of large ones.
pub(super) fn count_words(texts: &[&[u8]], split: Split) -> Words {
    let mut words = Words::default();
    each_word(texts, split, |word| count(&mut words, word));
    words
}

/// The same, each syllable being a word by itself.
pub(super) fn count_apart(texts: &[&[u8]], split: Split) -> Words {
    let mut words = Words::default();
    each_word(texts, split, |word| {
        let text = std::str::from_utf8(word).unwrap_or_default();
        let syllables = text.char_indices().filter(|&(_, c)| is_syllable(c));
        let mut rest = 0;
        for (at, c) in syllables {
            let end = at + c.len_utf8();
            for part in [rest..at, at..end] {
                count(&mut words, &word[part]);
            }
            rest = end;
        }
        count(&mut words, &word[rest..]);
    });
    words
}

fn count(words: &mut Words, word: &[u8]) {
    if word.is_empty() {
        return;
    }
    match words.get_mut(word) {
        Some(count) => *count += 1,
        None => {
            words.insert(word.into(), 1);
        }
    }
}

fn each_word(texts: &[&[u8]], split: Split, mut found: impl FnMut(&[u8])) {
    let total: usize = texts.iter().map(|text| text.len()).sum();
    for text in texts {
        for part in sample(text, total) {
            split.pieces(part).for_each(&mut found);
        }
    }
}

/// The parts of a text to learn from: all of it, or evenly spaced parts of [`PART_BYTES`], cut at
/// characters.
fn sample(text: &[u8], total: usize) -> impl Iterator<Item = &[u8]> {
    let whole = total <= SAMPLE_BYTES;
    let part = if whole { text.len().max(1) } else { PART_BYTES };
    let stride = if whole {
        part
    } else {
        (PART_BYTES as u128 * total as u128 / SAMPLE_BYTES as u128) as usize
    };
    let begins = |mut at: usize| {
        while text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80) {
            at += 1;
        }
        at.min(text.len())
    };
    (0..text.len())
        .step_by(stride)
        .map(move |at| &text[begins(at)..begins(at + part)])
}

/// The state between two merges.
struct Learning {
    tokens: Vec<Vec<u8>>,
    ids: FxHashMap<Vec<u8>, u32>,
    merges: Vec<(u32, u32, u32)>,
    merged: FxHashSet<Pair>,
    /// The tokens of all words; each word has its own range.
    symbols: Vec<u32>,
    words: Vec<Word>,
    counts: FxHashMap<Pair, i64>,
    /// Words that have, or had, a pair.
    places: FxHashMap<Pair, Vec<u32>>,
    heap: BinaryHeap<(i64, Reverse<Pair>)>,
}

struct Word {
    from: usize,
    length: u32,
    count: i64,
}

impl Learning {
    fn new(words: &Words) -> Learning {
        let tokens: Vec<Vec<u8>> = stand_in_order()
            .into_iter()
            .map(|byte| vec![byte])
            .collect();
        let ids: FxHashMap<Vec<u8>, u32> = tokens.iter().cloned().zip(0..).collect();
        let mut of_byte = [0; 256];
        for (token, id) in tokens.iter().zip(0..) {
            of_byte[usize::from(token[0])] = id;
        }
        let mut learning = Learning {
            tokens,
            ids,
            merges: Vec::new(),
            merged: FxHashSet::default(),
            symbols: Vec::new(),
            words: Vec::with_capacity(words.len()),
            counts: FxHashMap::default(),
            places: FxHashMap::default(),
            heap: BinaryHeap::new(),
        };
        for (word, &count) in words {
            let from = learning.symbols.len();
            learning
                .symbols
                .extend(word.iter().map(|&byte| of_byte[usize::from(byte)]));
            let at = learning.words.len() as u32;
            learning.words.push(Word {
                from,
                length: word.len() as u32,
                count,
            });
            for i in from + 1..learning.symbols.len() {
                let pair = (learning.symbols[i - 1], learning.symbols[i]);
                learning.change(pair, count, at);
            }
        }
        let all = learning
            .counts
            .iter()
            .map(|(&pair, &count)| (count, Reverse(pair)));
        learning.heap = all.collect();
        learning
    }

    /// Adds to a pair's count in a word.
    fn change(&mut self, pair: Pair, by: i64, word: u32) {
        *self.counts.entry(pair).or_default() += by;
        if by > 0 {
            let places = self.places.entry(pair).or_default();
            if places.last() != Some(&word) {
                places.push(word);
            }
        }
    }

    fn most_frequent(&mut self) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.heap.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if now < LEAST {
                continue;
            }
            if now == count {
                return Some(pair);
            }
            self.heap.push((now, Reverse(pair)));
        }
        None
    }

    /// Turns a pair into a token, everywhere.
    fn merge(&mut self, pair: Pair) {
        let [left, right] = [pair.0, pair.1].map(|id| self.tokens[id as usize].as_slice());
        let token = [left, right].concat();
        let length = token.len();
        // Two pairs may make the same token.
        let next = self.tokens.len() as u32;
        let id = *self.ids.entry(token.clone()).or_insert(next);
        if id == next {
            self.tokens.push(token);
        }
        // A pair can come up again after another pair made one of its tokens.
        if self.merged.insert(pair) {
            self.merges.push((pair.0, pair.1, id));
        }
        self.counts.remove(&pair);
        let mut raised: Vec<Pair> = Vec::new();
        for word in self.places.remove(&pair).unwrap_or_default() {
            self.merge_in(word, pair, id, length, &mut raised);
        }
        // Where the token followed itself, the loop lowered the count of its own pair.
        self.counts.remove(&pair);
        raised.sort_unstable();
        raised.dedup();
        for pair in raised {
            let count = self.counts.get(&pair).copied().unwrap_or(0);
            self.heap.push((count, Reverse(pair)));
        }
    }

    /// Merges a pair in one word and closes the gaps.
    fn merge_in(&mut self, at: u32, pair: Pair, id: u32, length: usize, raised: &mut Vec<Pair>) {
        let Word {
            from,
            length: symbols,
            count,
        } = self.words[at as usize];
        let end = from + symbols as usize;
        let (mut read, mut write) = (from, from);
        while read < end {
            let here = self.symbols[read];
            if here != pair.0 || read + 1 >= end || self.symbols[read + 1] != pair.1 {
                self.symbols[write] = here;
                (read, write) = (read + 1, write + 1);
                continue;
            }
            let before = (write > from).then(|| self.symbols[write - 1]);
            let after = (read + 2 < end).then(|| self.symbols[read + 2]);
            self.symbols[write] = id;
            (read, write) = (read + 2, write + 1);
            let sides = [
                before.map(|before| ((before, pair.0), (before, id), before)),
                after.map(|after| ((pair.1, after), (id, after), after)),
            ];
            for (old, new, neighbor) in sides.into_iter().flatten() {
                self.change(old, -count, at);
                if self.tokens[neighbor as usize].len() + length < TOKEN_BYTES {
                    self.change(new, count, at);
                    raised.push(new);
                }
            }
        }
        self.words[at as usize].length = (write - from) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(texts: &[&[u8]], size: usize) -> Bpe {
        learn(&count_words(texts, Split::Qwen2), size, Split::Qwen2)
    }

    fn tokens(bpe: &Bpe) -> Vec<String> {
        let learned = 256..bpe.vocabulary_size() as u32 - 1;
        learned
            .map(|id| String::from_utf8_lossy(bpe.token(id)).into_owned())
            .collect()
    }

    /// What Hugging Face's `tokenizers` 0.23.3 learns from this text (`vocab_size` 269,
    /// `min_frequency` 2, `max_token_length` 64), which settles ties and overlaps.
    #[test]
    fn the_same_tokens_as_the_library_learns() {
        let text = "low lower lowest newer newest wider aaaa aaaaaa bababab\n".repeat(3);
        let learned = tokens(&learned(&[text.as_bytes()], 270));
        assert_eq!(learned, GOLDEN);
    }

    const GOLDEN: [&str; 13] = [
        "aa", "we", "ab", "lo", "aaaa", "ewe", "newe", "st", " lo", " aaaa", " newe", "abab",
        " lowe",
    ];

    #[test]
    fn syllables_stay_apart_and_rare_ones_are_spelled_in_bytes() {
        let text = "\u{5B66}\u{4E60} Rust, \u{5B66}\u{4E60}Rust\u{3002}\n".repeat(9) + "\u{4F60}";
        let words = count_apart(&[text.as_bytes()], Split::Qwen2);
        let bpe = learn(&words, 300, Split::Qwen2);
        let tokens = tokens(&bpe);
        for token in ["\u{5B66}", "\u{4E60}", "Rust"] {
            assert!(tokens.iter().any(|known| known == token), "{tokens:?}");
        }
        let joined = |token: &String| token.chars().filter(|&c| is_syllable(c)).count() > 1;
        assert!(!tokens.iter().any(joined), "{tokens:?}");
        assert!(!tokens.iter().any(|token| token == "\u{4F60}"));
    }

    #[test]
    fn nothing_is_learned_from_what_occurs_once() {
        for text in [&b""[..], b"a", b"abcdefgh"] {
            let bpe = learned(&[text], 1000);
            assert_eq!((bpe.vocabulary_size(), bpe.end_of_text), (257, 256));
        }
    }

    #[test]
    fn tokens_stay_short_and_a_large_text_is_sampled_evenly() {
        let bpe = learned(&[&b"A".repeat(100_000)], 300);
        assert!(tokens(&bpe).iter().all(|token| token.len() < TOKEN_BYTES));
        let mut text = b"begin ".repeat(2 * SAMPLE_BYTES / 6);
        text.extend("\u{4F60}end".repeat(SAMPLE_BYTES / 6).as_bytes());
        let total: usize = sample(&text, text.len()).map(<[u8]>::len).sum();
        assert!(
            total > SAMPLE_BYTES * 9 / 10 && total < SAMPLE_BYTES * 11 / 10,
            "{total}"
        );
        let words = count_words(
            &[&text[..2 * SAMPLE_BYTES], &text[2 * SAMPLE_BYTES..]],
            Split::Qwen2,
        );
        let count = |word: &[u8]| {
            words
                .iter()
                .filter(|(w, _)| w.windows(3).any(|x| x == word))
                .count()
        };
        assert!(count(b"gin") > 0 && count(b"end") > 0);
        assert!(sample(&text, text.len()).all(|part| std::str::from_utf8(part).is_ok()));
    }
}
