//! Generates a text piece by piece.

use crate::error::Result;
use crate::sampling::{LogProbability, Sampling, TokenSampler};
use crate::session::Session;
use crate::stop::StopTexts;
use text::{Tokenizer, Utf8Stream};

/// The initial tokens: the prompt's, or, for an empty prompt, a line break (or the end-of-text
/// token) so that a new text starts.
///
/// # Errors
/// If the prompt has a character that the tokenizer doesn't know.
pub fn begin(tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>> {
    if !prompt.is_empty() {
        return Ok(tokenizer.encode(prompt.as_bytes())?);
    }
    Ok(tokenizer
        .encode(b"\n")
        .unwrap_or_else(|_| vec![tokenizer.end_of_text()]))
}

/// A text without the characters that have no token, and these characters, each once.
pub fn known_only(tokenizer: &Tokenizer, text: &str) -> (String, Vec<char>) {
    if tokenizer.encode(text.as_bytes()).is_ok() {
        return (text.to_owned(), Vec::new());
    }
    let known = |c: &char| {
        let bytes = &mut [0; 4];
        tokenizer.encode(c.encode_utf8(bytes).as_bytes()).is_ok()
    };
    let (kept, mut unknown): (Vec<char>, Vec<char>) = text.chars().partition(known);
    unknown.sort_unstable();
    unknown.dedup();
    (kept.into_iter().collect(), unknown)
}

/// What is generated.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// Maximum number of tokens.
    pub tokens: usize,
    /// How they are drawn.
    pub sampling: Sampling,
    /// The text ends before the first of these that occurs in it.
    pub stop: Vec<String>,
    /// Also compute the log-probability of each token, and of this many of the most likely ones.
    pub log_probabilities: Option<usize>,
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has the maximum number of tokens.
    Length,
    /// The model ended it.
    EndOfText,
    /// A stop text occurred.
    Stop,
    /// The caller ended it.
    Caller,
}

impl Ending {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Length => "length",
            Ending::EndOfText => "end_of_text",
            Ending::Stop => "stop",
            Ending::Caller => "interrupted",
        }
    }
}

/// What a step adds to a text.
#[derive(Debug)]
pub struct Piece {
    /// Text that is now complete: whole characters, and no beginning of a stop text.
    pub text: String,
    /// The token of this step and its log-probability, if asked for. The last piece has no token.
    pub log_probability: Option<LogProbability>,
}

/// Generates a text after `prompt` and passes on each piece. Ends early if `piece` returns false.
///
/// # Errors
/// If a sampling setting is out of range, the session has no room for a sequence, or the device
/// fails.
pub fn write(
    session: &mut Session,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    writing: &Writing,
    mut piece: impl FnMut(Piece) -> bool,
) -> Result<Ending> {
    let mut sampler = TokenSampler::new(writing.sampling, prompt)?;
    let id = session.sequence()?;
    let (mut stream, mut stop) = (Utf8Stream::new(), StopTexts::new(&writing.stop));
    let mut write = || -> Result<Ending> {
        session.feed(&[(id, prompt)])?;
        for i in 0..writing.tokens {
            let token = session.draw(id, &mut sampler)?;
            if token == tokenizer.end_of_text() {
                return Ok(Ending::EndOfText);
            }
            let top = writing.log_probabilities;
            let logits = session.logits(id)?;
            let log_probability = top.map(|top| LogProbability::of(token, logits, top));
            let (text, stopped) = stop.push(&stream.push(&tokenizer.decode(&[token])));
            let more = piece(Piece {
                text,
                log_probability,
            });
            if stopped {
                return Ok(Ending::Stop);
            }
            if !more {
                return Ok(Ending::Caller);
            }
            if i + 1 < writing.tokens {
                session.feed(&[(id, &[token])])?;
            }
        }
        Ok(Ending::Length)
    };
    let ending = write();
    session.release(id);
    if !matches!(ending, Ok(Ending::Stop)) {
        // The end of a text may cut a character, and what waits wasn't a stop text.
        let (mut text, stopped) = stop.push(&stream.finish());
        if !stopped {
            text += &stop.finish();
        }
        piece(Piece {
            text,
            log_probability: None,
        });
    }
    ending
}

/// [`write`] without stop texts and log-probabilities: generates up to `count` tokens and passes
/// on each piece of valid UTF-8 as soon as it is complete.
///
/// # Errors
/// As [`write`].
pub fn write_text(
    session: &mut Session,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    count: usize,
    sampling: &Sampling,
    mut piece: impl FnMut(&str) -> bool,
) -> Result<()> {
    let writing = Writing {
        tokens: count,
        sampling: *sampling,
        ..Writing::default()
    };
    write(session, tokenizer, prompt, &writing, |p| piece(&p.text)).map(drop)
}
