//! Byte-level BPE: turns a piece of text into tokens.
//!
//! A piece starts as its bytes. The adjacent pair whose merge has the lowest rank (the leftmost of
//! equals) becomes one token, until no pair has a merge (Sennrich et al. 2016). Short pieces are
//! scanned for each merge; long ones use a heap. Words repeat, so most pieces are found in a cache.

use super::split::Split;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A byte-level BPE tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bpe {
    pub(super) split: Split,
    /// The bytes of all tokens, concatenated; special tokens and unused ids have none.
    bytes: Vec<u8>,
    /// Where each id's bytes end.
    ends: Vec<u32>,
    /// Left, right and merged id, by rank.
    pub(super) merges: Vec<(u32, u32, u32)>,
    /// The id of each byte.
    pub(super) alphabet: Vec<u32>,
    /// Tokens that no text is encoded to, with their names.
    pub(super) special: Vec<(u32, String)>,
    pub(super) end_of_text: u32,
    /// Ids of pieces that are tokens as a whole, whatever the merges say (`ignore_merges`).
    whole: Option<FxHashMap<Box<[u8]>, u32>>,
    pairs: Pairs,
}

impl Bpe {
    /// A tokenizer of these tokens; the caller has checked that ids are in range.
    pub(super) fn new(
        split: Split,
        tokens: &[Vec<u8>],
        merges: Vec<(u32, u32, u32)>,
        special: Vec<(u32, String)>,
        end_of_text: u32,
        ignore_merges: bool,
    ) -> Bpe {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(tokens.len()));
        let mut alphabet = vec![0; 256];
        for (id, token) in tokens.iter().enumerate() {
            bytes.extend_from_slice(token);
            ends.push(bytes.len() as u32);
            if let [byte] = token[..] {
                alphabet[usize::from(byte)] = id as u32;
            }
        }
        let whole = ignore_merges.then(|| {
            let named = tokens
                .iter()
                .enumerate()
                .filter(|(_, token)| !token.is_empty());
            named
                .map(|(id, token)| (token.clone().into(), id as u32))
                .collect()
        });
        Bpe {
            split,
            bytes,
            ends,
            pairs: Pairs::new(&merges),
            merges,
            alphabet,
            special,
            end_of_text,
            whole,
        }
    }

    /// The number of ids.
    pub fn vocabulary_size(&self) -> usize {
        self.ends.len()
    }

    /// The split applied before BPE.
    pub fn split(&self) -> Split {
        self.split
    }

    /// The bytes of an id; none for a special token or an id that doesn't exist.
    pub fn token(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let from = match id.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(id).copied().unwrap_or(from);
        &self.bytes[from as usize..end as usize]
    }

    /// Whether a piece that is a token skips the merges.
    pub(super) fn ignores_merges(&self) -> bool {
        self.whole.is_some()
    }

    /// Appends the ids of a text.
    pub(super) fn encode(&self, text: &[u8], memory: &mut Memory, ids: &mut Vec<u32>) {
        let Memory { known, work } = memory;
        known.grow_for(text.len());
        for piece in self.split.pieces(text) {
            if let [byte] = piece[..] {
                ids.push(self.alphabet[usize::from(byte)]);
                continue;
            }
            let Some(slot) = known.slot(piece) else {
                self.merge(piece, work, ids);
                continue;
            };
            if slot.is(piece) {
                ids.extend_from_slice(&slot.ids[..usize::from(slot.count)]);
                continue;
            }
            let from = ids.len();
            self.merge(piece, work, ids);
            slot.keep(piece, &ids[from..]);
        }
    }

    /// Appends the ids of a piece.
    fn merge(&self, piece: &[u8], work: &mut Work, ids: &mut Vec<u32>) {
        if let Some(&id) = self.whole.as_ref().and_then(|whole| whole.get(piece)) {
            ids.push(id);
            return;
        }
        work.ids.clear();
        work.ids
            .extend(piece.iter().map(|&byte| self.alphabet[usize::from(byte)]));
        if piece.len() <= SHORT {
            self.merge_short(work);
        } else {
            self.merge_long(work);
        }
        ids.extend_from_slice(&work.ids);
    }

    fn merge_short(&self, work: &mut Work) {
        let Work { ids, ranks, .. } = work;
        ranks.clear();
        ranks.extend(ids.windows(2).map(|pair| self.pairs.rank(pair[0], pair[1])));
        loop {
            let lowest = ranks.iter().copied().fold(NONE, u32::min);
            if lowest == NONE {
                return;
            }
            let at = ranks.iter().position(|&rank| rank == lowest).unwrap_or(0);
            ids[at] = self.merges[lowest as usize].2;
            ids.remove(at + 1);
            ranks.remove(at);
            if at > 0 {
                ranks[at - 1] = self.pairs.rank(ids[at - 1], ids[at]);
            }
            if at < ranks.len() {
                ranks[at] = self.pairs.rank(ids[at], ids[at + 1]);
            }
        }
    }

    /// A token sits at the place of its first byte, linked to its neighbors.
    fn merge_long(&self, work: &mut Work) {
        let Work {
            ids,
            heap,
            before,
            after,
            ..
        } = work;
        let length = ids.len();
        heap.clear();
        before.clear();
        before.extend((0..length).map(|at| at.wrapping_sub(1)));
        after.clear();
        after.extend(1..=length);
        let push = |heap: &mut BinaryHeap<_>, ids: &[u32], left: usize, right: usize| {
            let rank = self.pairs.rank(ids[left], ids[right]);
            if rank != NONE {
                heap.push(Reverse((rank, left)));
            }
        };
        for at in 1..length {
            push(heap, ids, at - 1, at);
        }
        while let Some(Reverse((rank, left))) = heap.pop() {
            let right = after[left];
            // The pair may have changed since, or another merge may have taken its left token.
            let (first, second, merged) = self.merges[rank as usize];
            if right >= length || ids[left] != first || ids[right] != second {
                continue;
            }
            ids[left] = merged;
            ids[right] = NONE;
            after[left] = after[right];
            if after[left] < length {
                before[after[left]] = left;
                push(heap, ids, left, after[left]);
            }
            if before[left] < length {
                push(heap, ids, before[left], left);
            }
        }
        ids.retain(|&id| id != NONE);
    }
}

/// No rank, no id.
const NONE: u32 = u32::MAX;

/// Up to this many bytes, searching all ranks is faster than a heap.
const SHORT: usize = 96;

/// State that encoding keeps between texts, for one tokenizer.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Known,
    work: Work,
}

/// Buffers reused for each piece.
#[derive(Debug, Default)]
struct Work {
    ids: Vec<u32>,
    ranks: Vec<u32>,
    heap: BinaryHeap<Reverse<(u32, usize)>>,
    before: Vec<usize>,
    after: Vec<usize>,
}

/// The rank of each pair: an open-addressing table, at most a quarter full.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pairs {
    /// Left id, right id, rank; a rank of [`NONE`] marks a free slot. The length is a power of two.
    slots: Vec<(u32, u32, u32)>,
    shift: u32,
}

impl Pairs {
    fn new(merges: &[(u32, u32, u32)]) -> Pairs {
        let size = (merges.len() * 4).next_power_of_two().max(16);
        let mut pairs = Pairs {
            slots: vec![(NONE, NONE, NONE); size],
            shift: 64 - size.trailing_zeros(),
        };
        for (rank, &(left, right, _)) in merges.iter().enumerate() {
            let place = pairs.place(left, right);
            // If a pair is listed twice, the last one counts, as in Hugging Face's library.
            pairs.slots[place] = (left, right, rank as u32);
        }
        pairs
    }

    /// The slot of the pair, or the free one where it would go.
    fn place(&self, left: u32, right: u32) -> usize {
        let key = u64::from(left) << 32 | u64::from(right);
        let mut place = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize;
        loop {
            let (a, b, rank) = self.slots[place];
            if rank == NONE || (a, b) == (left, right) {
                return place;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    fn rank(&self, left: u32, right: u32) -> u32 {
        self.slots[self.place(left, right)].2
    }
}

/// Longest piece to cache, in bytes and tokens; this makes a slot 64 bytes.
const KNOWN_BYTES: usize = 34;
const KNOWN_IDS: usize = 7;

/// A cache of pieces. Each piece has one slot; a later piece with the same slot replaces it.
#[derive(Debug, Default)]
struct Known {
    /// The length is a power of two.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Slot {
    ids: [u32; KNOWN_IDS],
    length: u8,
    count: u8,
    bytes: [u8; KNOWN_BYTES],
}

impl Known {
    /// Grows the cache to a size that suits a text of this length.
    fn grow_for(&mut self, bytes: usize) {
        let slots = (bytes / 16).next_power_of_two().clamp(1, 1 << 15);
        if slots > self.slots.len() {
            let free = Slot {
                ids: [0; KNOWN_IDS],
                length: 0,
                count: 0,
                bytes: [0; KNOWN_BYTES],
            };
            self.slots = vec![free; slots];
        }
    }

    /// The slot of a piece, if it is short enough to be cached.
    fn slot(&mut self, piece: &[u8]) -> Option<&mut Slot> {
        if piece.len() > KNOWN_BYTES {
            return None;
        }
        let at = hash(piece) as usize & (self.slots.len() - 1);
        self.slots.get_mut(at)
    }
}

impl Slot {
    fn is(&self, piece: &[u8]) -> bool {
        usize::from(self.length) == piece.len() && self.bytes[..piece.len()] == *piece
    }

    fn keep(&mut self, piece: &[u8], ids: &[u32]) {
        if ids.len() <= KNOWN_IDS {
            self.ids[..ids.len()].copy_from_slice(ids);
            self.count = ids.len() as u8;
            self.bytes[..piece.len()].copy_from_slice(piece);
            self.length = piece.len() as u8;
        }
    }
}

/// Hashes eight bytes at a time; the last eight overlap if the length isn't a multiple of eight.
fn hash(piece: &[u8]) -> u64 {
    const MANY: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut sum = piece.len() as u64;
    let mut mix = |word: u64| sum = (sum.rotate_left(5) ^ word).wrapping_mul(MANY);
    match piece.last_chunk::<8>() {
        Some(last) => {
            for chunk in piece.chunks_exact(8) {
                mix(u64::from_le_bytes(chunk.try_into().unwrap_or(*last)));
            }
            mix(u64::from_le_bytes(*last));
        }
        None => mix(piece
            .iter()
            .fold(0, |word, &byte| word << 8 | u64::from(byte))),
    }
    sum ^ sum >> 32
}

#[cfg(test)]
mod tests {
    use super::super::Tokenizer;
    use super::*;
    use crate::random::{Random, RandomUse};
    use std::sync::Arc;

    /// Texts of every kind: words, repeated letters, random bytes.
    fn texts() -> Vec<Vec<u8>> {
        let mut random = Random::new(3, RandomUse::TrainTales, 0);
        let words: [&[u8]; 9] = [
            b"the",
            b" the",
            b" then",
            b"\n",
            b"aaaa",
            "\u{4F60}\u{597D}".as_bytes(),
            b"\xFF\x80",
            b"<|endoftext|>",
            b" ",
        ];
        let text = |i: u64| {
            let length = random.below([6, 40, 400][i as usize % 3]);
            let mut text = Vec::new();
            for _ in 0..length {
                match random.below(3) {
                    0 => text.push(random.next_u32() as u8),
                    1 => text.push(b"ab"[random.below(2) as usize]),
                    _ => text.extend_from_slice(words[random.below(9) as usize]),
                }
            }
            text
        };
        (0..600).map(text).collect()
    }

    fn tokenizers() -> Vec<Arc<Bpe>> {
        let corpus = texts().concat();
        let of = |size: usize| match Tokenizer::bpe(&[&corpus], size) {
            Tokenizer::Bpe(bpe) => bpe,
            _ => panic!("bpe gives bpe"),
        };
        vec![of(257), of(300), of(800)]
    }

    /// The definition, without any shortcuts.
    fn plainly(bpe: &Bpe, piece: &[u8]) -> Vec<u32> {
        let mut ids: Vec<u32> = piece
            .iter()
            .map(|&b| bpe.alphabet[usize::from(b)])
            .collect();
        loop {
            let rank = |at: &usize| {
                let same = |&(a, b, _): &(u32, u32, u32)| (a, b) == (ids[*at], ids[*at + 1]);
                bpe.merges.iter().position(same)
            };
            let pairs = 0..ids.len().saturating_sub(1);
            let Some(at) = pairs.filter(|at| rank(at).is_some()).min_by_key(rank) else {
                return ids;
            };
            ids[at] = bpe.merges[rank(&at).unwrap()].2;
            ids.remove(at + 1);
        }
    }

    #[test]
    fn every_path_gives_what_the_definition_says() {
        for bpe in tokenizers() {
            let (mut known, mut work) = (Known::default(), Work::default());
            known.grow_for(1 << 12);
            let mut memory = Memory::default();
            for text in texts() {
                let expected: Vec<u32> = bpe
                    .split
                    .pieces(&text)
                    .flat_map(|piece| plainly(&bpe, piece))
                    .collect();
                let mut ids = Vec::new();
                bpe.encode(&text, &mut memory, &mut ids);
                assert_eq!(ids, expected);
                assert_eq!(
                    ids.iter()
                        .flat_map(|&id| bpe.token(id))
                        .copied()
                        .collect::<Vec<u8>>(),
                    text
                );
                assert!(!ids.contains(&bpe.end_of_text));
                for piece in bpe.split.pieces(&text) {
                    let expected = plainly(&bpe, piece);
                    for merge in [Bpe::merge_short, Bpe::merge_long] {
                        work.ids.clear();
                        work.ids
                            .extend(piece.iter().map(|&b| bpe.alphabet[usize::from(b)]));
                        merge(&bpe, &mut work);
                        assert_eq!(work.ids, expected);
                    }
                    let slot = known.slot(piece);
                    assert_eq!(slot.is_some(), piece.len() <= KNOWN_BYTES);
                    if let Some(slot) = slot {
                        slot.keep(piece, &expected);
                        let kept =
                            slot.is(piece) && slot.ids[..usize::from(slot.count)] == expected;
                        assert_eq!(kept, expected.len() <= KNOWN_IDS || slot.is(piece));
                    }
                }
            }
        }
    }

    #[test]
    fn whole_pieces_go_before_merges_where_the_file_says_so() {
        let tokens: Vec<Vec<u8>> = (0..=u8::MAX)
            .map(|b| vec![b])
            .chain([b"abc".to_vec()])
            .collect();
        let ids = |ignore_merges| {
            let bpe = Bpe::new(
                Split::Gpt2,
                &tokens,
                Vec::new(),
                Vec::new(),
                0,
                ignore_merges,
            );
            let mut ids = Vec::new();
            bpe.encode(b"abc abc", &mut Memory::default(), &mut ids);
            ids
        };
        assert_eq!(ids(true), [256, 32, 97, 98, 99]);
        assert_eq!(ids(false), [97, 98, 99, 32, 97, 98, 99]);
    }

    #[test]
    fn threads_change_no_id() {
        let corpus = texts().concat();
        let tokenizer = Tokenizer::bpe(&[&corpus], 400);
        let large = corpus.repeat(1 + (5 << 20) / corpus.len());
        let strange = [
            "x".repeat(3 << 20),
            " \n".repeat(2 << 20),
            "\u{4F60}".repeat(1 << 20),
        ];
        for text in strange.iter().map(String::as_bytes).chain([&large[..]]) {
            let alone = tokenizer.encode(text).unwrap();
            assert!(alone == tokenizer.encode_on(text, 3).unwrap());
            assert!(tokenizer.decode(&alone) == text);
        }
    }
}
