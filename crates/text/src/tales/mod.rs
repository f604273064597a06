//! The built-in corpus: short children's stories drawn from a grammar whose every probability is
//! known, so that the best possible loss is known too.
//!
//! A story has exactly one derivation ([`story_bits`] checks that as it reads), hence
//! P(story) = ∏ 1/alternatives over its choices, and the entropy floor of a text is −Σ log₂ P over
//! its stories. A model whose total loss is below the floor would know the random numbers; one that
//! reaches it has learned all that there is.
//!
//! Read `words.rs` and `plots.rs` for what is told, `grammar.rs` and `tell.rs` for how.

mod grammar;
mod plots;
mod tell;
mod words;

use crate::random::{Random, RandomUse};
use grammar::Grammar;

/// A corpus of stories.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// A short name, good for a folder.
    pub name: String,
    /// What is learned from.
    pub train: Vec<u8>,
    /// What the model is judged on.
    pub validation: Vec<u8>,
    /// Entropy floor of the validation text after its first byte, in bits.
    pub floor_bits: f64,
}

/// Compiles the grammar. The templates are part of the program, so an error is one of the program,
/// and the tests below would meet it first.
fn grammar() -> Grammar {
    match Grammar::new(plots::FRAGMENTS, plots::STORY) {
        Ok(grammar) => grammar,
        Err(error) => panic!("the templates of the tales are broken: {error}"),
    }
}

/// Whole stories up to the first one that reaches `bytes`, after `text`; their bits.
fn stories(grammar: &Grammar, mut random: Random, bytes: usize, text: &mut String) -> f64 {
    let mut bits = 0.0;
    while text.len() < bytes {
        bits += grammar.tell(&mut random, text);
    }
    bits
}

/// Tells stories: a training and a validation text of at least the given sizes, from different
/// streams of one seed.
///
/// Every story ends with an empty line. The validation text begins with one more line end, the last
/// byte of a separator before it: an evaluation scores every token but the first, so the floor is
/// that of all bytes after the first.
pub fn tales(seed: u64, train_bytes: usize, validation_bytes: usize) -> Text {
    let grammar = grammar();
    let mut train = String::with_capacity(train_bytes + 1024);
    stories(
        &grammar,
        Random::new(seed, RandomUse::TrainTales, 0),
        train_bytes,
        &mut train,
    );
    let mut validation = String::from("\n");
    let random = Random::new(seed, RandomUse::ValidationTales, 0);
    let floor = stories(&grammar, random, validation_bytes, &mut validation);
    Text {
        name: "tales".to_owned(),
        train: train.into_bytes(),
        validation: validation.into_bytes(),
        floor_bits: floor,
    }
}

/// −log₂ of the probability of whole stories, from their letters alone; `None` if they aren't
/// stories of this grammar or could have been told in two ways.
pub fn story_bits(text: &str) -> Option<f64> {
    let grammar = grammar();
    let (mut rest, mut bits) = (text, 0.0);
    while !rest.is_empty() {
        let (length, story) = grammar.read(rest)?;
        bits += story;
        rest = &rest[length..];
    }
    Some(bits)
}

#[cfg(test)]
mod tests;
