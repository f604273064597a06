//! A document as the first reading saw it: what identifies it, and what becomes of it.

use crate::batch::Piece;
use serde::{Deserialize, Serialize};

/// BLAKE3 of a piece.
pub(crate) type PieceHash = [u8; 32];

/// What identifies a document: the first half of a BLAKE3 of the hashes of its pieces. Two of n
/// different documents have the same one by a chance of about n² / 2¹²⁹.
pub(crate) type Hash = [u8; 16];

/// A document as the first reading saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Document {
    pub hash: Hash,
    pub bytes: u64,
    pub fate: Fate,
}

/// A part of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorpusPart {
    /// What is learned from.
    Train = 0,
    /// What the model is judged on.
    Validation = 1,
}

impl CorpusPart {
    /// Both, in order.
    pub const ALL: [CorpusPart; 2] = [CorpusPart::Train, CorpusPart::Validation];

    /// As file names have it.
    pub fn name(self) -> &'static str {
        match self {
            CorpusPart::Train => "train",
            CorpusPart::Validation => "validation",
        }
    }
}

/// What becomes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Train,
    Validation,
    /// An equal one came before, or is in the validation part.
    Duplicate,
    /// No text after all.
    Dropped,
}

impl Fate {
    pub fn part(self) -> Option<CorpusPart> {
        match self {
            Fate::Train => Some(CorpusPart::Train),
            Fate::Validation => Some(CorpusPart::Validation),
            Fate::Duplicate | Fate::Dropped => None,
        }
    }
}

/// Hash of a document from those of its pieces, one after the other.
#[derive(Default)]
pub(crate) struct DocumentHash(blake3::Hasher);

impl DocumentHash {
    /// Takes the hash of the next piece; at the last one gives the document's.
    pub fn add(&mut self, piece: &Piece, hash: &PieceHash) -> Option<Hash> {
        self.0.update(hash);
        if !piece.last {
            return None;
        }
        let mut half = Hash::default();
        half.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        self.0.reset();
        Some(half)
    }
}

pub(crate) fn piece_hash(text: &[u8]) -> PieceHash {
    blake3::hash(text).into()
}
