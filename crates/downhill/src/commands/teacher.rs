//! The lessons of `study` for the page: as JSON.

use serde_json::{Value, json};
use serve::{Power, Teacher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use study::lesson::{self, Error, KnobValue, LESSONS, Learner, LessonRequest};

/// Who knows the lessons, for a server whose models may take so much.
pub fn teacher(power: Power) -> Arc<dyn Teacher> {
    Arc::new(Classroom(Learner::new(power.threads)))
}

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
        let asked = LessonRequest {
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
