//! What the server's threads exchange: a job for each text, and events about it.

use session::{Ending, LogProbability, Sampling};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Sender;

/// A text to write.
pub struct TextJob {
    /// Its number among the texts of its request.
    pub index: usize,
    /// The prompt's tokens: 1 to as many as the context has.
    pub prompt: Arc<[u32]>,
    /// Maximum number of tokens to write.
    pub tokens: usize,
    pub sampling: Sampling,
    pub stop: Vec<String>,
    /// Number of alternatives for each token, if log-probabilities are wanted.
    pub logprobs: Option<usize>,
    /// Whether the log-probabilities of the prompt's tokens are wanted too.
    pub score: bool,
    /// The text ends before one of these tokens.
    pub ends: Arc<[u32]>,
    /// Where the events go. If nobody receives them any more, the text isn't written any further.
    pub events: Sender<TextEvent>,
    /// No token is drawn while the channel has less room than this. See [`room`].
    pub room: usize,
    /// Its place among all texts that are running or waiting.
    pub _place: OwnedSemaphorePermit,
}

/// Room that a channel for this many texts needs before each token, so that no event is lost: every
/// text may send a piece, what waited, and its end.
pub fn room(texts: usize) -> usize {
    3 * texts
}

/// What happened to a text.
#[derive(Debug)]
pub struct TextEvent {
    /// The number of its job.
    pub index: usize,
    pub what: TextChange,
}

#[derive(Debug)]
pub enum TextChange {
    /// The log-probabilities of the prompt's tokens but the first.
    Scores(Vec<LogProbability>),
    /// A token and the text that is complete with it. The last one has no token.
    Piece(String, Option<LogProbability>),
    /// The end, after this many tokens, or why it failed.
    End(Result<Ending, String>, usize),
}
