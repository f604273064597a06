//! Has a model learned or copied? The result of `downhill originality`, stored in the run.

use crate::{Result, RunFolder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Its file in the run's `probes/`.
const FILE: &str = "originality.json";

/// What was measured, on which model, against which text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Originality {
    /// Steps that the model was trained for.
    pub step: Option<u64>,
    /// Number of samples.
    pub samples: u64,
    /// Tokens of each.
    pub tokens: u64,
    /// How they were drawn.
    pub temperature: f64,
    /// The seed of the first.
    pub seed: u64,
    /// Training tokens.
    pub corpus_tokens: u64,
    /// How many of them were searched: all, or an evenly spaced part.
    pub indexed_tokens: u64,
    /// The model's samples.
    pub model: TextFigures,
    /// Text that people wrote and the model was not trained on.
    pub human: TextFigures,
    /// [`Extraction::prefix_extraction`] of the training text.
    pub train_prefix_extraction: f64,
    /// The others of the training text.
    pub train_prefix_extraction_sampled: f64,
    /// As above.
    pub train_near_copies: f64,
    /// As above.
    pub train_near_copies_sampled: f64,
    /// What follows from these figures.
    pub finding: Finding,
    /// The same in one sentence.
    pub verdict: String,
    /// Matches longer than this many tokens are marked: nine in ten of the human text's are not.
    pub marked_beyond: u64,
    /// Some of the samples, those with the longest matches first.
    pub texts: Vec<MarkedText>,
}

/// How much of a text stands in the training text, and whether the model continues it by heart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextFigures {
    /// The share of n-grams that don't occur in the training text, for n = 1 … 10.
    pub new_ngrams: BTreeMap<u32, f64>,
    /// The longest match that begins at each place, in tokens.
    pub longest_match: MatchLengths,
    /// Share of the places whose longest match has at most this many tokens, and more than the
    /// entry before.
    pub match_lengths: BTreeMap<u32, f64>,
    /// Whether its prefixes are continued by heart.
    #[serde(flatten)]
    pub extraction: Extraction,
}

/// The distribution of the lengths of matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchLengths {
    /// Half of the places have at most this.
    pub median: u64,
    /// Nine in ten have at most this.
    pub p90: u64,
    /// The longest.
    pub largest: u64,
}

/// Shares of passages whose first 50 tokens the model continues with their next 50.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Extraction {
    /// Word for word, always taking the most likely token.
    pub prefix_extraction: f64,
    /// Word for word, sampled.
    pub prefix_extraction_sampled: f64,
    /// The first with at most 10% of the tokens inserted, removed or replaced.
    pub near_copies: f64,
    /// The second with as many.
    pub near_copies_sampled: f64,
}

/// What the figures say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The model's text is as new as a human's.
    New,
    /// More of it stands in the training text.
    Copies,
    /// It continues much of the training text word for word.
    ByHeart,
}

/// A sample in pieces.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkedText {
    /// Its pieces in order.
    pub pieces: Vec<TextPiece>,
    /// What is copied.
    pub copies: Vec<Copied>,
}

/// Part of a sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextPiece {
    /// The text.
    pub text: String,
    /// The number of the match it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<usize>,
}

/// A match, and where it stands in the training text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Copied {
    /// Its length.
    pub tokens: u64,
    /// The position of its first token in the training part.
    pub token: u64,
    /// The number of its document in the training part, from 1, if documents are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u64>,
    /// The position of its first token in the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The training text before it.
    pub before: String,
    /// The match itself.
    pub text: String,
    /// The training text after it.
    pub after: String,
}

impl Originality {
    /// Reads the result that a run has; `None` if it has none.
    ///
    /// # Errors
    /// If the file can't be read or is damaged.
    pub fn of_run(run: &RunFolder) -> Result<Option<Originality>> {
        run.read_probe(FILE, "downhill originality")
    }

    /// The shares of passages that are continued by heart, by name: of the model's samples, of
    /// held-out text, of the training text.
    pub fn by_heart(&self) -> [(&'static str, f64, f64, f64); 4] {
        let (ours, theirs) = (&self.model.extraction, &self.human.extraction);
        [
            (
                "continued by heart, greedy",
                ours.prefix_extraction,
                theirs.prefix_extraction,
                self.train_prefix_extraction,
            ),
            (
                "continued by heart, sampled",
                ours.prefix_extraction_sampled,
                theirs.prefix_extraction_sampled,
                self.train_prefix_extraction_sampled,
            ),
            (
                "near copies, greedy",
                ours.near_copies,
                theirs.near_copies,
                self.train_near_copies,
            ),
            (
                "near copies, sampled",
                ours.near_copies_sampled,
                theirs.near_copies_sampled,
                self.train_near_copies_sampled,
            ),
        ]
    }

    /// Stores it in a run.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save(&self, run: &RunFolder) -> Result<()> {
        run.save_probe(FILE, self)
    }
}
