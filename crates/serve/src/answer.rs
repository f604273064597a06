//! What the playground and the lessons are told: lines of JSON, each sent as soon as it is known.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// A possible next token.
#[derive(Debug, Serialize)]
pub struct Alternative {
    pub id: u32,
    /// Its bytes as hex digits: a token may be a part of a character.
    pub bytes: String,
    /// Whether it ends the text.
    pub end: bool,
    /// The model's own probability, and the one after all settings.
    pub before: f64,
    pub after: f64,
}

/// A line of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The model isn't in memory yet.
    Loading,
    /// The prompt as the model reads it.
    Prompt {
        text: String,
        tokens: Vec<u32>,
        /// Characters that were left out.
        left_out: Vec<char>,
    },
    /// A token, its bytes as hex digits, and its surprise before any setting.
    Token { id: u32, bytes: String, nats: f64 },
    /// Why the text ended: `length`, `end_of_text` or `time`.
    End(&'static str),
    /// A distribution.
    Look {
        choices: Vec<Alternative>,
        /// How many tokens are not among the choices, and their probability before and after.
        others: (usize, f64, f64),
        /// How many tokens can be drawn.
        drawable: usize,
        /// Among how many equally likely tokens a choice would be as uncertain, before and after:
        /// e to the power of the entropy.
        among: (f64, f64),
    },
    /// A text as read.
    Score {
        tokens: Vec<u32>,
        bytes: Vec<String>,
        /// Nats of each token but the first.
        nats: Vec<f32>,
        bits_per_byte: f64,
        /// The text is read in windows of so many tokens.
        context: usize,
        left_out: Vec<char>,
    },
    /// What was seen inside the model.
    Inside(Box<run::Inside>),
    /// What went wrong; `unknown` are the characters of the text that the model doesn't know.
    Error { message: String, unknown: Vec<char> },
}

impl Reply {
    /// An error with this message.
    pub fn error(message: String) -> Reply {
        Reply::Error {
            message,
            unknown: Vec::new(),
        }
    }
}

/// The way to the client that asked.
pub struct Client<T = Reply> {
    lines: UnboundedSender<T>,
    gone: Arc<AtomicBool>,
}

impl<T> Client<T> {
    /// A client, and the lines that are sent to it.
    pub fn new() -> (Client<T>, Lines<T>) {
        let (sender, receiver) = unbounded_channel();
        let gone = Arc::new(AtomicBool::new(false));
        let client = Client {
            lines: sender,
            gone: gone.clone(),
        };
        let held = Held(gone);
        (client, Lines { receiver, held })
    }

    /// Sends a line; returns whether the client is still there.
    pub fn tell(&self, line: T) -> bool {
        self.lines.send(line).is_ok()
    }

    /// A flag that is set when the client is gone.
    pub fn gone(&self) -> &AtomicBool {
        &self.gone
    }
}

/// The lines for a client.
pub struct Lines<T = Reply> {
    /// Those so far and to come.
    pub receiver: UnboundedReceiver<T>,
    /// When it is dropped, the task ends.
    pub held: Held,
}

/// Sets a flag when it is dropped.
pub struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An answer of lines, each sent as soon as it is there.
pub fn stream<T: Serialize + Send + 'static>(lines: Lines<T>) -> Response {
    let stream = UnboundedReceiverStream::new(lines.receiver).map(move |line| {
        let _held = &lines.held;
        Ok::<_, Infallible>(text(&line))
    });
    ndjson(Body::from_stream(stream))
}

/// A line.
pub fn text(line: &impl Serialize) -> String {
    // Lines have no maps with other keys than texts.
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

/// An answer whose body has lines of JSON.
pub fn ndjson(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
