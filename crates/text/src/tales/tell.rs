//! Generates stories from the grammar, and computes a story's probability from its letters.

use super::grammar::{Grammar, GrammarPart, Remembered};
use crate::random::Random;

impl Grammar {
    /// Appends one story to `text` and returns −log₂ of its probability, in bits.
    pub(super) fn tell(&self, random: &mut Random, text: &mut String) -> f64 {
        self.write(&self.root, random, &mut self.memory(), text)
    }

    fn write(
        &self,
        parts: &[GrammarPart],
        random: &mut Random,
        memory: &mut Remembered,
        text: &mut String,
    ) -> f64 {
        let mut bits = 0.0;
        let mut choose = |count: usize, random: &mut Random| {
            bits += libm::log2(count as f64);
            random.below(count as u64) as usize
        };
        let mut inner = 0.0;
        for part in parts {
            match part {
                GrammarPart::Literal(literal) => text.push_str(literal),
                GrammarPart::Choice(alternatives) => {
                    let chosen = choose(alternatives.len(), random);
                    inner += self.write(&alternatives[chosen], random, memory, text);
                }
                GrammarPart::Word { list, slot } => {
                    let count = self.candidates(*list, *slot, memory).count();
                    let chosen = choose(count, random);
                    let word = self.candidates(*list, *slot, memory).nth(chosen);
                    if let Some(word) = word {
                        text.push_str(self.word(*list, word));
                        if let Some(slot) = slot {
                            memory[*slot] = Some((*list, word));
                        }
                    }
                }
                GrammarPart::Again { slot, pronoun } => {
                    text.push_str(self.again(*slot, *pronoun, memory).unwrap_or_default());
                }
            }
        }
        bits + inner
    }

    /// Parses one story at the start of `text`; returns its length and −log₂ of its probability,
    /// from the letters alone.
    ///
    /// Wherever the grammar chooses, exactly one alternative must match the letters that follow.
    /// Then no other derivation exists, and the product of the choices is the probability of the
    /// text. `None` if the text isn't a story, or if two alternatives match.
    pub(super) fn read(&self, text: &str) -> Option<(usize, f64)> {
        self.fit(&self.root, text, &mut self.memory())
    }

    fn fit(
        &self,
        parts: &[GrammarPart],
        text: &str,
        memory: &mut Remembered,
    ) -> Option<(usize, f64)> {
        let (mut at, mut bits) = (0, 0.0);
        for part in parts {
            let rest = &text[at..];
            match part {
                GrammarPart::Literal(literal) => {
                    rest.strip_prefix(literal.as_str())?;
                    at += literal.len();
                }
                GrammarPart::Choice(alternatives) => {
                    let mut found = None;
                    for alternative in alternatives {
                        let mut after = memory.clone();
                        if let Some(fits) = self.fit(alternative, rest, &mut after) {
                            if found.is_some() {
                                return None;
                            }
                            found = Some((fits, after));
                        }
                    }
                    let ((length, inner), after) = found?;
                    *memory = after;
                    at += length;
                    bits += libm::log2(alternatives.len() as f64) + inner;
                }
                GrammarPart::Word { list, slot } => {
                    let fits = |&word: &usize| rest.starts_with(self.word(*list, word));
                    let mut fitting = self.candidates(*list, *slot, memory).filter(fits);
                    let (first, second) = (fitting.next(), fitting.next());
                    drop(fitting);
                    let (Some(word), None) = (first, second) else {
                        return None;
                    };
                    bits += libm::log2(self.candidates(*list, *slot, memory).count() as f64);
                    at += self.word(*list, word).len();
                    if let Some(slot) = slot {
                        memory[*slot] = Some((*list, word));
                    }
                }
                GrammarPart::Again { slot, pronoun } => {
                    let word = self.again(*slot, *pronoun, memory)?;
                    rest.strip_prefix(word)?;
                    at += word.len();
                }
            }
        }
        Some((at, bits))
    }
}
