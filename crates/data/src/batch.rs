//! Documents are cut into pieces and pieces are gathered into batches, the unit of work of every
//! thread.
//!
//! The boundaries of pieces and batches depend on the texts alone, never on the number of threads,
//! so the result is the same on every machine.

use crate::Result;
use text::Split;

/// A batch is passed on when it reaches this many bytes. A longer document is cut into pieces of
/// about this size, each a batch of its own.
pub(crate) const BATCH_BYTES: usize = 512 << 10;

/// A document, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    /// Number of the document, counted over all inputs.
    pub document: u64,
    /// Bytes of the document before this piece.
    pub offset: u64,
    /// Start of the piece in the batch's text.
    pub start: usize,
    /// End of the piece in the batch's text.
    pub end: usize,
    /// Whether the document ends here.
    pub last: bool,
    /// Whether the document turned out not to be text: all of it is dropped.
    pub aborted: bool,
}

/// Whole documents, or one piece of a long document.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct DocumentBatch {
    pub text: Vec<u8>,
    pub pieces: Vec<Piece>,
}

/// Cuts documents into batches and passes them on.
pub(crate) struct Batcher<'a> {
    hand_on: &'a mut dyn FnMut(DocumentBatch) -> Result<()>,
    batch: DocumentBatch,
    /// Number of the current document, or of the next one.
    document: u64,
    /// Bytes of the current document that were passed on already.
    offset: u64,
    /// Empty documents so far.
    pub empty: u64,
}

impl<'a> Batcher<'a> {
    pub fn new(hand_on: &'a mut dyn FnMut(DocumentBatch) -> Result<()>) -> Self {
        Batcher {
            hand_on,
            batch: DocumentBatch::default(),
            document: 0,
            offset: 0,
            empty: 0,
        }
    }

    /// Documents started so far.
    pub fn documents(&self) -> u64 {
        self.document
    }

    /// Start of the current document in the batch's text.
    fn start(&self) -> usize {
        self.batch.pieces.last().map_or(0, |piece| piece.end)
    }

    /// Adds text to the current document.
    pub fn push(&mut self, mut text: &[u8]) -> Result<()> {
        while !text.is_empty() {
            let start = self.start();
            let room = (BATCH_BYTES - (self.batch.text.len() - start)).min(text.len());
            self.batch.text.extend_from_slice(&text[..room]);
            text = &text[room..];
            if self.batch.text.len() - start < BATCH_BYTES {
                continue;
            }
            if start > 0 {
                let long = self.batch.text.split_off(start);
                self.flush()?;
                self.batch.text = long;
            }
            let cut = good_cut(&self.batch.text);
            let mut rest = Vec::with_capacity(BATCH_BYTES);
            rest.extend_from_slice(&self.batch.text[cut..]);
            self.batch.text.truncate(cut);
            self.piece(false, false);
            self.flush()?;
            self.offset += cut as u64;
            self.batch.text = rest;
        }
        Ok(())
    }

    /// Ends the current document.
    pub fn end(&mut self) -> Result<()> {
        if self.offset == 0 && self.start() == self.batch.text.len() {
            self.empty += 1;
            return Ok(());
        }
        self.piece(true, false);
        let long = self.offset > 0;
        self.document += 1;
        self.offset = 0;
        if long || self.batch.text.len() >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Drops the current document.
    pub fn abort(&mut self) -> Result<()> {
        let start = self.start();
        self.batch.text.truncate(start);
        if self.offset > 0 {
            self.piece(true, true);
            self.document += 1;
            self.offset = 0;
            self.flush()?;
        }
        Ok(())
    }

    /// Passes on what is left.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }

    fn piece(&mut self, last: bool, aborted: bool) {
        let piece = Piece {
            document: self.document,
            offset: self.offset,
            start: self.start(),
            end: self.batch.text.len(),
            last,
            aborted,
        };
        self.batch.pieces.push(piece);
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.pieces.is_empty() {
            return Ok(());
        }
        (self.hand_on)(std::mem::take(&mut self.batch))
    }
}

/// Where to cut a long text: at a token boundary, so that the pieces have the tokens of the whole;
/// otherwise between two characters; otherwise at the end.
fn good_cut(text: &[u8]) -> usize {
    let character = |at: &usize| text[*at] & 0xC0 != 0x80;
    Split::Qwen2
        .safe_end(text, text.len())
        .filter(|end| *end < text.len())
        .or_else(|| {
            (text.len().saturating_sub(4).max(1)..text.len())
                .rev()
                .find(character)
        })
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(documents: &[&[u8]], chunk: usize) -> Vec<DocumentBatch> {
        let mut all = Vec::new();
        let mut hand_on = |batch| {
            all.push(batch);
            Ok(())
        };
        let mut batcher = Batcher::new(&mut hand_on);
        for document in documents {
            for part in document.chunks(chunk) {
                batcher.push(part).unwrap();
            }
            batcher.end().unwrap();
        }
        batcher.finish().unwrap();
        all
    }

    #[test]
    fn documents_come_back_and_cuts_do_not_depend_on_how_text_arrives() {
        let long = "A word, 你好 and more.\n".repeat(60_000);
        let unbroken = "你".repeat(BATCH_BYTES);
        let documents = [
            b"one".as_slice(),
            b"",
            long.as_bytes(),
            b"two",
            unbroken.as_bytes(),
            b"x",
        ];
        let all = batches(&documents, 1 << 20);
        assert_eq!(all, batches(&documents, 777));
        let mut back = vec![Vec::new(); 5];
        for batch in &all {
            assert!(batch.text.len() <= 2 * BATCH_BYTES && !batch.pieces.is_empty());
            for p in &batch.pieces {
                let document = &mut back[p.document as usize];
                assert_eq!(document.len() as u64, p.offset);
                document.extend_from_slice(&batch.text[p.start..p.end]);
                assert!(std::str::from_utf8(&batch.text[p.start..p.end]).is_ok());
            }
        }
        let kept: Vec<&[u8]> = documents.into_iter().filter(|d| !d.is_empty()).collect();
        assert_eq!(back, kept);
    }

    #[test]
    fn cuts_stand_where_words_end() {
        assert_eq!(good_cut(b"some words or more"), 13);
        assert_eq!(good_cut("ab你".as_bytes()), 2);
        assert_eq!(good_cut(b"\x80\x80\x80"), 3);
    }

    #[test]
    fn an_aborted_document_is_marked_if_a_part_was_passed_on() {
        let mut all = Vec::new();
        let mut hand_on = |batch| {
            all.push(batch);
            Ok(())
        };
        let mut batcher = Batcher::new(&mut hand_on);
        batcher.push(b"short").unwrap();
        batcher.abort().unwrap();
        batcher.push(&vec![b'a'; BATCH_BYTES + 1]).unwrap();
        batcher.abort().unwrap();
        batcher.push(b"kept").unwrap();
        batcher.end().unwrap();
        batcher.finish().unwrap();
        let pieces: Vec<Piece> = all.iter().flat_map(|b| b.pieces.clone()).collect();
        let seen: Vec<_> = pieces
            .iter()
            .map(|p| (p.document, p.last, p.aborted))
            .collect();
        assert_eq!(seen, [(0, false, false), (0, true, true), (1, true, false)]);
    }
}
