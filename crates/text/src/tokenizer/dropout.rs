//! Subword regularization: each time a text is learned from, it is split in another way.
//!
//! BPE-dropout (Provilkov et al., 2020, section 3): at each merge, every candidate pair is skipped
//! with some probability; if all are skipped, the piece is done. Common words then appear as their
//! parts now and then, so a small text is harder to memorize.

use super::bpe::{Bpe, NONE};
use super::{Split, Tokenizer};
use crate::random::{Random, RandomUse};

/// Longer pieces, in bytes, are merged without dropout: the search is quadratic in their length.
const LONGEST: usize = 64;

/// Re-encodes tokens with some merges skipped.
#[derive(Clone, Debug)]
pub struct MergeDropout {
    tokenizer: Tokenizer,
    share: f64,
    seed: u64,
}

impl MergeDropout {
    /// Skips merges with probability `share`. `None` if there is nothing to skip: the share is 0,
    /// or the tokenizer has no merges.
    pub fn new(tokenizer: &Tokenizer, share: f64, seed: u64) -> Option<MergeDropout> {
        let merges = matches!(tokenizer, Tokenizer::Bpe(_));
        (merges && share > 0.0).then(|| MergeDropout {
            tokenizer: tokenizer.clone(),
            share,
            seed,
        })
    }

    /// The text of `ids`, encoded again: at least as many tokens, a function of the seed and
    /// `stream` alone. Special tokens are kept.
    pub fn apply(&self, ids: &[u32], stream: u64) -> Vec<u32> {
        let Tokenizer::Bpe(bpe) = &self.tokenizer else {
            return ids.to_vec();
        };
        let mut random = Random::new(self.seed, RandomUse::Merges, stream);
        let mut out = Vec::with_capacity(ids.len() + ids.len() / 2);
        let mut text = Vec::new();
        for &id in ids {
            let bytes = bpe.token(id);
            if bytes.is_empty() {
                self.cut(bpe, &text, &mut random, &mut out);
                text.clear();
                out.push(id);
            }
            text.extend_from_slice(bytes);
        }
        self.cut(bpe, &text, &mut random, &mut out);
        out
    }

    fn cut(&self, bpe: &Bpe, text: &[u8], random: &mut Random, out: &mut Vec<u32>) {
        let split: Split = bpe.split;
        for piece in split.pieces(text) {
            let from = out.len();
            out.extend(piece.iter().map(|&byte| bpe.alphabet[usize::from(byte)]));
            let share = if piece.len() > LONGEST {
                0.0
            } else {
                self.share
            };
            while let Some((at, rank)) = lowest(bpe, &out[from..], share, random) {
                out[from + at] = bpe.merges[rank as usize].2;
                out.remove(from + at + 1);
            }
        }
    }
}

/// The next pair to merge and its rank, among those that aren't skipped.
fn lowest(bpe: &Bpe, ids: &[u32], share: f64, random: &mut Random) -> Option<(usize, u32)> {
    let ranks = ids
        .windows(2)
        .map(|pair| bpe.pairs.rank(pair[0], pair[1]))
        .enumerate();
    let limit = (share * f64::from(u32::MAX)) as u32;
    ranks
        .filter(|&(_, rank)| rank != NONE && (share == 0.0 || random.next_u32() >= limit))
        .min_by_key(|&(_, rank)| rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_and_its_cut_follows_from_seed_and_stream() {
        let text = "the cat and the other cat sat there, then 你好 ".repeat(20);
        let tokenizer = Tokenizer::bpe(&[text.as_bytes()], 300);
        let end = tokenizer.end_of_text();
        let mut ids = tokenizer.encode(text.as_bytes()).unwrap();
        ids.insert(7, end);
        let dropout = |share| MergeDropout::new(&tokenizer, share, 3).unwrap();
        let some = dropout(0.1).apply(&ids, 5);
        assert_eq!(tokenizer.decode(&some), text.as_bytes());
        assert_eq!(some.iter().filter(|&&id| id == end).count(), 1);
        assert_eq!(some, dropout(0.1).apply(&ids, 5));
        assert_ne!(some, dropout(0.1).apply(&ids, 6));
        let (few, none) = (dropout(1e-12).apply(&ids, 5), dropout(1.0).apply(&ids, 5));
        assert!(ids.len() < some.len() && some.len() < none.len());
        // All but the piece that the special token cuts in two is as it was.
        assert!(few.len() <= ids.len() + 2);
        assert_eq!(none.len(), text.len() + 1);
        assert!(MergeDropout::new(&Tokenizer::bytes(), 0.1, 3).is_none());
    }
}
