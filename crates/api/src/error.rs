//! What goes wrong: when the server starts, and in a request.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The longest key in bytes.
pub const LONGEST_KEY: usize = 512;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address isn't available.
    #[error("can't listen on {address}: {error}; choose another port with --port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        error: std::io::Error,
    },
    /// A thread or the runtime couldn't start.
    #[error("can't start the server: {0}")]
    Start(std::io::Error),
    /// An address that others can reach needs a key.
    #[error("{0} can be reached from other machines: it needs --api-key-file")]
    NoKey(std::net::IpAddr),
    /// The key can't be used.
    #[error(
        "the API key must be one line of 1 to {} visible ASCII characters",
        LONGEST_KEY
    )]
    Key,
    /// The chat template can't be read.
    #[error("{path}: {reason}")]
    Template {
        /// Its file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// JSON as an answer, without raw characters that could control a terminal.
#[derive(Debug)]
pub struct Json(pub Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (kind, watch::escaped_json(&self.0.to_string())).into_response()
    }
}

/// An error in OpenAI's form.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    pub message: String,
    /// The field that is wrong.
    pub param: Option<String>,
    pub code: Option<&'static str>,
}

/// Result of a request.
pub type Granted<T> = std::result::Result<T, Refusal>;

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            message: message.into(),
            param: None,
            code: None,
        }
    }

    /// A request whose field `param` is wrong.
    pub fn field(param: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            param: Some(param.to_owned()),
            ..Refusal::new(StatusCode::BAD_REQUEST, message)
        }
    }

    pub fn coded(self, code: &'static str) -> Refusal {
        Refusal {
            code: Some(code),
            ..self
        }
    }

    /// The server failed, not the request.
    pub fn failed(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// Its JSON.
    pub fn json(&self) -> Value {
        let kind = match self.status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        json!({"error": {
            "message": self.message, "type": kind, "param": self.param, "code": self.code,
        }})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        let extra = match self.status {
            StatusCode::TOO_MANY_REQUESTS => Some((header::RETRY_AFTER, "1")),
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            // What is left of a body isn't read.
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                Some((header::CONNECTION, "close"))
            }
            _ => None,
        };
        if let Some((name, value)) = extra {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
