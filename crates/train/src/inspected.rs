//! What is inspected in a run: passages of the held-out text, the same at every step, and the most
//! frequent tokens.

use crate::corpus::Corpus;
use crate::error::Result;
use model::ModelConfig;
use run::Inside;
use session::{Passages, Session, most_inspected};
use std::collections::HashMap;
use std::ops::Range;
use text::Tokenizer;

/// Number of passages of a text, and of questions.
const PASSAGES: usize = 4;
const QUESTIONS: usize = 16;
/// Maximum tokens on the map.
const SHOWN: usize = 256;
/// Tokens of the training text in which they are counted.
const COUNTED: usize = 1 << 16;

/// What is inspected.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The tokens of some passages of equal length.
    tokens: Vec<u32>,
    passages: usize,
    answer: Range<usize>,
    shown: Vec<u32>,
}

impl Inspected {
    /// The passages of a corpus for a model; `None` if the held-out text or the model's context is
    /// too short for any.
    ///
    /// # Errors
    /// If the training text can't be read.
    pub fn new(corpus: &Corpus, model: &ModelConfig) -> Result<Option<Inspected>> {
        let (text, most) = (
            &corpus.validation,
            most_inspected(model).min(corpus.validation.len()),
        );
        let (time, wanted, answer) = match corpus.line() {
            Some(line) => (line.tokens, QUESTIONS, line.prompt..line.tokens - 1),
            None => (most, PASSAGES, 0..0),
        };
        if time < 2 || time > most {
            return Ok(None);
        }
        let count = wanted.min(text.len() / time);
        // Evenly spaced; those of questions are whole lines.
        let unit = if answer.is_empty() { 1 } else { time };
        let at = |i: usize| (text.len() - time) * i / count / unit * unit;
        let passages = (0..count).flat_map(|i| &text[at(i)..][..time]);
        Ok(Some(Inspected {
            tokens: passages.copied().collect(),
            passages: count,
            answer,
            shown: frequent(corpus)?,
        }))
    }

    /// Looks inside a model.
    ///
    /// # Errors
    /// If the device fails.
    pub fn look(&self, session: &mut Session, tokenizer: &Tokenizer) -> Result<Inside> {
        let passages = Passages {
            tokens: &self.tokens,
            sequences: self.passages,
            answer: &self.answer,
        };
        Ok(session.inspect(tokenizer, passages, (&self.shown, &self.shown))?)
    }
}

/// The most frequent tokens at the beginning of the training text, without the end of text.
fn frequent(corpus: &Corpus) -> Result<Vec<u32>> {
    let mut read = vec![0; corpus.train.len().min(COUNTED)];
    corpus.train.read(0, &mut read)?;
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for token in read {
        *counts.entry(token).or_default() += 1;
    }
    counts.remove(&corpus.tokenizer.end_of_text());
    let mut all: Vec<(u32, usize)> = counts.into_iter().collect();
    all.sort_unstable_by_key(|&(token, count)| (std::cmp::Reverse(count), token));
    all.truncate(SHOWN);
    Ok(all.into_iter().map(|(token, _)| token).collect())
}
