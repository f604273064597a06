//! Questions whose answers are known: how a corpus of them is trained on, and how a model is
//! examined.

use crate::error::{Error, Result};
use model::Config;
use run::Eval;
use session::{Answers, Asked, Sampling, Session, write_text};
use text::{Exercises, Question, Tokenizer};

/// Questions in a sample.
const SHOWN: usize = 8;

/// Questions about a corpus, in tokens.
#[derive(Debug, Clone)]
pub struct Questions {
    /// What is asked was in the training text.
    pub train: Vec<Asked>,
    /// What is asked was not.
    pub held_out: Vec<Asked>,
    /// How the text is laid out, if it is nothing but questions.
    pub line: Option<QuestionLine>,
    /// Tokens of the longest question with its answer.
    longest: usize,
}

/// The layout of a text whose lines are all alike: a question, its answer, a line feed.
#[derive(Debug, Clone, Copy)]
pub struct QuestionLine {
    /// Tokens of a line.
    pub tokens: usize,
    /// Tokens of its question.
    pub prompt: usize,
}

impl QuestionLine {
    /// Tokens of its answer.
    pub fn answer(self) -> usize {
        self.tokens - self.prompt - 1
    }

    /// Whether the token after this one of a window is to be predicted: it is part of an answer.
    pub fn counts(self, at: usize) -> bool {
        let next = at % self.tokens + 1;
        (self.prompt..self.tokens - 1).contains(&next)
    }
}

/// How a model answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Examined {
    /// What was in the training text.
    pub train: Answers,
    /// What was not.
    pub held_out: Answers,
}

impl Examined {
    /// Writes the accuracies to an event.
    pub fn report(&self, event: &mut Eval) {
        event.accuracy_train = Some(self.train.accuracy());
        event.accuracy_held_out = Some(self.held_out.accuracy());
    }
}

impl Questions {
    /// The questions of a corpus that is nothing but questions.
    pub(crate) fn of(exercises: &Exercises, tokenizer: &Tokenizer) -> Result<Questions> {
        let mut questions = Self::of_stories(exercises, tokenizer)?;
        questions.line = questions.held_out.first().map(|first| QuestionLine {
            tokens: first.tokens.len() + 1,
            prompt: first.prompt,
        });
        Ok(questions)
    }

    /// Questions about stories.
    pub(crate) fn of_stories(exercises: &Exercises, tokenizer: &Tokenizer) -> Result<Questions> {
        let encode = |part: &[Question]| -> Result<Vec<Asked>> {
            part.iter().map(|q| asked(q, tokenizer)).collect()
        };
        let (train, held_out) = (encode(&exercises.train)?, encode(&exercises.held_out)?);
        let all = train.iter().chain(&held_out);
        Ok(Questions {
            longest: all.map(|asked| asked.tokens.len()).max().unwrap_or(1),
            train,
            held_out,
            line: None,
        })
    }

    /// Refuses a config with which they can't be learned.
    pub(crate) fn check(&self, corpus: &str, config: &Config) -> Result<()> {
        let context = config.model.context;
        match self.line {
            Some(line) if line.tokens != context => Err(Error::Task(format!(
                "a line of {corpus} has {} tokens, and each window is one: set model.context={} \
                 (it is {context}), or leave out --preset and --config",
                line.tokens, line.tokens
            ))),
            _ => Ok(()),
        }
    }

    /// Asks the model as many questions of both kinds as have about this many tokens; where they
    /// are asked beside a text, half as many, so that they cost as much as the text.
    ///
    /// # Errors
    /// If the device fails.
    pub fn examine(
        &self,
        session: &mut Session,
        tokenizer: &Tokenizer,
        tokens: usize,
    ) -> Result<Examined> {
        let time = self.longest;
        let tokens = match self.line {
            Some(_) => tokens,
            None => tokens / 2,
        };
        let some = |all: &[Asked]| all.len().min((tokens / time.max(1)).max(1));
        let mut ask = |all: &[Asked]| session.ask(tokenizer, time, &all[..some(all)]);
        Ok(Examined {
            train: ask(&self.train)?,
            held_out: ask(&self.held_out)?,
        })
    }

    /// Plans the examination, so that the device's memory is known in advance.
    ///
    /// # Errors
    /// If memory can't be allocated.
    pub(crate) fn expect(&self, session: &mut Session, tokenizer: &Tokenizer) -> Result<()> {
        session.ask(tokenizer, self.longest, &self.held_out[..1])?;
        Ok(())
    }

    /// The first of the held-out questions, and after it the model's answer, the other questions
    /// that are shown with theirs, and what would have been right.
    pub(crate) fn sample(
        &self,
        session: &mut Session,
        tokenizer: &Tokenizer,
    ) -> Result<(String, String)> {
        let text = |tokens: &[u32]| String::from_utf8_lossy(&tokenizer.decode(tokens)).into_owned();
        let greedy = Sampling {
            temperature: 0.0,
            ..Sampling::default()
        };
        let mut all = String::new();
        let shown = &self.held_out[..SHOWN.min(self.held_out.len())];
        for (at, asked) in shown.iter().enumerate() {
            let prompt = &asked.tokens[..asked.prompt];
            if at > 0 {
                all.push_str(&text(prompt));
            }
            let mut found = String::new();
            let piece = |piece: &str| {
                found.push_str(piece);
                true
            };
            let right = asked.answer();
            write_text(session, tokenizer, prompt, right.len(), &greedy, piece)?;
            let right = text(right);
            match found == right {
                true => all.push_str(&format!("{found}\n")),
                false => all.push_str(&format!("{}   not {right}\n", found.trim_end())),
            }
        }
        let first = shown
            .first()
            .map(|asked| text(&asked.tokens[..asked.prompt]));
        Ok((first.unwrap_or_default(), all))
    }
}

fn asked(question: &Question, tokenizer: &Tokenizer) -> Result<Asked> {
    let prompt = tokenizer.encode(question.prompt.as_bytes())?;
    let answer = tokenizer.encode(question.answer.as_bytes())?;
    Ok(Asked {
        prompt: prompt.len(),
        tokens: [prompt, answer].concat(),
    })
}
