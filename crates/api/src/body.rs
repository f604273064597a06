//! Reads a request's body within limits of size, time and depth.

use crate::completion::{CompletionRequest, Endpoint};
use crate::error::{Granted, Refusal};
use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Maximum size of a body and time until it is complete.
const BYTES: usize = 2 << 20;
const TIME: Duration = Duration::from_secs(30);
/// How deep JSON may be nested.
const DEPTH: usize = 64;
/// Memory of all bodies that are being received.
pub const ALL_BYTES: usize = 64 << 20;

/// Reads a body; `memory` has a permit for each byte of all bodies.
pub async fn receive(body: Body, memory: &Semaphore) -> Granted<Vec<u8>> {
    let large = || {
        let limit = format!("the body is larger than {BYTES} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, limit)
    };
    let reading = async {
        let (mut body, mut bytes, mut held) = (body, Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body can't be read");
            let Ok(data) = frame.map_err(broken)?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > BYTES {
                return Err(large());
            }
            let busy = |_| {
                let message = "too many bodies are being received; try again";
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, message)
            };
            held.push(memory.try_acquire_many(data.len() as u32).map_err(busy)?);
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    };
    let late = |_| {
        let message = format!("the body didn't arrive within {} s", TIME.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
    };
    timeout(TIME, reading).await.map_err(late)?
}

/// Whether arrays and objects are nested deeper than allowed. Counts brackets outside strings.
fn is_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

/// Parses a body.
pub fn parse<T: DeserializeOwned>(json: &[u8]) -> Granted<T> {
    if is_deep(json) {
        let message = format!("the body is nested more than {DEPTH} levels deep");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    }
    let json = &mut serde_json::Deserializer::from_slice(json);
    let parsed = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // The names of all fields that exist wouldn't help.
        let message = message
            .split(", expected one of")
            .next()
            .unwrap_or_default();
        let message: String = message.chars().take(300).collect();
        Refusal {
            param: (path != ".").then(|| path.chars().take(100).collect()),
            ..Refusal::new(StatusCode::BAD_REQUEST, format!("invalid body: {message}"))
        }
    })?;
    json.end()
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("invalid body: {error}")))?;
    Ok(parsed)
}

/// Checks a body of the completions (or with `chat` the chat completions) route as the server does
/// before it uses the model, and returns the message of the error: for tests and fuzzing.
///
/// # Errors
/// What is wrong with the body.
pub fn check(json: &[u8], chat: bool) -> std::result::Result<(), String> {
    let kind = if chat { Endpoint::Chat } else { Endpoint::Text };
    let wish: Granted<CompletionRequest> = parse(json);
    let checked = wish.and_then(|wish| wish.check(kind).map(drop));
    checked.map_err(|refusal| refusal.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use std::convert::Infallible;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_refused_after_30_seconds() {
        let start = tokio::time::Instant::now();
        let begun = tokio_stream::iter([Ok::<_, Infallible>(Bytes::from("{"))]);
        let body = Body::from_stream(tokio_stream::StreamExt::chain(
            begun,
            tokio_stream::pending(),
        ));
        let refusal = receive(body, &Semaphore::new(ALL_BYTES)).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[test]
    fn nesting_is_counted_outside_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_deep(nested(DEPTH).as_bytes()));
        assert!(is_deep(nested(DEPTH + 1).as_bytes()));
        assert!(!is_deep(format!("\"\\\"{}\"", "[".repeat(99)).as_bytes()));
        assert!(!is_deep("[]".repeat(99).as_bytes()));
        assert!(is_deep(format!("\"\\\\\"{}", "{".repeat(65)).as_bytes()));
    }
}
