//! The routes.

use crate::access::{Access, guard};
use crate::body::receive;
use crate::completion::{CompletionRequest, Endpoint};
use crate::error::{Granted, Json, Refusal};
use crate::openapi;
use crate::served::{Served, blocking};
use crate::tokens;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// All routes, behind the guard.
pub fn router(served: Arc<Served>, access: Access) -> Router {
    Router::new()
        .route("/v1/completions", post(completions))
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/models", get(models))
        .route("/v1/models/{name}", get(model))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/tokenizer_info", get(tokens::info))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(async || Json(openapi::document())))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is no such route"))
        .method_not_allowed_fallback(async || {
            let message = "this route doesn't support that method";
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
        })
        .with_state(served)
        .layer(from_fn_with_state(Arc::new(access), guard))
}

async fn completions(State(served): State<Arc<Served>>, body: Body) -> Granted<Response> {
    complete(served, Endpoint::Text, body).await
}

async fn chat_completions(State(served): State<Arc<Served>>, body: Body) -> Granted<Response> {
    complete(served, Endpoint::Chat, body).await
}

async fn complete(served: Arc<Served>, kind: Endpoint, body: Body) -> Granted<Response> {
    let bytes = receive(body, &served.bodies).await?;
    let reader = served.clone();
    let request = blocking(move || reader.read(kind, &bytes)).await?;
    let events = served.start(&request)?;
    if !request.checked.stream {
        return Ok(Json(request.whole(events).await?).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    Ok((kind, Body::from_stream(request.pieces(events))).into_response())
}

fn described(served: &Served) -> Value {
    json!({
        "id": served.name, "object": "model", "created": served.created, "owned_by": "downhill",
        "max_model_len": served.context,
    })
}

async fn models(State(served): State<Arc<Served>>) -> Json {
    Json(json!({"object": "list", "data": [described(&served)]}))
}

async fn model(State(served): State<Arc<Served>>, Path(name): Path<String>) -> Granted<Json> {
    CompletionRequest::check_model(Some(&name), &served.name)?;
    Ok(Json(described(&served)))
}

async fn health(State(served): State<Arc<Served>>) -> Granted<Json> {
    match served.ended.load(Ordering::Relaxed) {
        false => Ok(Json(json!({"status": "ok"}))),
        true => {
            let message = "the model has stopped";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message))
        }
    }
}

async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, served.metrics.text()).into_response()
}
