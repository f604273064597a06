//! The routes of the lessons.

use crate::answer::{Client, stream};
use crate::api::{Answer, App};
use crate::teacher::Teacher;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::limit::RequestBodyLimitLayer;

/// Maximum request body.
const BODY: usize = 8 << 10;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/lessons", get(lessons))
        .route("/api/lessons/{number}", post(teach))
        .route("/api/lessons/{number}/check", post(check))
        .layer(RequestBodyLimitLayer::new(BODY))
}

/// Gives the teacher some work; the answer is a stream of lines.
async fn ask(
    app: &App,
    work: impl FnOnce(&dyn Teacher, &Client<Value>) -> Result<(), Value> + Send + 'static,
) -> Answer<Response> {
    match app.desk.ask(work).await {
        Ok(lines) => Ok(stream(lines)),
        Err(why) => Err((StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

async fn lessons(State(app): State<App>) -> Json<Value> {
    Json(app.desk.teacher().lessons())
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
    ask(&app, work).await
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
    ask(&app, work).await
}
