//! Samples with their copied pieces marked, and where these stand in the training text.

use crate::originality::{Index, Match, Result, Texts};
use run::{Copied, MarkedText, TextPiece};
use text::{END_OF_TEXT, Tokenizer, Utf8Stream};

/// The most samples that are shown, and tokens of training text on either side of a match.
const SHOWN: usize = 20;
const AROUND: usize = 40;

/// The samples with the longest matches, in pieces. Matches of more than `beyond` tokens are
/// marked; a token in several belongs to the longest.
pub fn marked(
    samples: &[Vec<u32>],
    matches: &[Vec<Match>],
    beyond: usize,
    texts: &Texts,
    index: &Index,
) -> Result<Vec<MarkedText>> {
    let longest = |found: &[Match]| found.iter().map(|m| m.len).max().unwrap_or(0);
    let mut both: Vec<_> = samples.iter().zip(matches).collect();
    both.sort_by_key(|(_, found)| std::cmp::Reverse(longest(found)));
    let shown = both.into_iter().take(SHOWN);
    shown
        .map(|(sample, found)| mark(sample, &owners(found, beyond), found, texts, index))
        .collect()
}

/// For each token, the place where the longest marked match begins that contains it.
fn owners(found: &[Match], beyond: usize) -> Vec<Option<usize>> {
    let mut owners = vec![None; found.len()];
    let mut starts: Vec<usize> = (0..found.len())
        .filter(|&i| found[i].len > beyond)
        .collect();
    // The shorter first, so that the longer replace them; of equals, the first stays.
    starts.sort_by_key(|&i| (found[i].len, std::cmp::Reverse(i)));
    for start in starts {
        owners[start..start + found[start].len].fill(Some(start));
    }
    owners
}

fn mark(
    sample: &[u32],
    owners: &[Option<usize>],
    found: &[Match],
    texts: &Texts,
    index: &Index,
) -> Result<MarkedText> {
    let mut marked = MarkedText::default();
    let mut stream = Utf8Stream::new();
    let mut from = 0;
    for run in owners.chunk_by(|a, b| a == b) {
        let tokens = &sample[from..from + run.len()];
        from += run.len();
        let copy = match run[0] {
            Some(start) => {
                marked.copies.push(source(found[start], texts, index)?);
                Some(marked.copies.len() - 1)
            }
            None => None,
        };
        let text = tokens
            .iter()
            .map(|&t| piece(texts.tokenizer, t, &mut stream));
        marked.pieces.push(TextPiece {
            text: text.collect(),
            copy,
        });
    }
    if let Some(last) = marked.pieces.last_mut() {
        last.text += &stream.finish();
    }
    Ok(marked)
}

/// The text that a token completes; the end of a text has a name.
fn piece(tokenizer: &Tokenizer, token: u32, stream: &mut Utf8Stream) -> String {
    match token == tokenizer.end_of_text() {
        true => stream.finish() + END_OF_TEXT,
        false => stream.push(&tokenizer.decode(&[token])),
    }
}

/// A match with the training text around it.
fn source(found: Match, texts: &Texts, index: &Index) -> Result<Copied> {
    let Match { len, at } = found;
    let read = |from: usize, to: usize| -> Result<String> {
        let mut tokens = vec![0; to - from];
        texts.train.read(from, &mut tokens)?;
        let mut stream = Utf8Stream::new();
        let each = tokens
            .iter()
            .map(|&t| piece(texts.tokenizer, t, &mut stream));
        let text: String = each.collect();
        Ok(text + &stream.finish())
    };
    let (document, offset) = index.document(at).unzip();
    Ok(Copied {
        tokens: len as u64,
        token: at as u64,
        document,
        offset,
        before: read(at.saturating_sub(AROUND), at)?,
        text: read(at, at + len)?,
        after: read(at + len, (at + len + AROUND).min(texts.train.len()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_the_longest_match() {
        let lengths = [2, 1, 5, 4, 3, 2, 3, 2, 1];
        let found = lengths.map(|len| Match { len, at: 0 });
        let owners = owners(&found, 2);
        let own = |at: usize| Some(at);
        let expected = [
            None,
            None,
            own(2),
            own(2),
            own(2),
            own(2),
            own(2),
            own(6),
            own(6),
        ];
        assert_eq!(owners, expected);
    }
}
