//! The routes of the playground: what a run or a folder offers, and questions for its models.

use crate::answer::{ndjson, stream, text};
use crate::api::{Answer, App};
use crate::describe;
use crate::play::{Glance, Inquiry, OwnText, Wish};
use crate::seen::ModelId;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use session::Sampling;
use tower_http::limit::RequestBodyLimitLayer;

/// Maximum request body: a text of the longest allowed, as tokens.
const BODY: usize = 256 << 10;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/play/{id}", get(offer))
        .route("/api/play/{id}/write", post(write))
        .route("/api/play/{id}/look", post(look))
        .route("/api/play/{id}/score", post(score))
        .route("/api/play/{id}/inside", post(inside))
        .layer(RequestBodyLimitLayer::new(BODY))
}

fn refused<T>(why: impl ToString) -> Answer<T> {
    Err((StatusCode::BAD_REQUEST, why.to_string()))
}

/// The models, the settings of the run, and what is allowed.
async fn offer(State(app): State<App>, Path(id): Path<usize>) -> Answer<Json<Value>> {
    let folder = app.folder(id)?;
    let models = match describe::models(&folder) {
        Ok(models) => models,
        Err(why) => return refused(why),
    };
    let s = describe::sampling(&folder);
    let power = app.player.power;
    Ok(Json(json!({
        "name": folder.display().to_string(),
        "models": models,
        "settings": {
            "temperature": s.temperature, "top_k": s.top_k, "top_p": s.top_p, "seed": s.seed,
        },
        "prompt": s.prompt,
        "tokens": s.tokens.min(power.tokens),
        "most": {"tokens": power.tokens, "bytes": power.bytes},
    })))
}

/// Asks a question; the answer is a stream of lines.
fn ask(app: &App, id: usize, step: Option<u64>, question: Inquiry) -> Answer<Response> {
    let model = ModelId::new(app.folder(id)?, step);
    let lines = match app.player.ask(model, question) {
        Ok(lines) => lines,
        Err(why) => return Err((StatusCode::SERVICE_UNAVAILABLE, why)),
    };
    Ok(stream(lines))
}

async fn write(
    State(app): State<App>,
    Path(id): Path<usize>,
    Json(wish): Json<Wish>,
) -> Answer<Response> {
    if let Err(error) = Sampling::from(wish.settings).check() {
        return refused(error);
    }
    short(&app, &wish.prompt)?;
    few(&app, &wish.written)?;
    ask(&app, id, wish.step, Inquiry::Write(wish))
}

async fn score(
    State(app): State<App>,
    Path(id): Path<usize>,
    Json(reading): Json<OwnText>,
) -> Answer<Response> {
    short(&app, &reading.text)?;
    ask(&app, id, reading.step, Inquiry::Score(reading))
}

async fn inside(
    State(app): State<App>,
    Path(id): Path<usize>,
    Json(reading): Json<OwnText>,
) -> Answer<Response> {
    short(&app, &reading.text)?;
    ask(&app, id, reading.step, Inquiry::Inside(reading))
}

/// Checks the length of a text.
fn short(app: &App, text: &str) -> Answer<()> {
    let most = app.player.power.bytes;
    match text.len() > most {
        true => refused(format!("a text can have at most {most} bytes")),
        false => Ok(()),
    }
}

/// Checks the number of tokens.
fn few(app: &App, tokens: &[u32]) -> Answer<()> {
    let most = app.player.power.before();
    match tokens.len() > most {
        true => refused(format!("a text can have at most {most} tokens")),
        false => Ok(()),
    }
}

/// Places that were read lately are answered without the model.
async fn look(
    State(app): State<App>,
    Path(id): Path<usize>,
    Json(glance): Json<Glance>,
) -> Answer<Response> {
    if let Err(error) = Sampling::from(glance.settings).check() {
        return refused(error);
    }
    if glance.tokens.is_empty() || glance.first > glance.tokens.len() {
        return refused("a place comes after at least one token, and its prompt is part of it");
    }
    few(&app, &glance.tokens)?;
    let place = glance.place(ModelId::new(app.folder(id)?, glance.step));
    match app.player.seen.find(&place) {
        Some((logits, tokenizer)) => match glance.look(&tokenizer, &logits) {
            Ok(line) => Ok(ndjson(Body::from(text(&line)))),
            Err(error) => refused(error),
        },
        None => ask(&app, id, glance.step, Inquiry::Look(glance)),
    }
}
