//! What does a beginner have to see once? Nine short lessons, each with one thing to change and one
//! question. Every number comes from the engine, the trainer or a trained model; the page and the
//! terminal only show them.
//!
//! Read in this order: `line` (the slope of a cost, and a step down), `cost`, `chain`
//! (backpropagation), `mountain` (many walkers), `tiny` (language models that train in seconds).

mod chain;
mod cost;
mod error;
mod line;
mod mountain;
mod small;
mod tiny;

pub use chain::{ChainLesson, Link};
pub use cost::{CostLesson, Miss, Pull};
pub use error::{Error, Result};
pub use line::{LineLook, Rise, SlopeLesson, StepLesson};
pub use mountain::{CrowdLesson, RatesLesson};
pub use tiny::{CopiedLesson, Learner, LessonStage, NextLesson, WordsLesson};

use serde::Serialize;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

/// The one thing that a lesson lets its reader change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// A number.
    Number {
        /// The least allowed.
        least: f64,
        /// The most allowed.
        most: f64,
        /// The distance between two values on a slider; values between them are allowed too,
        /// unless it is 1.
        step: f64,
        /// The value at first.
        start: f64,
    },
    /// A text of limited length.
    Text {
        /// The most bytes allowed.
        longest: usize,
    },
}

/// A lesson: what can be changed, and what kind of answer its question has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outline {
    /// From 1.
    pub number: usize,
    /// What it is about, in one word.
    pub name: &'static str,
    /// What the reader changes, as the flag of `downhill lesson` is called.
    pub knob: &'static str,
    /// Its bounds.
    pub bounds: Knob,
    /// The number of answers to choose from; 0 where the answer is a number.
    pub choices: usize,
}

const fn number(least: f64, most: f64, step: f64, start: f64) -> Knob {
    Knob::Number {
        least,
        most,
        step,
        start,
    }
}

const fn outline(
    number: usize,
    name: &'static str,
    knob: &'static str,
    bounds: Knob,
    choices: usize,
) -> Outline {
    Outline {
        number,
        name,
        knob,
        bounds,
        choices,
    }
}

/// All lessons.
pub const LESSONS: [Outline; 9] = [
    outline(1, "next", "text", Knob::Text { longest: 400 }, 3),
    outline(
        2,
        "cost",
        "probability",
        number(0.001, 0.999, 0.001, 0.3),
        2,
    ),
    outline(3, "slope", "weight", number(-2.0, 6.0, 0.1, 4.0), 0),
    outline(4, "step", "rate", number(0.0, 1.0, 0.005, 0.02), 0),
    outline(5, "crowd", "steps", number(0.0, 60.0, 1.0, 5.0), 0),
    outline(6, "rates", "rate", number(0.001, 0.5, 0.001, 0.01), 0),
    outline(
        7,
        "backpropagation",
        "weight",
        number(-4.0, 4.0, 0.1, 3.0),
        0,
    ),
    outline(8, "words", "steps", number(1.0, 1000.0, 1.0, 400.0), 0),
    outline(9, "copied", "lines", number(2.0, 500.0, 1.0, 3.0), 2),
];

impl Outline {
    /// The lesson with this number.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(number: usize) -> Result<&'static Outline> {
        let found = number.checked_sub(1).and_then(|at| LESSONS.get(at));
        found.ok_or(Error::Unknown(number))
    }

    /// A number within the bounds; without one, the first.
    fn number(&self, value: Option<&KnobValue>) -> Result<f64> {
        let Knob::Number {
            least,
            most,
            step,
            start,
        } = self.bounds
        else {
            return Err(self.wrong());
        };
        let value = match value {
            None => start,
            Some(KnobValue::Number(value)) => *value,
            Some(KnobValue::Text(_)) => return Err(self.wrong()),
        };
        let whole = step < 1.0 || value.fract() == 0.0;
        match (least..=most).contains(&value) && whole {
            true => Ok(value),
            false => Err(self.wrong()),
        }
    }

    /// Checks a value of the knob.
    ///
    /// # Errors
    /// If it is out of bounds or of the wrong kind.
    pub fn check(&self, value: Option<&KnobValue>) -> Result<()> {
        match (self.bounds, value) {
            (Knob::Number { .. }, value) => self.number(value).map(drop),
            (Knob::Text { .. }, None) => Ok(()),
            (Knob::Text { longest }, Some(KnobValue::Text(text))) if text.len() <= longest => {
                Ok(())
            }
            _ => Err(self.wrong()),
        }
    }

    fn wrong(&self) -> Error {
        let (knob, number) = (self.knob, self.number);
        let what = match self.bounds {
            Knob::Text { longest } => format!("a text of at most {longest} bytes"),
            Knob::Number {
                least, most, step, ..
            } => {
                let kind = if step < 1.0 { "a" } else { "a whole" };
                format!("{kind} number from {least} to {most}")
            }
        };
        Error::Knob(format!("{knob} in lesson {number} must be {what}"))
    }
}

/// A value of the knob.
#[derive(Debug, Clone, PartialEq)]
pub enum KnobValue {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// The language of the stories that lessons 1, 8 and 9 learn from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stories {
    /// English, a token for each letter.
    #[default]
    English,
    /// Chinese, a token for each character.
    Chinese,
}

impl FromStr for Stories {
    type Err = Error;

    fn from_str(name: &str) -> Result<Stories> {
        match name {
            "en" => Ok(Stories::English),
            "zh" => Ok(Stories::Chinese),
            _ => Err(Error::Language(name.to_owned())),
        }
    }
}

/// What a lesson tells. Those with a model tell what happens while it trains; the last thing is the
/// result.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A model trains: steps done, and how many there will be.
    Training(u64, u64),
    /// Lesson 1.
    Next(NextLesson),
    /// Lesson 2.
    Cost(CostLesson),
    /// Lesson 3.
    Slope(SlopeLesson),
    /// Lesson 4.
    Step(StepLesson),
    /// Lesson 5.
    Crowd(CrowdLesson),
    /// Lesson 6.
    Rates(RatesLesson),
    /// Lesson 7.
    Backpropagation(ChainLesson),
    /// Lesson 8: what the model writes after some steps.
    Stage(LessonStage),
    /// Lesson 8.
    Words(WordsLesson),
    /// Lesson 9.
    Copied(Box<CopiedLesson>),
}

/// What is asked of a lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct LessonRequest {
    /// Its number, from 1.
    pub lesson: usize,
    /// The value of its knob; without one, the first.
    pub value: Option<KnobValue>,
    /// Which stories.
    pub stories: Stories,
}

/// Computes a lesson and passes on what it tells; stops early once `stop` is set.
///
/// # Errors
/// If there is no such lesson, the value is out of bounds, or a text has characters that the model
/// never saw.
pub fn answer(
    asked: &LessonRequest,
    learner: &Learner,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told),
) -> Result<()> {
    let outline = Outline::of(asked.lesson)?;
    let value = asked.value.as_ref();
    outline.check(value)?;
    if let Knob::Text { .. } = outline.bounds {
        let text = match value {
            Some(KnobValue::Text(text)) => text,
            _ => tiny::FIRST,
        };
        let next = learner.next(text, asked.stories, stop, tell)?;
        tell(Told::Next(next));
        return Ok(());
    }
    let value = outline.number(value)?;
    let told = match outline.number {
        2 => Told::Cost(cost::cost(value)?),
        3 => Told::Slope(line::slope(value)?),
        4 => Told::Step(line::step(value)?),
        5 => Told::Crowd(mountain::crowd(value as usize)?),
        6 => Told::Rates(mountain::rates(value)?),
        7 => Told::Backpropagation(chain::chain(value)?),
        8 => Told::Words(learner.words(value as u64, asked.stories, stop, tell)?),
        _ => {
            let copied = learner.copied(value as usize, asked.stories, stop, tell)?;
            Told::Copied(Box::new(copied))
        }
    };
    tell(told);
    Ok(())
}

/// Whether an answer to a lesson's question is right: a number, or the number of a choice from 1.
///
/// # Errors
/// If there is no such lesson, or the answer isn't of this kind.
pub fn is_right(lesson: usize, answer: &str, stories: Stories) -> Result<bool> {
    let outline = Outline::of(lesson)?;
    // In some languages, a comma stands before the fraction.
    let answer = answer.trim().replace(',', ".");
    let given: f64 = answer.parse().unwrap_or(f64::NAN);
    let choices = 1..=outline.choices;
    if outline.choices > 0 {
        let chosen = choices.clone().find(|&choice| choice as f64 == given);
        let chosen = chosen.ok_or(Error::Choice(outline.choices))?;
        return Ok(chosen == choice(lesson));
    }
    if !given.is_finite() {
        return Err(Error::NoNumber);
    }
    let (right, tolerance) = match lesson {
        3 => (line::BEST, 0.01),
        4 => (1.0 / line::curvature()?, 0.001),
        5 => (mountain::arrival()? as f64, 0.0),
        6 => (2.0 / mountain::steepest()?, 0.005),
        7 => (chain::STILL, 0.01),
        _ => (tiny::first_loss(stories), 0.06),
    };
    Ok((given - right).abs() <= tolerance + 1e-9)
}

/// The right choice of a lesson whose question has some.
fn choice(lesson: usize) -> usize {
    match lesson {
        // Cross-entropy.
        2 => 1,
        // The letter that the model expects; the model with many lines.
        _ => 2,
    }
}
