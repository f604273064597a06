use super::grammar::{GrammarPart, Remembered};
use super::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

#[test]
fn the_letters_alone_give_the_probability_and_allow_one_derivation_only() {
    for (language, seed) in [&ENGLISH, &CHINESE]
        .into_iter()
        .flat_map(|l| (0..6).map(move |seed| (l, seed)))
    {
        let text = super::text("", language, (seed, 30_000, 10_000));
        let validation = std::str::from_utf8(&text.validation).unwrap();
        let bits = bits_of(language, validation.strip_prefix('\n').unwrap()).unwrap();
        let floor = text.floor_bits;
        assert!(
            (bits - floor).abs() < 1e-9 * floor,
            "seed {seed}: {bits} but {floor}"
        );
        assert!(bits_of(language, std::str::from_utf8(&text.train).unwrap()).is_some());
    }
}

#[test]
fn a_text_that_is_no_story_or_tells_another_fact_has_no_probability() {
    let text = tales(1, 0, 2_000);
    let stories = std::str::from_utf8(&text.validation).unwrap()[1..].to_owned();
    assert!(story_bits(&stories).is_some());
    assert!(story_bits(&stories[..stories.len() - 1]).is_none());
    let grammar = grammar(&ENGLISH);
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
    let of = |story| Grammar::new(&Language { story, ..ENGLISH });
    assert!(of("{to|tow}{n|}").unwrap().read("town").is_none());
    assert!(of("{a|b").is_err());
    assert!(of("<toy.its>").is_err());
}

#[test]
fn training_and_validation_share_no_story() {
    for language in [&ENGLISH, &CHINESE] {
        let text = super::text("", language, (1, 6_000_000, 200_000));
        let split = |bytes: &[u8]| -> Vec<String> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.split("\n\n")
                .filter(|s| !s.is_empty())
                .map(|s| s.trim().to_owned())
                .collect()
        };
        let (train, validation) = (split(&text.train), split(&text.validation));
        let pairs = train.len() as f64 * validation.len() as f64;
        let chance = pairs * grammar(language).collision();
        assert!(chance < 1e-12, "chance of a shared story: {chance:e}");
        let train: BTreeSet<String> = train.into_iter().collect();
        assert!(validation.iter().all(|story| !train.contains(story)));
    }
}

#[test]
fn questions_follow_from_their_story_and_what_is_held_out_was_never_told() {
    for language in [&ENGLISH, &CHINESE] {
        let text = super::text("", language, (1, 600_000, 1_000));
        let train = String::from_utf8(text.train).unwrap();
        let stories: Vec<&str> = train.split("\n\n").collect();
        let Exercises {
            train: seen,
            held_out,
        } = text.questions;
        assert!(seen.len() > 100 && held_out.len() == 150);
        let mut checked = 0;
        for (question, is_seen) in seen
            .iter()
            .map(|q| (q, true))
            .chain(held_out.iter().map(|q| (q, false)))
        {
            // The answer stands in the prompt, and no other toy of some color does.
            let answer = question.answer.trim();
            assert_eq!(question.prompt.matches(answer).count(), 1, "{question:?}");
            let hero = language
                .names
                .split_whitespace()
                .min_by_key(|name| question.prompt.find(name).unwrap_or(usize::MAX))
                .unwrap();
            // By another way than the questions were made: the toy is named twice, and no name
            // stands before the hero's.
            let tells = |story: &&&str| {
                story.matches(answer).count() >= 2
                    && [format!("{answer}!"), format!("{answer}\u{FF01}")]
                        .iter()
                        .any(|a| story.contains(a))
                    && language.names.split_whitespace().all(|name| {
                        story
                            .find(name)
                            .is_none_or(|at| at >= story.find(hero).unwrap_or(0))
                    })
                    && story.contains(hero)
            };
            if checked < 300 || !is_seen {
                assert_eq!(
                    stories.iter().any(|story| tells(&story)),
                    is_seen,
                    "{question:?}"
                );
                checked += 1;
            }
        }
    }
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
