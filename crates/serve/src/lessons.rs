//! The routes of the lessons. What a lesson computes is known to a [`Teacher`], which a crate above
//! this one provides; here it gets a thread, and one turn after another.

use crate::answer::Client;
use crate::api::{Answer, App};
use crate::play_api::stream;
use crate::priority;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;

/// Maximum request body.
const BODY: usize = 8 << 10;

/// Knows the lessons. Errors are JSON objects with a `message`.
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

/// A teacher, who answers one question at a time.
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

    /// Waits for its turn, and answers on a thread of its own.
    async fn answer(
        &self,
        work: impl FnOnce(&dyn Teacher, &Client<Value>) -> Result<(), Value> + Send + 'static,
    ) -> Answer<Response> {
        let busy = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
        let turn = self.turn.clone().acquire_owned().await;
        let turn = turn.map_err(|error| busy(error.to_string()))?;
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
        thread
            .spawn(work)
            .map_err(|error| busy(error.to_string()))?;
        Ok(stream(lines))
    }
}

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/lessons", get(lessons))
        .route("/api/lessons/{number}", post(teach))
        .route("/api/lessons/{number}/check", post(check))
        .layer(RequestBodyLimitLayer::new(BODY))
}

async fn lessons(State(app): State<App>) -> Json<Value> {
    Json(app.desk.teacher.lessons())
}

/// The value of the knob (`null` for the first one), and the page's language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turned {
    value: Value,
    language: String,
}

async fn teach(
    State(app): State<App>,
    Path(number): Path<usize>,
    Json(turned): Json<Turned>,
) -> Answer<Response> {
    let work = move |teacher: &dyn Teacher, client: &Client<Value>| {
        let mut tell = |line| {
            client.tell(line);
        };
        let Turned { value, language } = turned;
        teacher.teach(number, &value, &language, client.gone(), &mut tell)
    };
    app.desk.answer(work).await
}

/// The reader's answer, and the page's language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    answer: String,
    language: String,
}

async fn check(
    State(app): State<App>,
    Path(number): Path<usize>,
    Json(Answered { answer, language }): Json<Answered>,
) -> Answer<Response> {
    let work = move |teacher: &dyn Teacher, client: &Client<Value>| {
        let right = teacher.is_right(number, &answer, &language)?;
        client.tell(json!({ "right": right }));
        Ok(())
    };
    app.desk.answer(work).await
}
