//! Lets a model write a text, piece by piece.

use crate::error::Result;
use engine::Device;
use model::{Draw, Generator};
use text::{Tokenizer, Utf8Stream};

/// The tokens to begin with: the prompt's, or, where there is none, a line break (else the end of
/// an earlier text) so that a new text begins.
///
/// # Errors
/// Where the prompt has a character that the model never saw.
pub fn begin(tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>> {
    if !prompt.is_empty() {
        return Ok(tokenizer.encode(prompt.as_bytes())?);
    }
    Ok(tokenizer
        .encode(b"\n")
        .unwrap_or_else(|_| vec![tokenizer.end_of_text()]))
}

/// Writes up to `count` tokens after `prompt`, giving each piece of valid UTF-8 to `piece` as soon
/// as it is whole. Ends early at the end of a text, or where `piece` says so.
///
/// # Errors
/// Where the device fails.
pub fn write_text(
    device: &mut dyn Device,
    generator: &mut Generator,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    count: usize,
    draw: &Draw,
    mut piece: impl FnMut(&str) -> bool,
) -> Result<()> {
    let mut stream = Utf8Stream::new();
    generator.begin(device, prompt)?;
    for i in 0..count {
        let token = generator.draw(draw);
        if token == tokenizer.end_of_text() {
            break;
        }
        if !piece(&stream.push(&tokenizer.decode(&[token]))) {
            break;
        }
        if i + 1 < count {
            generator.read(device, &[token])?;
        }
    }
    piece(&stream.finish());
    Ok(())
}
