//! The first pass: finds documents, duplicates and characters.

use crate::batch::{Batcher, DocumentBatch, Piece};
use crate::charset::Charset;
use crate::control::Stage;
use crate::destination::Scratch;
use crate::document::{Document, DocumentHash, Fate, PieceHash, piece_hash};
use crate::inputs::Input;
use crate::split::CorpusSplit;
use crate::stats::Stats;
use crate::{
    CorpusPart, Destination, Error, JobControl, ReadOptions, Report, Result, cache, documents,
    inputs, pipeline,
};
use run::{absolute, hex};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Texts after the first pass.
pub struct Scan {
    pub(crate) inputs: Vec<Input>,
    /// Number of the first document of each input.
    files: Vec<u64>,
    pub(crate) documents: Vec<Document>,
    pub(crate) split: CorpusSplit,
    pub(crate) stats: Stats,
    pub(crate) report: Report,
    pub(crate) sample: Vec<Vec<u8>>,
    pub(crate) text_sha256: String,
    pub(crate) options: ReadOptions,
    pub(crate) to: Destination,
    /// The paths, absolute.
    pub(crate) sources: Vec<PathBuf>,
    /// Keeps input that can be read only once until the second pass is over.
    _scratch: Scratch,
}

impl Scan {
    /// All of the text, or a sample of the requested size: the parts with the smallest hashes.
    pub fn sample(&self) -> &[Vec<u8>] {
        &self.sample
    }

    /// What was read and what was skipped.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The SHA-256 of the text: equal for equal texts, regardless of their paths and file formats.
    pub fn text_sha256(&self) -> &str {
        &self.text_sha256
    }

    /// The input that a document comes from.
    pub(crate) fn input(&self, document: u64) -> Option<&Input> {
        let after = self.files.partition_point(|&first| first <= document);
        self.inputs.get(after.checked_sub(1)?)
    }
}

/// Over the hashes of all documents and the part each belongs to.
fn text_sha256(documents: &[Document], split: &CorpusSplit) -> String {
    let mut hash = Sha256::new();
    let (before, offset) = split.cut.unwrap_or((u64::MAX, 0));
    let cut = (0..).zip(documents).take_while(|(n, _)| *n < before);
    let cut = cut.filter(|(_, d)| d.fate.part().is_some()).count() as u64;
    hash.update(cut.to_le_bytes());
    hash.update(offset.to_le_bytes());
    for document in documents {
        if let Some(part) = document.fate.part() {
            hash.update(document.hash);
            hash.update([part as u8]);
        }
    }
    hex(&hash.finalize())
}

/// Runs the first pass: `paths` in the order given, folders sorted by path. Drops duplicate
/// documents and holds out a part for validation (or uses `validation` as that part).
/// `sample_bytes` is how much text to keep for learning a tokenizer; `to` is where the tokens will
/// go.
///
/// # Errors
/// If something can't be read, is not what it appears to be, or contains no text; if the
/// destination contains something else.
pub fn scan(
    paths: &[PathBuf],
    validation: Option<&Path>,
    options: &ReadOptions,
    sample_bytes: usize,
    to: Destination,
    control: &JobControl,
) -> Result<Scan> {
    to.check()?;
    if let Some(name) = options
        .encoding
        .iter()
        .find(|e| Charset::named(e).is_none())
    {
        return Err(Error::Encoding { name: name.clone() });
    }
    let mut scratch = Scratch::default();
    if let Destination::Cache(Some(root)) = &to {
        cache::sweep(root);
        let mut all = paths.iter().map(PathBuf::as_path).chain(validation);
        if all.any(inputs::is_stream) {
            scratch = to.scratch().map(Scratch::new).unwrap_or_default();
        }
    }
    let mut report = Report::default();
    let inputs = inputs::list(paths, validation, options, &to, &mut report, control);
    let inputs = inputs.map_err(|error| to.blame(error))?;
    let once = inputs.iter().any(|input| input.kept.is_some());
    let (files, collected) = read(&inputs, options, sample_bytes, &mut report, control)?;
    let Collected {
        mut documents,
        stats,
        longest,
        sample,
        ..
    } = collected;
    let given = inputs.iter().position(|input| input.held_out);
    let given = given.map(|first| files[first] as usize);
    let split = CorpusSplit::decide(&mut documents, given, options, &mut report);
    let sample = sample.training(&documents, &split, options.raw_bytes);
    if report.documents == 0 {
        return Err(Error::NoText {
            path: paths.first().cloned().unwrap_or_default(),
            skipped: report.skipped_in_words(),
        });
    }
    let all: u64 = inputs.iter().map(|input| input.stamp.bytes).sum();
    if !options.skip_bad && 2 * report.skipped_bytes() > all {
        return Err(Error::MostSkipped {
            summary: report.summary().unwrap_or_default(),
        });
    }
    let mut scan = Scan {
        to: to.settled(report.bytes, once)?,
        text_sha256: text_sha256(&documents, &split),
        inputs,
        files,
        documents,
        split,
        stats,
        report,
        sample,
        options: options.clone(),
        sources: paths.iter().map(|p| absolute(p)).collect(),
        _scratch: scratch,
    };
    scan.report.longest_line = longest.0;
    let file = scan.input(longest.1).map(|i| i.path.display().to_string());
    scan.report.longest_line_in = file.unwrap_or_default();
    scan.report.scripts = scan.stats.scripts();
    scan.report.characters = scan.stats.characters().count() as u64;
    Ok(scan)
}

/// Reads all inputs once; returns the number of the first document of each, and the totals.
fn read(
    inputs: &[Input],
    options: &ReadOptions,
    sample_bytes: usize,
    report: &mut Report,
    control: &JobControl,
) -> Result<(Vec<u64>, Collected)> {
    control.begin(inputs.iter().map(|input| input.stamp.bytes).sum());
    let mut files = Vec::with_capacity(inputs.len());
    let mut collected = Collected {
        sample: Sample::new(sample_bytes),
        ..Collected::default()
    };
    pipeline::run(
        control.threads,
        |hand_on| {
            let mut batcher = Batcher::new(hand_on);
            documents::read(inputs, options, &mut batcher, report, &mut files, control)?;
            batcher.finish()
        },
        |_, batch| Ok(look_at(batch)),
        |_, seen| {
            collected.take(seen);
            control.tick(Stage::Reading)
        },
    )?;
    Ok((files, collected))
}

/// A worker's result for one batch.
struct Seen {
    pieces: Vec<(Piece, PieceHash)>,
    stats: Stats,
    lines: Lines,
    text: Vec<u8>,
}

/// Lines of a batch: the longest complete one and its document; and, if the batch is a piece of a
/// long document, the lengths of the first and last line, which continue in its neighbors.
#[derive(Default)]
struct Lines {
    longest: (u64, u64),
    head: u64,
    tail: u64,
    broken: bool,
}

fn look_at(batch: DocumentBatch) -> Seen {
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

/// Totals over the batches, taken in order.
#[derive(Default)]
struct Collected {
    documents: Vec<Document>,
    stats: Stats,
    longest: (u64, u64),
    sample: Sample,
    hash: DocumentHash,
    /// For the current long document, which may still turn out not to be text.
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
            let batch = DocumentBatch {
                text: seen.text,
                pieces: seen.pieces.iter().map(|(piece, _)| *piece).collect(),
            };
            self.sample.offer(hash, batch);
        }
    }
}

/// The batches with the smallest hashes, as many as fit: a sample that is the same for the same
/// text.
#[derive(Default)]
struct Sample {
    room: usize,
    bytes: usize,
    kept: BTreeMap<(PieceHash, u64), DocumentBatch>,
    offered: u64,
}

impl Sample {
    fn new(room: usize) -> Self {
        Sample {
            room,
            ..Sample::default()
        }
    }

    fn offer(&mut self, hash: PieceHash, batch: DocumentBatch) {
        if self.room == 0 {
            return;
        }
        self.bytes += batch.text.len();
        self.kept.insert((hash, self.offered), batch);
        self.offered += 1;
        while self.bytes > self.room && self.kept.len() > 1 {
            let dropped = self.kept.pop_last();
            self.bytes -= dropped.map_or(0, |(_, batch)| batch.text.len());
        }
    }

    /// What of it is in the training part: a tokenizer must not know the validation part.
    fn training(
        self,
        documents: &[Document],
        split: &CorpusSplit,
        raw_bytes: bool,
    ) -> Vec<Vec<u8>> {
        let texts = self.kept.into_values().map(|batch| {
            let mut training = Vec::with_capacity(batch.text.len());
            for piece in &batch.pieces {
                let text = &batch.text[piece.start..piece.end];
                let document = documents.get(piece.document as usize);
                let part = document.and_then(|d| d.fate.part());
                if part.map(|part| split.part_of_piece(piece, part)) == Some(CorpusPart::Train) {
                    let cut = split.cut_in(piece, text, raw_bytes);
                    training.extend_from_slice(&text[..cut.unwrap_or(text.len())]);
                }
            }
            training
        });
        texts.collect()
    }
}
