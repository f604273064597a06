//! Generates a text piece by piece.

use crate::error::Result;
use crate::sampling::Sampling;
use crate::session::Session;
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

/// Generates up to `count` tokens after `prompt` and passes each piece of valid UTF-8 to `piece` as
/// soon as it is complete. Ends early at the end of a text, or if `piece` returns false.
///
/// # Errors
/// If the session has no room for a sequence, or the device fails.
pub fn write_text(
    session: &mut Session,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    count: usize,
    sampling: &Sampling,
    mut piece: impl FnMut(&str) -> bool,
) -> Result<()> {
    let id = session.sequence()?;
    let mut stream = Utf8Stream::new();
    let mut write = || -> Result<()> {
        session.feed(&[(id, prompt)])?;
        for i in 0..count {
            let token = session.draw(id, sampling)?;
            if token == tokenizer.end_of_text() {
                break;
            }
            if !piece(&stream.push(&tokenizer.decode(&[token]))) {
                break;
            }
            if i + 1 < count {
                session.feed(&[(id, &[token])])?;
            }
        }
        Ok(())
    };
    let written = write();
    session.release(id);
    piece(&stream.finish());
    written
}
