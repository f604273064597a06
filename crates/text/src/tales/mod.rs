//! The built-in corpus: short children's stories drawn from a grammar whose every probability is
//! known, so that the best possible loss is known too.
//!
//! A story has exactly one derivation ([`story_bits`] checks that as it reads), hence
//! P(story) = ∏ 1/alternatives over its choices, and the entropy floor of a text is −Σ log₂ P over
//! its stories. A model below the floor would have to know the random numbers; one that reaches it
//! has learned all there is to learn.
//!
//! `words.rs`, `plots.rs` and `chinese.rs` hold the content, `grammar.rs` and `tell.rs` the
//! machinery; `asked.rs` asks what a story says.

mod asked;
mod chinese;
mod grammar;
mod plots;
mod tell;
mod words;

use crate::exercises::Exercises;
use crate::random::{Random, RandomUse};
use chinese::CHINESE;
use grammar::{Grammar, Language};

/// The English tales.
const ENGLISH: Language = Language {
    names: words::NAMES,
    lists: words::LISTS,
    pronouns: &[
        ("he", ["she", "he"]),
        ("his", ["her", "his"]),
        ("him", ["her", "him"]),
        ("He", ["She", "He"]),
        ("His", ["Her", "His"]),
    ],
    fragments: plots::FRAGMENTS,
    story: plots::STORY,
    colors: " ",
};

/// A corpus of stories.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// A short name that can name a folder.
    pub name: String,
    /// The training text.
    pub train: Vec<u8>,
    /// The validation text.
    pub validation: Vec<u8>,
    /// The syllables of songs and spells, each as a word of its own. Half of a text's entropy is in
    /// them.
    pub syllables: Vec<u8>,
    /// Entropy floor of the validation text after its first byte, in bits.
    pub floor_bits: f64,
    /// Questions about stories of neither text.
    pub questions: Exercises,
}

/// Compiles a grammar. The templates are part of the program, so an error is a bug, which the
/// tests below catch.
fn grammar(language: &Language) -> Grammar {
    match Grammar::new(language) {
        Ok(grammar) => grammar,
        Err(error) => panic!("the templates of the tales are broken: {error}"),
    }
}

/// Appends whole stories until `text` has at least `bytes` bytes; returns their total −log₂ P.
fn stories(grammar: &Grammar, mut random: Random, bytes: usize, text: &mut String) -> f64 {
    let mut bits = 0.0;
    while text.len() < bytes {
        bits += grammar.tell(&mut random, text);
    }
    bits
}

/// Generates a training and a validation text of at least the given sizes in bytes, from different
/// streams of one seed.
///
/// Every story ends with an empty line. The validation text begins with an extra line feed, the
/// last byte of a separator: an evaluation scores every token but the first, so the floor covers
/// all bytes after the first.
pub fn tales(seed: u64, train_bytes: usize, validation_bytes: usize) -> Text {
    text("tales", &ENGLISH, (seed, train_bytes, validation_bytes))
}

/// The same in Chinese.
pub fn chinese_tales(seed: u64, train_bytes: usize, validation_bytes: usize) -> Text {
    text("tales-zh", &CHINESE, (seed, train_bytes, validation_bytes))
}

fn text(name: &str, language: &Language, sizes: (u64, usize, usize)) -> Text {
    let (seed, train_bytes, validation_bytes) = sizes;
    let grammar = grammar(language);
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
    let questions = asked::questions(language, &grammar, seed, &train);
    Text {
        name: name.to_owned(),
        questions,
        train: train.into_bytes(),
        validation: validation.into_bytes(),
        syllables: syllables(language),
        floor_bits: floor,
    }
}

/// The syllables of a language, with a space before each.
fn syllables(language: &Language) -> Vec<u8> {
    let lists = language.lists.iter();
    let of_songs = lists.filter(|(name, _)| name.eq_ignore_ascii_case("la"));
    let words = of_songs.flat_map(|(_, words)| words.split_whitespace());
    words
        .flat_map(|word| format!(" {word}").into_bytes())
        .collect()
}

/// −log₂ of the probability of whole stories, from their letters alone; `None` if they aren't
/// stories of this grammar or have more than one derivation.
pub fn story_bits(text: &str) -> Option<f64> {
    bits_of(&ENGLISH, text)
}

fn bits_of(language: &Language, text: &str) -> Option<f64> {
    let grammar = grammar(language);
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
