//! The second pass: documents become tokens.

use crate::batch::{Batcher, DocumentBatch, Piece};
use crate::control::Stage;
use crate::document::{DocumentHash, PieceHash, piece_hash};
use crate::scan::Scan;
use crate::writer::{Full, PartWriter, Run};
use crate::{CorpusPart, Error, JobControl, Report, Result, documents, pipeline};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};
use text::Tokenizer;

/// A worker's result for one batch.
struct Encoded {
    pieces: Vec<(Piece, PieceHash)>,
    runs: [Run; 2],
}

/// Encodes all documents of both parts in parallel and passes the tokens to the writers in order.
pub(crate) fn encode(
    scan: &Scan,
    tokenizer: &Tokenizer,
    writers: &mut [PartWriter; 2],
    full: Option<&SyncSender<Full>>,
    control: &JobControl,
) -> Result<()> {
    control.begin(scan.inputs.iter().map(|input| input.stamp.bytes).sum());
    let first = [writers[0].first_batch(), writers[1].first_batch()];
    let encoder = Encoder {
        scan,
        tokenizer,
        idle: Mutex::default(),
        raw_bytes: scan.options.raw_bytes,
        first,
    };
    let (mut hash, mut document) = (DocumentHash::default(), 0);
    let changed = |document: u64| Error::Changed {
        path: match scan.input(document) {
            Some(input) => input.path.clone(),
            None => PathBuf::from("the text"),
        },
    };
    pipeline::run(
        control.threads,
        |hand_on| {
            let mut batcher = Batcher::new(hand_on);
            let (mut report, mut files) = (Report::default(), Vec::new());
            documents::read(
                &scan.inputs,
                &scan.options,
                &mut batcher,
                &mut report,
                &mut files,
                control,
            )?;
            batcher.finish()
        },
        |number, batch| encoder.encode(number, &batch),
        |number, encoded| {
            for (piece, piece_hash) in &encoded.pieces {
                if let Some(hash) = hash.add(piece, piece_hash) {
                    let known = scan.documents.get(piece.document as usize);
                    if known.map(|d| d.hash) != Some(hash) {
                        return Err(changed(piece.document));
                    }
                    document = piece.document + 1;
                }
            }
            for (writer, run) in writers.iter_mut().zip(&encoded.runs) {
                writer.add(number, run, full)?;
            }
            control.tick(Stage::Encoding)
        },
    )?;
    match document == scan.documents.len() as u64 {
        true => Ok(()),
        false => Err(changed(document)),
    }
}

struct Encoder<'a> {
    scan: &'a Scan,
    tokenizer: &'a Tokenizer,
    /// One encoder per thread; between batches they wait here.
    idle: Mutex<Vec<text::Encoder<'a>>>,
    raw_bytes: bool,
    /// The first batch that each part still needs.
    first: [u64; 2],
}

impl Encoder<'_> {
    fn encode(&self, number: u64, batch: &DocumentBatch) -> Result<Encoded> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut encoder = waiting.unwrap_or_else(|| text::Encoder::new(self.tokenizer));
        let encoded = self.encode_by(&mut encoder, number, batch);
        idle().push(encoder);
        encoded
    }

    fn encode_by(
        &self,
        encoder: &mut text::Encoder,
        number: u64,
        batch: &DocumentBatch,
    ) -> Result<Encoded> {
        let mut runs = [Run::default(), Run::default()];
        let mut pieces = Vec::with_capacity(batch.pieces.len());
        for piece in &batch.pieces {
            let text = &batch.text[piece.start..piece.end];
            pieces.push((*piece, piece_hash(text)));
            let document = self.scan.documents.get(piece.document as usize);
            let Some(part) = document.and_then(|d| d.fate.part()) else {
                continue;
            };
            let cut = self.cut(piece, text);
            let (head, tail) = text.split_at(cut.unwrap_or(text.len()));
            // The document that is cut belongs to the training part up to the cut.
            let behind = self.scan.split.cut.is_some_and(|(document, offset)| {
                document == piece.document && offset < piece.offset
            });
            let part = if behind { CorpusPart::Validation } else { part };
            let ends = piece.last && cut.is_none();
            let first = piece.offset == 0;
            let cut_off = (tail, CorpusPart::Validation, true, piece.last);
            let parts = [Some((head, part, first, ends)), cut.map(|_| cut_off)];
            for (text, part, first, ends) in parts.into_iter().flatten() {
                let place = part as usize;
                if number >= self.first[place] {
                    let separator = ends && self.scan.split.separate[place];
                    let run = &mut runs[place];
                    self.add(encoder, piece, text, (first, separator), run)?;
                }
            }
        }
        Ok(Encoded { pieces, runs })
    }

    /// Where the validation part starts within this piece, at a character boundary.
    fn cut(&self, piece: &Piece, text: &[u8]) -> Option<usize> {
        let (document, offset) = self.scan.split.cut?;
        let mut cut = offset.checked_sub(piece.offset)? as usize;
        if document != piece.document || cut >= text.len() {
            return None;
        }
        while !self.raw_bytes && cut > 0 && text[cut] & 0xC0 == 0x80 {
            cut -= 1;
        }
        Some(cut)
    }

    fn add(
        &self,
        encoder: &mut text::Encoder,
        piece: &Piece,
        text: &[u8],
        (first, separator): (bool, bool),
        run: &mut Run,
    ) -> Result<()> {
        if first {
            run.starts.push(run.tokens.len());
        }
        let tokens = encoder.encode(text).map_err(|error| Error::Encode {
            path: match self.scan.input(piece.document) {
                Some(input) => input.path.clone(),
                None => PathBuf::from("the text"),
            },
            error,
        })?;
        match run.tokens.is_empty() {
            true => run.tokens = tokens,
            false => run.tokens.extend(tokens),
        }
        if separator {
            run.tokens.push(self.tokenizer.end_of_text());
        }
        Ok(())
    }
}
