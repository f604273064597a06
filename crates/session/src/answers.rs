//! Answers to questions: are they right, and how surprising are the right ones?

use crate::error::Result;
use crate::score::Score;
use crate::session::Session;
use model::micro_tokens;
use text::Tokenizer;

/// A question and its answer as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Both, one after the other.
    pub tokens: Vec<u32>,
    /// How many of them are the question; at least one.
    pub prompt: usize,
}

impl Asked {
    /// The tokens of the answer.
    pub fn answer(&self) -> &[u32] {
        &self.tokens[self.prompt..]
    }
}

/// How a model answered questions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Answers {
    /// Questions that were asked.
    pub asked: u64,
    /// Questions for which the model's most likely text, token by token, is the answer.
    pub right: u64,
    /// The score of the right answers' tokens.
    pub score: Score,
}

impl Answers {
    /// The share that is right; NaN if nothing was asked.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.asked as f64
    }
}

impl Session<'_> {
    /// Asks questions, each in a window of its own of at most `time` tokens, of which the context
    /// is the most. Where a question and its answer are longer, the beginning is left out; a
    /// question whose answer alone is longer isn't asked.
    ///
    /// Every token of an answer is predicted from the right tokens before it. They are all the most
    /// likely ones exactly if a model that always writes the most likely token writes the answer.
    ///
    /// # Errors
    /// If a token doesn't exist or the device fails.
    pub fn ask(&mut self, tokenizer: &Tokenizer, time: usize, all: &[Asked]) -> Result<Answers> {
        let time = time.min(self.context()).max(1);
        let vocabulary = tokenizer.vocabulary_size();
        let together = (micro_tokens(vocabulary) / time).max(1);
        let mut answers = Answers::default();
        let fits = |asked: &&Asked| asked.answer().len() <= time;
        let all: Vec<&Asked> = all.iter().filter(fits).collect();
        for asked in all.chunks(together) {
            // The last token is never read. One plan serves all batches, and what follows an answer
            // can't change it.
            let mut inputs = vec![0; together * time];
            let windows = asked.iter().zip(inputs.chunks_exact_mut(time));
            let starts: Vec<usize> = windows
                .map(|(asked, window)| {
                    let read = &asked.tokens[..asked.tokens.len() - 1];
                    let start = read.len().saturating_sub(time);
                    window[..read.len() - start].copy_from_slice(&read[start..]);
                    start
                })
                .collect();
            let logits = self.look(&inputs, together)?.logits;
            let windows = logits.chunks_exact(time * vocabulary).zip(starts);
            for (asked, (window, start)) in asked.iter().zip(windows) {
                let first = asked.prompt - 1 - start;
                let rows = window.chunks_exact(vocabulary).skip(first);
                answers.asked += 1;
                answers.right += u64::from(answers.score.add(tokenizer, asked.answer(), rows));
            }
        }
        Ok(answers)
    }
}

impl Score {
    /// Adds an answer; each row of logits predicts one of its tokens. Returns whether all of them
    /// are the most likely ones.
    fn add<'a>(
        &mut self,
        tokenizer: &Tokenizer,
        answer: &[u32],
        rows: impl Iterator<Item = &'a [f32]>,
    ) -> bool {
        let mut right = true;
        for (&token, row) in answer.iter().zip(rows) {
            let logit = row[token as usize];
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|&x| libm::exp(f64::from(x - most))).sum();
            self.nats += libm::log(sum) - f64::from(logit - most);
            self.tokens += 1;
            self.bytes += tokenizer.token_bytes(token) as u64;
            // Of equals none is the most likely one.
            right &= row.iter().filter(|&&x| x >= logit).count() == 1;
        }
        right
    }
}
