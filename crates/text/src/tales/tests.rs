use super::grammar::{GrammarPart, Remembered};
use super::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

#[test]
fn the_letters_alone_give_the_probability_and_allow_one_derivation_only() {
    for seed in 0..20 {
        let text = tales(seed, 30_000, 10_000);
        let validation = std::str::from_utf8(&text.validation).unwrap();
        let bits = story_bits(validation.strip_prefix('\n').unwrap()).unwrap();
        let floor = text.floor_bits;
        assert!(
            (bits - floor).abs() < 1e-9 * floor,
            "seed {seed}: {bits} but {floor}"
        );
        assert!(story_bits(std::str::from_utf8(&text.train).unwrap()).is_some());
    }
}

#[test]
fn a_text_that_is_no_story_or_tells_another_fact_has_no_probability() {
    let text = tales(1, 0, 2_000);
    let stories = std::str::from_utf8(&text.validation).unwrap()[1..].to_owned();
    assert!(story_bits(&stories).is_some());
    assert!(story_bits(&stories[..stories.len() - 1]).is_none());
    let grammar = grammar();
    let lost = (0..).find_map(|stream| {
        let mut story = String::new();
        grammar.tell(
            &mut Random::new(9, RandomUse::TrainTales, stream),
            &mut story,
        );
        (story.matches(" red ").count() == 2 && story.matches("the red").count() == 1)
            .then_some(story)
    });
    let lost = lost.unwrap();
    assert!(story_bits(&lost).is_some());
    assert!(
        story_bits(&lost.replace("the red", "the blue")).is_none(),
        "{lost}"
    );
}

#[test]
fn an_ambiguous_grammar_is_noticed() {
    let ambiguous = Grammar::new(&[], "{to|tow}{n|}").unwrap();
    assert!(ambiguous.read("town").is_none());
    assert!(Grammar::new(&[], "{a|b").is_err());
    assert!(Grammar::new(&[], "<toy.its>").is_err());
}

#[test]
fn training_and_validation_share_no_story() {
    let text = tales(1, 6_000_000, 200_000);
    let split = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.split("\n\n")
            .filter(|s| !s.is_empty())
            .map(|s| s.trim().to_owned())
            .collect()
    };
    let (train, validation) = (split(&text.train), split(&text.validation));
    let pairs = train.len() as f64 * validation.len() as f64;
    let chance = pairs * grammar().collision();
    assert!(chance < 1e-12, "chance of a shared story: {chance:e}");
    let train: BTreeSet<String> = train.into_iter().collect();
    assert!(validation.iter().all(|story| !train.contains(story)));
}

#[test]
fn golden_text() {
    let text = tales(1, 100_000, 2);
    let golden = include_str!("../../tests/golden/tale.txt");
    assert_eq!(String::from_utf8(text.validation).unwrap(), golden);
    let hash = Sha256::digest(&text.train);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hash,
        include_str!("../../tests/golden/tales.sha256").trim_end()
    );
}

impl Grammar {
    /// The probability that two stories drawn independently are the same, exactly: choices are
    /// independent, so Σp² multiplies along a sequence and averages over alternatives.
    fn collision(&self) -> f64 {
        self.collision_of(&self.root, &mut self.memory())
    }

    fn collision_of(&self, parts: &[GrammarPart], memory: &mut Remembered) -> f64 {
        let mut same = 1.0;
        for part in parts {
            same *= match part {
                GrammarPart::Choice(alternatives) => {
                    let before = memory.clone();
                    let mut sum = 0.0;
                    for alternative in alternatives {
                        memory.clone_from(&before);
                        sum += self.collision_of(alternative, memory);
                    }
                    sum / (alternatives.len() * alternatives.len()) as f64
                }
                GrammarPart::Word { list, slot } => {
                    let first = self.candidates(*list, *slot, memory).next();
                    let same = 1.0 / self.candidates(*list, *slot, memory).count() as f64;
                    // Any word will do: the number of words left doesn't depend on which are taken.
                    if let (Some(slot), Some(word)) = (slot, first) {
                        memory[*slot] = Some((*list, word));
                    }
                    same
                }
                GrammarPart::Literal(_) | GrammarPart::Again { .. } => 1.0,
            };
        }
        same
    }
}
