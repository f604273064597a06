//! `downhill lesson`: nine lessons with the real program, on a page or in the terminal.

mod told;

use super::teacher::teacher;
use super::watch::serve;
use crate::arguments::Lesson;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{stop_flag, threads};
use ::serve::{Options, Power, Runs};
use std::io::Write;
use study::lesson::{self, KnobValue, Learner, LessonRequest, Outline, Stories};

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
    outline.check(value.as_ref())?;
    if let Some(answer) = &a.answer {
        let right = lesson::is_right(number, answer, Stories::English)?;
        writeln!(out(), "{}", told::verdict(number, right))?;
        return Ok(());
    }
    let asked = LessonRequest {
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
