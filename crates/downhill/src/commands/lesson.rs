//! `downhill lesson`: nine lessons with the real program, on a page or in the terminal.

mod told;

use super::watch::serve;
use crate::arguments::Lesson;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{stop_flag, threads};
use ::serve::{Options, Power, Runs, Teacher};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use study::lesson::{self, Error, KnobValue, LESSONS, Learner, Outline, Request, Stories};

pub fn run(a: &Lesson) -> Result<()> {
    let threads = threads(a.threads.map(|n| n as usize))?;
    let stop = stop_flag()?;
    let Some(number) = a.number else {
        let power = Power::with_threads(threads);
        let options = Options {
            runs: Runs::These(Vec::new()),
            port: a.port,
            control: None,
            power,
            teacher: teacher(power),
        };
        return serve(options, "lesson", &stop);
    };
    let outline = Outline::of(number)?;
    let value = value(a, outline)?;
    if let Some(answer) = &a.answer {
        let right = lesson::is_right(number, answer, Stories::English)?;
        writeln!(out(), "{}", told::verdict(number, right))?;
        return Ok(());
    }
    let asked = Request {
        lesson: number,
        value,
        stories: Stories::English,
    };
    if !a.json {
        writeln!(out(), "{}", told::opening(outline))?;
    }
    let mut shown = Ok(());
    let mut tell = |told: lesson::Told| {
        if shown.is_ok() {
            shown = match a.json {
                true => output::json(&told).and_then(|line| writeln!(out(), "{line}")),
                false => told::show(&told),
            };
        }
    };
    lesson::answer(&asked, &Learner::new(threads), &stop, &mut tell)?;
    shown?;
    if !a.json {
        writeln!(out(), "{}", told::question(outline))?;
    }
    Ok(())
}

/// The value of the one flag that belongs to the lesson; others are refused.
fn value(a: &Lesson, outline: &Outline) -> Result<Option<KnobValue>> {
    let number = |value: &Option<f64>| value.map(KnobValue::Number);
    let flags = [
        ("text", a.text.clone().map(KnobValue::Text)),
        ("probability", number(&a.probability)),
        ("weight", number(&a.weight)),
        ("rate", number(&a.rate)),
        ("steps", number(&a.steps)),
        ("lines", number(&a.lines)),
    ];
    let mut chosen = None;
    for (flag, value) in flags {
        match value {
            Some(value) if flag == outline.knob => chosen = Some(value),
            Some(_) => {
                return Err(Failure::Usage(format!(
                    "lesson {} has no --{flag}: the one thing to change is --{}",
                    outline.number, outline.knob
                )));
            }
            None => {}
        }
    }
    Ok(chosen)
}

/// Who knows the lessons, for a server whose models may take so much.
pub fn teacher(power: Power) -> Arc<dyn Teacher> {
    Arc::new(Classroom(Learner::new(power.threads)))
}

/// The lessons of `study`, as JSON.
struct Classroom(Learner);

impl Teacher for Classroom {
    fn lessons(&self) -> Value {
        json!(LESSONS)
    }

    fn teach(
        &self,
        lesson: usize,
        value: &Value,
        language: &str,
        gone: &AtomicBool,
        tell: &mut dyn FnMut(Value),
    ) -> std::result::Result<(), Value> {
        let value = match value {
            Value::Null => None,
            Value::String(text) => Some(KnobValue::Text(text.clone())),
            other => Some(KnobValue::Number(other.as_f64().unwrap_or(f64::NAN))),
        };
        let stories = language.parse().map_err(|e| problem(&e))?;
        let asked = Request {
            lesson,
            value,
            stories,
        };
        let mut told = |told: lesson::Told| tell(json!(told));
        lesson::answer(&asked, &self.0, gone, &mut told).map_err(|e| problem(&e))
    }

    fn is_right(
        &self,
        lesson: usize,
        answer: &str,
        language: &str,
    ) -> std::result::Result<bool, Value> {
        let stories = language.parse().map_err(|e| problem(&e))?;
        lesson::is_right(lesson, answer, stories).map_err(|e| problem(&e))
    }
}

/// An error for the page, which has its own words for some of them.
fn problem(error: &Error) -> Value {
    let mut told = json!({ "message": error.to_string() });
    match error {
        Error::Unseen(characters) => told["unseen"] = json!(characters),
        Error::TooSlow(_) => told["slow"] = json!(true),
        _ => {}
    }
    told
}
