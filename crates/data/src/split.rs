//! Splits documents into a training and a validation part.

use crate::document::{CorpusPart, Document, Fate};
use crate::{ReadOptions, Report};

/// How the documents were split.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct CorpusSplit {
    /// The document and the byte in it at which the validation part starts, if that is the tail of
    /// the text. The document itself counts as training data.
    pub cut: Option<(u64, u64)>,
    /// Whether the documents of each part end with a separator: only in a part with more than one.
    pub separate: [bool; 2],
}

impl CorpusSplit {
    /// Drops duplicate documents and chooses the validation part. `given` is the first document of
    /// a validation text provided by the user.
    ///
    /// Without one, a document is held out if its hash, read as a number, lies in the lowest tenth
    /// of the range. The choice doesn't depend on its position or on other documents. If a tenth of
    /// the bytes is more than wanted, the share is halved as often as needed, so a training
    /// document is never held out of a larger corpus later. If that gives no useful part, because
    /// documents are few or of very different sizes, the last tenth of the text is held out
    /// instead.
    pub fn decide(
        documents: &mut [Document],
        given: Option<usize>,
        o: &ReadOptions,
        report: &mut Report,
    ) -> CorpusSplit {
        let first_given = given.unwrap_or(documents.len());
        for document in documents.iter_mut().skip(first_given) {
            if document.fate == Fate::Train {
                document.fate = Fate::Validation;
            }
        }
        drop_duplicates(documents);
        let mut cut = None;
        report.split = match given {
            Some(_) => "given",
            None if by_document(documents, o) => "documents",
            None => {
                cut = tail(documents, o);
                "tail"
            }
        }
        .to_owned();
        count(documents, cut, report)
    }
}

/// Among equal documents the first is kept, or the one in a given validation text.
fn drop_duplicates(documents: &mut [Document]) {
    let mut order: Vec<usize> = (0..documents.len()).collect();
    order.retain(|&at| documents[at].fate.part().is_some());
    let key = |at: &usize| {
        let document = &documents[*at];
        let held_out = document.fate == Fate::Validation;
        (document.hash, !held_out, *at)
    };
    order.sort_unstable_by_key(key);
    let mut before = None;
    for at in order {
        let document = &mut documents[at];
        if before == Some(document.hash) {
            document.fate = Fate::Duplicate;
        }
        before = Some(document.hash);
    }
}

fn kept(documents: &[Document]) -> impl Iterator<Item = &Document> {
    documents.iter().filter(|d| d.fate.part().is_some())
}

/// Splits by hash; returns whether that gives a part near the wanted size.
fn by_document(documents: &mut [Document], o: &ReadOptions) -> bool {
    let total: u64 = kept(documents).map(|d| d.bytes).sum();
    let (mut wanted, mut bound) = (total / 10, u64::MAX / 10);
    while wanted > o.validation_bytes {
        wanted /= 2;
        bound /= 2;
    }
    let held_out = |d: &Document| {
        let mut first = [0; 8];
        first.copy_from_slice(&d.hash[..8]);
        u64::from_be_bytes(first) < bound
    };
    let found: u64 = kept(documents)
        .filter(|d| held_out(d))
        .map(|d| d.bytes)
        .sum();
    if found == 0 || found < wanted / 4 || found > 2 * wanted {
        return false;
    }
    for document in documents.iter_mut() {
        if document.fate == Fate::Train && held_out(document) {
            document.fate = Fate::Validation;
        }
    }
    true
}

/// Holds out the last tenth of the text, but no more than the wanted bytes.
fn tail(documents: &mut [Document], o: &ReadOptions) -> Option<(u64, u64)> {
    let total: u64 = kept(documents).map(|d| d.bytes).sum();
    let ninth = (u128::from(total) * 9 / 10) as u64;
    let mut left = ninth.max(total.saturating_sub(o.validation_bytes));
    let mut cut = None;
    for (number, document) in (0..).zip(documents.iter_mut()) {
        if document.fate != Fate::Train {
            continue;
        }
        if cut.is_some() || left == 0 {
            document.fate = Fate::Validation;
        } else if document.bytes > left {
            cut = Some((number, left));
        } else {
            left -= document.bytes;
        }
    }
    cut
}

/// Computes the totals of the split.
fn count(documents: &[Document], cut: Option<(u64, u64)>, report: &mut Report) -> CorpusSplit {
    let mut count = [0u64; 2];
    for document in documents {
        match document.fate.part() {
            Some(part) => {
                report.documents += 1;
                report.bytes += document.bytes;
                count[part as usize] += 1;
                if part == CorpusPart::Validation {
                    report.validation_bytes += document.bytes;
                }
            }
            None if document.fate == Fate::Duplicate => {
                report.duplicates += 1;
                report.duplicate_bytes += document.bytes;
            }
            None => {}
        }
    }
    if let Some((number, offset)) = cut {
        count[1] += 1;
        report.validation_bytes += documents[number as usize].bytes - offset;
    }
    report.validation_documents = count[1];
    CorpusSplit {
        cut,
        separate: count.map(|count| count > 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Piece;
    use crate::document::{DocumentHash, piece_hash};

    fn document(n: u64, bytes: u64) -> Document {
        let piece = Piece {
            document: n,
            offset: 0,
            start: 0,
            end: 0,
            last: true,
            aborted: false,
        };
        let hash = DocumentHash::default().add(&piece, &piece_hash(&n.to_le_bytes()));
        Document {
            hash: hash.unwrap(),
            bytes,
            fate: Fate::Train,
        }
    }

    fn decide(
        documents: &mut [Document],
        given: Option<usize>,
        most: u64,
    ) -> (CorpusSplit, Report) {
        let o = ReadOptions {
            validation_bytes: most,
            ..ReadOptions::default()
        };
        let mut report = Report::default();
        let split = CorpusSplit::decide(documents, given, &o, &mut report);
        (split, report)
    }

    #[test]
    fn a_document_stays_where_it_is_as_the_corpus_grows() {
        let mut small: Vec<Document> = (0..1000).map(|n| document(n, 100)).collect();
        let mut grown: Vec<Document> = (0..4000).rev().map(|n| document(n, 100)).collect();
        let (_, report) = decide(&mut small, None, u64::MAX);
        assert_eq!(report.split, "documents");
        assert!((60..140).contains(&report.validation_documents));
        decide(&mut grown, None, u64::MAX);
        grown.reverse();
        assert_eq!(small, grown[..1000]);
        // With a byte limit, documents move to the training part only.
        grown.iter_mut().for_each(|d| d.fate = Fate::Train);
        let (_, report) = decide(&mut grown, None, 10_000);
        assert!((4_000..20_000).contains(&report.validation_bytes));
        let learned = |d: &Document| d.fate == Fate::Train;
        assert!(
            small
                .iter()
                .zip(&grown)
                .all(|(s, g)| !learned(s) || learned(g))
        );
    }

    #[test]
    fn the_tail_is_held_out_where_documents_are_few() {
        let mut one = [document(1, 99)];
        let (split, report) = decide(&mut one, None, 1000);
        assert_eq!(split.cut, Some((0, 89)));
        assert_eq!(
            (report.validation_bytes, split.separate),
            (10, [false, false])
        );
        let mut few = [document(1, 800), document(2, 100), document(3, 100)];
        let (split, report) = decide(&mut few, None, 1000);
        assert_eq!((split.cut, few[2].fate), (None, Fate::Validation));
        assert_eq!(split.separate, [true, false]);
        assert_eq!(report.split, "tail");
    }

    #[test]
    fn equal_documents_stay_once_and_never_in_both_parts() {
        let mut all = [1, 2, 1, 3, 2, 2].map(|n| document(n, 10));
        let (_, report) = decide(&mut all, Some(4), 0);
        let fates = all.map(|d| d.fate);
        use Fate::{Duplicate, Train, Validation};
        assert_eq!(
            fates,
            [Train, Duplicate, Duplicate, Train, Validation, Duplicate]
        );
        assert_eq!((report.duplicates, report.documents), (3, 3));
    }
}
