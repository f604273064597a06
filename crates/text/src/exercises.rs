//! Built-in corpora of questions with one right answer. Some of the questions are held out: a model
//! that answers these has found the rule; one that answers only the others knows them by rote.
//!
//! A line is a question, its answer and a line feed. All lines of a corpus have the same number of
//! tokens, so each training window is exactly one line, and only the answer is to be predicted.
//!
//! | corpus | line | rule |
//! |---|---|---|
//! | sums | `12+85=0` | addition modulo 97 |
//! | copy | `kgbzotfm:kgbzotfm` | the same letters again |
//! | reverse | `kgbzotfm:mftozbgk` | the same letters backward |
//! | recall | `k3w0a7m3f9p1d8h4:a7` | the digit after the same letter |

use crate::random::{Random, RandomUse};
use crate::tokenizer::{Split, Tokenizer};
use crate::{BuiltIn, Error};
use std::collections::BTreeSet;

/// Sums are taken modulo this prime number.
const MODULUS: u64 = 97;
/// How many pairs of numbers are for training: a third. With more of them the rule is found so soon
/// that little is learned by rote.
const SUMS_TRAINED: usize = (MODULUS * (MODULUS + 1) / 2 / 3) as usize;
/// Letters in a word of `copy` and `reverse`.
const WORD: usize = 8;
/// Pairs of a letter and a digit in `recall`.
const PAIRS: usize = 8;
/// Questions of the corpora that have more questions than anyone could train on: for training, and
/// held out.
const DRAWN: (usize, usize) = (100_000, 2_000);
/// The seed of all of them: a constant, so that accuracies are comparable.
const SEED: u64 = 1;

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// What the model reads.
    pub prompt: String,
    /// What it should write.
    pub answer: String,
}

impl Question {
    /// The line of the corpus.
    pub fn line(&self) -> String {
        format!("{}{}\n", self.prompt, self.answer)
    }
}

/// A corpus of questions, in random order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercises {
    /// The questions that are trained on.
    pub train: Vec<Question>,
    /// The questions that are held out.
    pub held_out: Vec<Question>,
}

impl Exercises {
    /// The questions of a corpus; `None` if it is no corpus of questions.
    pub fn of(corpus: BuiltIn) -> Option<Exercises> {
        match corpus {
            BuiltIn::Tales | BuiltIn::TalesZh => None,
            BuiltIn::Sums => Some(sums()),
            BuiltIn::Copy => Some(drawn(|random| question(&word(random), false))),
            BuiltIn::Reverse => Some(drawn(|random| question(&word(random), true))),
            BuiltIn::Recall => Some(drawn(recall)),
        }
    }

    /// The texts of the training part and of the part that is held out.
    pub fn texts(&self) -> [String; 2] {
        [&self.train, &self.held_out].map(|part| part.iter().map(Question::line).collect())
    }

    /// The tokenizer: a token for each character, but one for a whole number in sums.
    ///
    /// # Errors
    /// None in fact: the lines are UTF-8.
    pub fn tokenizer(&self, corpus: BuiltIn) -> Result<Tokenizer, Error> {
        let texts = self.texts();
        let texts = [texts[0].as_bytes(), texts[1].as_bytes()];
        match corpus {
            // The split keeps numbers whole, and two digits are the longest of them.
            BuiltIn::Sums => Ok(Tokenizer::learned(&texts, usize::MAX, Split::Gpt2)),
            _ => Tokenizer::chars(&texts),
        }
    }
}

fn random() -> Random {
    Random::new(SEED, RandomUse::Exercises, 0)
}

/// All pairs of numbers below the modulus. a + b and b + a are on the same side, or else half of
/// what is held out could be answered by looking it up.
fn sums() -> Exercises {
    let mut pairs: Vec<(u64, u64)> = (0..MODULUS)
        .flat_map(|a| (a..MODULUS).map(move |b| (a, b)))
        .collect();
    let mut random = random();
    shuffle(&mut pairs, &mut random);
    let held_out = pairs.split_off(SUMS_TRAINED);
    let [train, held_out] = [pairs, held_out].map(|pairs| {
        let both = pairs.into_iter().flat_map(|(a, b)| match a == b {
            true => vec![(a, b)],
            false => vec![(a, b), (b, a)],
        });
        let mut questions: Vec<Question> = both.map(sum).collect();
        shuffle(&mut questions, &mut random);
        questions
    });
    Exercises { train, held_out }
}

fn sum((a, b): (u64, u64)) -> Question {
    Question {
        prompt: format!("{a}+{b}="),
        answer: ((a + b) % MODULUS).to_string(),
    }
}

/// Fisher–Yates.
fn shuffle<T>(all: &mut [T], random: &mut Random) {
    for last in (1..all.len()).rev() {
        all.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// Different questions, drawn one by one.
fn drawn(draw: impl Fn(&mut Random) -> Question) -> Exercises {
    let (mut random, mut seen) = (random(), BTreeSet::new());
    let mut new = || loop {
        let question = draw(&mut random);
        if seen.insert(question.clone()) {
            return question;
        }
    };
    Exercises {
        train: (0..DRAWN.0).map(|_| new()).collect(),
        held_out: (0..DRAWN.1).map(|_| new()).collect(),
    }
}

fn letter(random: &mut Random) -> char {
    char::from(b'a' + random.below(26) as u8)
}

fn word(random: &mut Random) -> String {
    (0..WORD).map(|_| letter(random)).collect()
}

fn question(word: &str, backward: bool) -> Question {
    let answer = match backward {
        true => word.chars().rev().collect(),
        false => word.to_owned(),
    };
    Question {
        prompt: format!("{word}:"),
        answer,
    }
}

fn recall(random: &mut Random) -> Question {
    let mut pairs: Vec<(char, u64)> = Vec::new();
    while pairs.len() < PAIRS {
        let letter = letter(random);
        if pairs.iter().all(|pair| pair.0 != letter) {
            pairs.push((letter, random.below(10)));
        }
    }
    let (letter, digit) = pairs[random.below(PAIRS as u64) as usize];
    let pairs: String = pairs.iter().map(|(l, d)| format!("{l}{d}")).collect();
    Question {
        prompt: format!("{pairs}:{letter}"),
        answer: digit.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: [BuiltIn; 4] = [
        BuiltIn::Sums,
        BuiltIn::Copy,
        BuiltIn::Reverse,
        BuiltIn::Recall,
    ];

    /// Answers a question by its letters alone.
    fn solve(corpus: BuiltIn, prompt: &str) -> String {
        let (before, after) = prompt.split_at(prompt.find(['=', ':']).unwrap());
        let letters: Vec<char> = before.chars().collect();
        match corpus {
            BuiltIn::Sums => {
                let numbers = before.split('+').map(|n| n.parse::<u64>().unwrap());
                let mut sum: u64 = numbers.sum();
                while sum >= 97 {
                    sum -= 97;
                }
                sum.to_string()
            }
            BuiltIn::Copy => before.to_owned(),
            BuiltIn::Reverse => (0..letters.len())
                .map(|i| letters[letters.len() - 1 - i])
                .collect(),
            _ => {
                let wanted = after.chars().nth(1).unwrap();
                let found: Vec<_> = letters.chunks(2).filter(|pair| pair[0] == wanted).collect();
                assert_eq!(found.len(), 1, "{prompt}");
                found[0][1].to_string()
            }
        }
    }

    #[test]
    fn every_answer_is_right_and_nothing_that_is_held_out_is_trained_on() {
        for corpus in ASKED {
            let exercises = Exercises::of(corpus).unwrap();
            let all = || exercises.train.iter().chain(&exercises.held_out);
            for question in all() {
                assert_eq!(solve(corpus, &question.prompt), question.answer);
            }
            let different: BTreeSet<&str> = all().map(|q| q.prompt.as_str()).collect();
            assert_eq!(different.len(), all().count(), "{corpus}");
        }
        let sums = sums();
        assert_eq!(sums.train.len() + sums.held_out.len(), 97 * 97);
        let mirrored = |q: &Question| {
            let (a, b) = q.prompt.trim_end_matches('=').split_once('+').unwrap();
            format!("{b}+{a}=")
        };
        let known: BTreeSet<&str> = sums.train.iter().map(|q| q.prompt.as_str()).collect();
        let looked_up = |q: &&Question| known.contains(mirrored(q).as_str());
        assert_eq!(sums.held_out.iter().filter(looked_up).count(), 0);
    }

    #[test]
    fn all_lines_have_the_same_number_of_tokens() {
        for (corpus, tokens, answer, vocabulary) in [
            (BuiltIn::Sums, 6, 1, 344),
            (BuiltIn::Copy, 18, 8, 29),
            (BuiltIn::Reverse, 18, 8, 29),
            (BuiltIn::Recall, 20, 1, 39),
        ] {
            let exercises = Exercises::of(corpus).unwrap();
            let tokenizer = exercises.tokenizer(corpus).unwrap();
            assert_eq!(tokenizer.vocabulary_size(), vocabulary, "{corpus}");
            let count = |text: &str| tokenizer.encode(text.as_bytes()).unwrap().len();
            let [train, held_out] = exercises.texts().map(|text| count(&text));
            assert_eq!(train, tokens * exercises.train.len());
            assert_eq!(held_out, tokens * exercises.held_out.len());
            for question in exercises.held_out.iter().take(300) {
                assert_eq!(count(&question.line()), tokens, "{question:?}");
                assert_eq!(count(&question.answer), answer, "{question:?}");
            }
        }
    }
}
