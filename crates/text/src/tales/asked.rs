//! What does a story say? Questions that follow from the facts of a story alone.
//!
//! In two of the plots a toy of some color, named at the beginning, is named again: whoever reads
//! "Ada had lost her red ball" knows what was found. Who has which toy is seldom the same in two
//! stories. So some of the questions are about a hero, a color and a toy that stand together in a
//! story of the training text, and the others about three that never do. A model that knows stories
//! by heart answers only the former.

use super::grammar::{Grammar, Language};
use crate::exercises::{Exercises, Question};
use crate::random::{Random, RandomUse};
use std::collections::BTreeSet;

/// Questions of each kind.
const QUESTIONS: usize = 150;
/// Stories among which they are sought: about twice as many as it takes.
const STORIES: usize = 6_000;
/// The most characters of a story before the answer, so that questions are cheap to ask.
const LONGEST: usize = 300;

/// A hero, a color and a toy.
type Facts<'a> = [&'a str; 3];

/// The facts of a story in which a toy is named again, and where its color then stands, in bytes.
fn facts<'a>(language: &Language, story: &'a str) -> Option<(Facts<'a>, usize)> {
    let words = |name: &str| {
        let list = language.lists.iter().find(|list| list.0 == name);
        list.map_or("", |list| list.1).split_whitespace()
    };
    let ends = story.match_indices(['!', '\u{FF01}']);
    let mut found = ends.filter_map(|(end, _)| {
        let toy = words("toys").find(|toy| story[..end].ends_with(toy))?;
        let before = story[..end - toy.len()].strip_suffix(language.colors)?;
        let color = words("colors").find(|color| before.ends_with(color))?;
        Some((color, toy, before.len() - color.len()))
    });
    let (color, toy, from) = found.next()?;
    let names = language.names.split_whitespace();
    let first = |name: &str| Some((story.find(name)?, name.len()));
    let (at, length) = names.filter_map(first).min()?;
    Some(([&story[at..at + length], color, toy], from))
}

/// Questions about new stories: about facts that a story of the training text has, and about facts
/// that none has.
pub(super) fn questions(
    language: &Language,
    grammar: &Grammar,
    seed: u64,
    train: &str,
) -> Exercises {
    let told: BTreeSet<Facts> = train
        .split("\n\n")
        .filter_map(|story| Some(facts(language, story)?.0))
        .collect();
    let mut random = Random::new(seed, RandomUse::AskedTales, 0);
    let mut all = Exercises {
        train: Vec::new(),
        held_out: Vec::new(),
    };
    for _ in 0..STORIES {
        let mut story = String::new();
        grammar.tell(&mut random, &mut story);
        let Some((facts, from)) = facts(language, &story) else {
            continue;
        };
        let part = match told.contains(&facts) {
            true => &mut all.train,
            false => &mut all.held_out,
        };
        // A space before a word belongs to it.
        let prompt = story[..from].trim_end();
        let [_, color, toy] = facts;
        let answer = &story[prompt.len()..from + color.len() + language.colors.len() + toy.len()];
        if part.len() < QUESTIONS && prompt.chars().count() <= LONGEST {
            part.push(Question {
                prompt: prompt.to_owned(),
                answer: answer.to_owned(),
            });
        }
        if all.train.len().min(all.held_out.len()) == QUESTIONS {
            break;
        }
    }
    all
}
