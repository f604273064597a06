//! The first reading: which documents are there, which are the same, which characters occur?

use crate::batch::{Batch, Batcher, Piece};
use crate::inputs::Input;
use crate::split::{Fate, Split};
use crate::stats::Stats;
use crate::watch::Stage;
use crate::{Options, Report, Result, Watch, pipeline, source};
use sha2::{Digest, Sha256};
use std::collections::BinaryHeap;

/// BLAKE3 of a piece.
pub(crate) type PieceHash = [u8; 32];

/// What identifies a document: the first half of a BLAKE3 of the hashes of its pieces. Two different documents have the same
/// one by a chance of about n² / 2¹²⁹.
pub(crate) type Hash = [u8; 16];

/// What the first reading found.
pub(crate) struct Scan {
    pub inputs: Vec<Input>,
    /// Number of the first document of each input.
    pub files: Vec<u64>,
    pub documents: Vec<Document>,
    pub split: Split,
    pub stats: Stats,
    pub report: Report,
    /// Text for making a tokenizer: all of it, or the batches that come first by their hash.
    pub sample: Vec<Vec<u8>>,
}

/// A document as the first reading saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Document {
    pub hash: Hash,
    pub bytes: u64,
    pub fate: Fate,
}

impl Scan {
    /// The input that a document comes from.
    pub fn input(&self, document: u64) -> Option<&Input> {
        let after = self.files.partition_point(|&first| first <= document);
        self.inputs.get(after.checked_sub(1)?)
    }

    /// The SHA-256 of the text: of all documents' hashes and where each goes. Equal for equal texts,
    /// wherever they lie and however they are packed.
    pub fn text_sha256(&self) -> String {
        let mut hash = Sha256::new();
        let (before, offset) = self.split.cut.unwrap_or((u64::MAX, 0));
        let cut = (0..).zip(&self.documents).take_while(|(n, _)| *n < before);
        let cut = cut.filter(|(_, d)| d.fate.part().is_some()).count() as u64;
        hash.update(cut.to_le_bytes());
        hash.update(offset.to_le_bytes());
        for document in &self.documents {
            if let Some(part) = document.fate.part() {
                hash.update(document.hash);
                hash.update([part as u8]);
            }
        }
        hex(&hash.finalize())
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

/// Reads all inputs once. `sample_bytes` is how much text to keep for making a tokenizer.
pub(crate) fn scan(
    inputs: Vec<Input>,
    mut report: Report,
    o: &Options,
    sample_bytes: usize,
    watch: &Watch,
) -> Result<Scan> {
    watch.begin(inputs.iter().map(|input| input.stamp.bytes).sum());
    let mut files = Vec::with_capacity(inputs.len());
    let mut collected = Collected {
        sample: Sample::new(sample_bytes),
        ..Collected::default()
    };
    pipeline::run(
        watch.threads,
        |hand_on| {
            let mut batcher = Batcher::new(hand_on);
            source::read(&inputs, o, &mut batcher, &mut report, &mut files, watch)?;
            batcher.finish()
        },
        |_, batch| Ok(look_at(batch)),
        |_, seen| {
            collected.take(seen);
            watch.tick(Stage::Reading)
        },
    )?;
    let Collected {
        mut documents,
        stats,
        longest,
        sample,
        ..
    } = collected;
    let held_out = inputs.iter().position(|input| input.held_out);
    let held_out = held_out.map_or(documents.len(), |first| files[first] as usize);
    let given = inputs.iter().any(|input| input.held_out);
    let split = Split::decide(&mut documents, given.then_some(held_out), o, &mut report);
    let mut scan = Scan {
        inputs,
        files,
        documents,
        split,
        stats,
        report,
        sample: sample.texts(),
    };
    scan.report.longest_line = longest.0;
    let file = scan.input(longest.1).map(|i| i.path.display().to_string());
    scan.report.longest_line_in = file.unwrap_or_default();
    scan.report.scripts = scan.stats.scripts();
    scan.report.characters = scan.stats.characters().count() as u64;
    Ok(scan)
}

/// What a thread finds in a batch.
struct Seen {
    pieces: Vec<(Piece, PieceHash)>,
    stats: Stats,
    lines: Lines,
    text: Vec<u8>,
}

/// Lines of a batch: the longest whole one and the document it is in; and, where the batch is a
/// piece of a long document, what its first and last line add to those of its neighbours.
#[derive(Default)]
struct Lines {
    longest: (u64, u64),
    head: u64,
    tail: u64,
    broken: bool,
}

fn look_at(batch: Batch) -> Seen {
    let mut stats = Stats::default();
    let mut lines = Lines::default();
    let mut pieces = Vec::with_capacity(batch.pieces.len());
    for piece in &batch.pieces {
        let text = &batch.text[piece.start..piece.end];
        pieces.push((*piece, piece_hash(text)));
        let whole = piece.offset == 0 && piece.last;
        lines.add(text, piece.document, whole);
    }
    stats.add(&batch.text);
    Seen {
        pieces,
        stats,
        lines,
        text: batch.text,
    }
}

impl Lines {
    fn add(&mut self, text: &[u8], document: u64, whole: bool) {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            let length = (end - from) as u64;
            if !whole && !self.broken {
                self.head = length;
            } else {
                self.longest = self.longest.max((length, document));
            }
            self.broken = true;
            from = end + 1;
        }
        self.tail = (text.len() - from) as u64;
        if whole {
            self.longest = self.longest.max((self.tail, document));
        } else if !self.broken {
            self.head = self.tail;
        }
    }
}

/// What the batches add up to, taken in order.
#[derive(Default)]
struct Collected {
    documents: Vec<Document>,
    stats: Stats,
    longest: (u64, u64),
    sample: Sample,
    hash: DocumentHash,
    /// Of the long document at hand, which may still turn out to be no text.
    pending: Stats,
    pending_longest: (u64, u64),
    bytes: u64,
    line: u64,
}

impl Collected {
    fn take(&mut self, seen: Seen) {
        let Some((first, _)) = seen.pieces.first() else {
            return;
        };
        let (document, part) = (first.document, first.offset > 0 || !first.last);
        let aborted = first.aborted;
        for (piece, hash) in &seen.pieces {
            self.bytes += (piece.end - piece.start) as u64;
            if let Some(hash) = self.hash.add(piece, hash) {
                self.documents.push(Document {
                    hash,
                    bytes: std::mem::take(&mut self.bytes),
                    fate: if piece.aborted {
                        Fate::Dropped
                    } else {
                        Fate::Train
                    },
                });
            }
        }
        if !part {
            self.stats.merge(&seen.stats);
            self.longest = self.longest.max(seen.lines.longest);
        } else {
            self.pending.merge(&seen.stats);
            let l = &seen.lines;
            let line = self.line + l.head;
            let longest = l.longest.max((line, document));
            self.pending_longest = self.pending_longest.max(longest);
            self.line = if l.broken { l.tail } else { line };
            if first.last {
                let end = (std::mem::take(&mut self.line), document);
                let pending = std::mem::take(&mut self.pending);
                let longest = std::mem::take(&mut self.pending_longest);
                if !aborted {
                    self.stats.merge(&pending);
                    self.longest = self.longest.max(longest).max(end);
                }
            }
        }
        if !aborted {
            let hash = seen.pieces[0].1;
            self.sample.offer(hash, seen.text);
        }
    }
}

/// The batches with the least hashes, as many as fit: a sample that is the same for the same text.
#[derive(Default)]
struct Sample {
    room: usize,
    bytes: usize,
    kept: BinaryHeap<(PieceHash, Vec<u8>)>,
}

impl Sample {
    fn new(room: usize) -> Self {
        Sample {
            room,
            ..Sample::default()
        }
    }

    fn offer(&mut self, hash: PieceHash, text: Vec<u8>) {
        if self.room == 0 {
            return;
        }
        self.bytes += text.len();
        self.kept.push((hash, text));
        while self.bytes > self.room && self.kept.len() > 1 {
            let dropped = self.kept.pop();
            self.bytes -= dropped.map_or(0, |(_, text)| text.len());
        }
    }

    fn texts(self) -> Vec<Vec<u8>> {
        let sorted = self.kept.into_sorted_vec();
        sorted.into_iter().map(|(_, text)| text).collect()
    }
}
