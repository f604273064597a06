//! The routes: the page's files, and runs as JSON.

use crate::assets;
use crate::control::Control;
use crate::describe;
use crate::guard::{Names, guard};
use crate::player::Player;
use crate::power::Power;
use crate::pyramid::SERIES;
use crate::shelf::{Missing, Shelf};
use crate::teacher::{Desk, Teacher};
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// Maximum request body, maximum time until a response begins, maximum open event streams.
const BODY: usize = 8 << 10;
const ANSWER: Duration = Duration::from_secs(30);
const FOLLOWERS: usize = 24;
/// Maximum records sent per series.
const POINTS: u64 = 5_000;
/// Maximum answers with a run's data that are being sent at the same time: these few megabytes each
/// are all that clients which don't read can keep in memory.
const ANSWERS: usize = 16;

/// The state that every handler needs.
#[derive(Clone)]
pub struct App {
    pub shelf: Arc<Mutex<Shelf>>,
    pub control: Option<Control>,
    pub player: Player,
    pub desk: Desk,
    followers: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

type Refused = (StatusCode, String);
/// What a handler returns.
pub type Answer<T> = Result<T, Refused>;

impl App {
    /// An app that serves these runs, with so much power for the playground, and the lessons.
    pub fn new(
        shelf: Shelf,
        control: Option<Control>,
        power: Power,
        teacher: Arc<dyn Teacher>,
    ) -> App {
        App {
            shelf: Arc::new(Mutex::new(shelf)),
            control,
            player: Player::new(power),
            desk: Desk::new(teacher, power.lowest),
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            answers: Arc::new(Semaphore::new(ANSWERS)),
        }
    }

    /// The runs, still usable if a thread panicked while holding the lock.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder of a run.
    pub fn folder(&self, id: usize) -> Answer<PathBuf> {
        Ok(self.shelf().folder(id)?.to_path_buf())
    }
}

impl From<Missing> for Refused {
    fn from(why: Missing) -> Refused {
        let code = match why {
            Missing::Unknown => StatusCode::NOT_FOUND,
            Missing::Gone => StatusCode::GONE,
            Missing::Unreadable | Missing::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        (code, why.to_string())
    }
}

fn failed(error: impl ToString) -> Refused {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// All routes and `more` of them, behind the guard.
pub fn router(app: App, names: Names, more: Router<App>) -> Router {
    let large = Router::new()
        .route("/api/runs/{id}/events", get(events))
        .route("/api/runs/{id}/event/{serial}", get(event))
        .route("/api/runs/{id}/series", get(series))
        .route("/api/runs/{id}/graph", get(graph))
        .route("/api/runs/{id}/landscape", get(landscape))
        .route("/api/runs/{id}/originality", get(originality))
        .route("/api/runs/{id}/crowd", get(crowd))
        .route_layer(from_fn_with_state(app.answers.clone(), few));
    Router::new()
        .route("/", get(|| async { asset(Path(String::new())).await }))
        .route("/{*name}", get(asset))
        .route("/api/runs", get(runs))
        .route("/api/runs/{id}/follow", get(follow))
        .route("/api/runs/{id}/settings", get(settings))
        .route("/api/runs/{id}/checkpoints", get(checkpoints))
        .route("/api/control", post(control))
        .merge(large)
        .layer(RequestBodyLimitLayer::new(BODY))
        .merge(more)
        .with_state(app)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            ANSWER,
        ))
        .layer(from_fn_with_state(Arc::new(names), guard))
}

/// Makes answers wait until few others are being sent.
async fn few(State(answers): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(permit) = answers.acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (head, body) = next.run(request).await.into_parts();
    let body = body.into_data_stream().map(move |piece| {
        let _held = &permit;
        piece
    });
    Response::from_parts(head, Body::from_stream(body))
}

async fn asset(Path(name): Path<String>) -> Response {
    match assets::find(&name) {
        Some((kind, text)) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        None => (StatusCode::NOT_FOUND, "no such page").into_response(),
    }
}

async fn runs(State(app): State<App>) -> Json<Value> {
    let runs = app.shelf().offered();
    Json(json!({
        "runs": runs,
        "race": app.shelf().race(),
        "compared": app.shelf().is_comparison(),
        "control": app.control.is_some(),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn events(
    State(app): State<App>,
    Path(id): Path<usize>,
    Query(from): Query<After>,
) -> Answer<Json<Value>> {
    let mut shelf = app.shelf();
    let run = shelf.get(id)?;
    let news = run.look().clone();
    Ok(Json(
        json!({"news": news, "events": run.events(from.after)}),
    ))
}

async fn event(State(app): State<App>, Path((id, serial)): Path<(usize, u64)>) -> Answer<Response> {
    let mut shelf = app.shelf();
    let run = shelf.get(id)?;
    let line = run.event_line(serial).map_err(failed)?;
    let line = line.ok_or_else(|| (StatusCode::NOT_FOUND, "no such event".to_owned()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], line).into_response())
}

#[derive(Deserialize)]
struct Range {
    /// Names of series, separated by commas.
    names: String,
    from: Option<f64>,
    to: Option<f64>,
    points: Option<u64>,
}

/// Columns: `first`, `last`, `time`, and for each series `least`, `most` and `mean`.
async fn series(
    State(app): State<App>,
    Path(id): Path<usize>,
    Query(range): Query<Range>,
) -> Answer<Json<Value>> {
    let names: Vec<&str> = range.names.split(',').collect();
    let find = |name: &&str| SERIES.iter().position(|s| s == name);
    let places: Option<Vec<usize>> = names.iter().map(find).collect();
    let unknown = || {
        (
            StatusCode::BAD_REQUEST,
            format!("names must be among {}", SERIES.join(", ")),
        )
    };
    let places = places.ok_or_else(unknown)?;
    let mut shelf = app.shelf();
    let run = shelf.get(id)?;
    let points = range.points.unwrap_or(2000).clamp(1, POINTS);
    let (from, to) = (range.from.unwrap_or(0.0), range.to.unwrap_or(f64::MAX));
    let slice = run.pyramid().slice(from, to, points).map_err(failed)?;
    let column = |number: &dyn Fn(&crate::pyramid::Record) -> f64| -> Value {
        slice.iter().map(|r| json!(number(r))).collect()
    };
    let single = |at: usize, which: usize| -> Value {
        let each = slice.iter().map(|r| json!(r.series[at][which]));
        each.collect()
    };
    let mut columns = Map::new();
    columns.insert("first".into(), column(&|r| r.steps.0));
    columns.insert("last".into(), column(&|r| r.steps.1));
    columns.insert("time".into(), column(&|r| r.time));
    for (name, at) in names.iter().zip(places) {
        let [least, most, mean] = [0, 1, 2].map(|which| single(at, which));
        columns.insert(
            (*name).into(),
            json!({"least": least, "most": most, "mean": mean}),
        );
    }
    Ok(Json(columns.into()))
}

async fn follow(State(app): State<App>, Path(id): Path<usize>) -> Answer<Response> {
    let full = || {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many open pages".to_owned(),
        )
    };
    let permit = app
        .followers
        .clone()
        .try_acquire_owned()
        .map_err(|_| full())?;
    let news = app.shelf().follow(id)?;
    let stream = WatchStream::new(news).map(move |news| {
        let _held = &permit;
        Event::default().json_data(news)
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(stream).keep_alive(alive).into_response())
}

async fn settings(State(app): State<App>, Path(id): Path<usize>) -> Answer<Json<Value>> {
    Ok(Json(describe::settings(&app.folder(id)?)))
}

#[derive(Deserialize)]
struct Vocabulary {
    vocabulary: usize,
}

async fn graph(
    State(app): State<App>,
    Path(id): Path<usize>,
    Query(of): Query<Vocabulary>,
) -> Answer<Json<Value>> {
    // Recording a model allocates no weights, but absurd sizes are capped all the same.
    let vocabulary = of.vocabulary.min(1 << 20);
    Ok(Json(describe::graph(&app.folder(id)?, vocabulary)))
}

async fn checkpoints(State(app): State<App>, Path(id): Path<usize>) -> Answer<Json<Value>> {
    let folder = app.folder(id)?;
    let folder = run::RunFolder::open(Arc::new(run::Disk), &folder).map_err(failed)?;
    let list = folder.checkpoints().list().map_err(failed)?;
    let list = list.iter().map(|c| json!({"step": c.step, "loss": c.loss}));
    Ok(Json(list.collect()))
}

async fn landscape(State(app): State<App>, Path(id): Path<usize>) -> Answer<Response> {
    probe(&app, id, "landscape.json")
}

async fn originality(State(app): State<App>, Path(id): Path<usize>) -> Answer<Response> {
    probe(&app, id, "originality.json")
}

async fn crowd(State(app): State<App>, Path(id): Path<usize>) -> Answer<Response> {
    probe(&app, id, "crowd.json")
}

/// A file of the run's `probes/`, or null.
fn probe(app: &App, id: usize, name: &str) -> Answer<Response> {
    let path = app.folder(id)?.join("probes").join(name);
    match std::fs::read(&path) {
        Ok(text) => Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response()),
        Err(_) => Ok(Json(Value::Null).into_response()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    token: String,
    action: String,
}

async fn control(State(app): State<App>, Json(order): Json<Order>) -> Answer<Json<Value>> {
    let off = "control is off: start training with --allow-control";
    let control = app.control.as_ref();
    let control = control.ok_or_else(|| (StatusCode::FORBIDDEN, off.to_owned()))?;
    match control.act(&order.token, &order.action) {
        true => Ok(Json(json!({"done": order.action}))),
        false => Err((
            StatusCode::FORBIDDEN,
            "wrong token or unknown action".into(),
        )),
    }
}
