//! A document as seen by the first pass: its identity and whether it is kept.

use crate::batch::Piece;
use serde::{Deserialize, Serialize};

/// BLAKE3 of a piece.
pub(crate) type PieceHash = [u8; 32];

/// Identifies a document: the first half of the BLAKE3 hash of its pieces' hashes. Among n
/// different documents, the probability of a collision is about n² / 2¹²⁹.
pub(crate) type Hash = [u8; 16];

/// A document as seen by the first pass.
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
    /// Training data.
    Train = 0,
    /// Data that the model is evaluated on.
    Validation = 1,
}

impl CorpusPart {
    /// Both, in order.
    pub const ALL: [CorpusPart; 2] = [CorpusPart::Train, CorpusPart::Validation];

    /// The name used in file names.
    pub fn name(self) -> &'static str {
        match self {
            CorpusPart::Train => "train",
            CorpusPart::Validation => "validation",
        }
    }
}

/// Whether and where a document is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Train,
    Validation,
    /// A duplicate of an earlier document or of one in the validation part.
    Duplicate,
    /// Not text after all.
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

/// Computes a document's hash from the hashes of its pieces.
#[derive(Default)]
pub(crate) struct DocumentHash(blake3::Hasher);

impl DocumentHash {
    /// Adds the hash of the next piece; after the last one returns the document's hash.
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
