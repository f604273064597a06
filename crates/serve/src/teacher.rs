//! The lessons come from a [`Teacher`], which a crate above this one implements. Here it gets a
//! thread, and answers one question after another.

use crate::answer::{Client, Lines};
use crate::priority;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long the end of a server waits for a lesson that is being computed.
const LINGER: Duration = Duration::from_secs(3);

/// Computes the lessons. Errors are JSON objects with a `message`.
pub trait Teacher: Send + Sync {
    /// All lessons: an array of objects with a `number`, and what the page needs to know.
    fn lessons(&self) -> Value;

    /// Computes a lesson with a value of its knob and passes on what it tells; ends early once
    /// `gone` is set.
    ///
    /// # Errors
    /// If there is no such lesson or the value is out of bounds.
    fn teach(
        &self,
        lesson: usize,
        value: &Value,
        language: &str,
        gone: &AtomicBool,
        tell: &mut dyn FnMut(Value),
    ) -> Result<(), Value>;

    /// Whether an answer to a lesson's question is right.
    ///
    /// # Errors
    /// If there is no such lesson, or the answer is of the wrong kind.
    fn is_right(&self, lesson: usize, answer: &str, language: &str) -> Result<bool, Value>;
}

/// A teacher that answers one question at a time.
#[derive(Clone)]
pub struct Desk {
    teacher: Arc<dyn Teacher>,
    turn: Arc<Semaphore>,
    /// Whether its thread has the lowest priority.
    lowest: bool,
}

impl Desk {
    /// The desk of a teacher.
    pub fn new(teacher: Arc<dyn Teacher>, lowest: bool) -> Desk {
        Desk {
            teacher,
            turn: Arc::new(Semaphore::new(1)),
            lowest,
        }
    }

    /// Waits a moment until nothing is being computed, so that it can remove its files.
    pub fn close(&self) {
        let until = Instant::now() + LINGER;
        while self.turn.try_acquire().is_err() && Instant::now() < until {
            std::thread::sleep(LINGER / 100);
        }
    }

    /// The teacher.
    pub fn teacher(&self) -> &dyn Teacher {
        &*self.teacher
    }

    /// Waits for its turn, and lets a thread of its own do the work.
    ///
    /// # Errors
    /// If the thread can't start.
    pub async fn ask(
        &self,
        work: impl FnOnce(&dyn Teacher, &Client<Value>) -> Result<(), Value> + Send + 'static,
    ) -> Result<Lines<Value>, String> {
        let turn = self.turn.clone().acquire_owned().await;
        let turn = turn.map_err(|error| error.to_string())?;
        let (client, lines) = Client::new();
        let (teacher, lowest) = (self.teacher.clone(), self.lowest);
        let work = move || {
            let _turn = turn;
            if lowest {
                priority::lower();
            }
            if let Err(error) = work(&*teacher, &client) {
                client.tell(json!({ "error": error }));
            }
        };
        let thread = std::thread::Builder::new().name("lesson".into());
        thread.spawn(work).map_err(|error| error.to_string())?;
        Ok(lines)
    }
}
