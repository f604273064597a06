//! `downhill tokenize`: how a text is split into tokens.

use crate::arguments::Tokenize;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::open;
use crate::terminal;
use run::Which;
use std::io::{Read, Write, stdin};
use std::path::Path;
use text::Tokenizer;

/// Background colors of successive pieces; the text on them is black.
const COLORS: [u8; 4] = [157, 153, 222, 218];

pub fn run(a: &Tokenize) -> Result<()> {
    let tokenizer = tokenizer(a.tokenizer.as_deref())?;
    let mut text = Vec::new();
    if a.text == "-" {
        let read = stdin().lock().read_to_end(&mut text);
        read.map_err(|e| Failure::Failed(format!("standard input can't be read: {e}")))?;
    } else {
        text.extend_from_slice(a.text.as_bytes());
    }
    let ids = tokenizer.encode_on(&text, engine::cores())?;
    let pieces = ids.iter().map(|&id| shown(&tokenizer.decode(&[id])));
    let mut out = out();
    let per_token = text.len() as f64 / ids.len().max(1) as f64;
    if a.json {
        let object = serde_json::json!({
            "ids": ids,
            "tokens": pieces.collect::<Vec<String>>(),
            "bytes": text.len(),
            "bytes_per_token": per_token,
        });
        writeln!(out, "{}", output::json(&object)?)?;
        return Ok(());
    }
    let mut line = Vec::new();
    for (at, piece) in pieces.enumerate() {
        // Control characters would act on the terminal.
        let piece: String = piece.chars().flat_map(visible).collect();
        if terminal::color() {
            let color = COLORS[at % COLORS.len()];
            // The line breaks after the color ends.
            let (shown, rest) = piece.split_at(piece.trim_end_matches('\n').len());
            write!(line, "\x1b[30;48;5;{color}m{shown}\x1b[0m{rest}")?;
        } else {
            write!(
                line,
                "{}{piece}",
                if at == 0 || line.ends_with(b"\n") {
                    ""
                } else {
                    "|"
                }
            )?;
        }
    }
    out.write_all(&line)?;
    if !line.is_empty() && !line.ends_with(b"\n") {
        writeln!(out)?;
    }
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    writeln!(out, "ids     {}", ids.join(" "))?;
    writeln!(
        out,
        "tokens  {} for {} bytes, {per_token:.2} bytes per token; {}, vocabulary {}",
        ids.len(),
        text.len(),
        tokenizer.kind().name(),
        tokenizer.vocabulary_size()
    )?;
    Ok(())
}

/// The tokenizer at a path; for a run, that of its last checkpoint.
fn tokenizer(path: Option<&Path>) -> Result<Tokenizer> {
    match path {
        Some(path) if !path.join("run.toml").is_file() => Ok(Tokenizer::open(path)?),
        run => {
            let checkpoint = open(run)?.checkpoints().open(Which::Last)?;
            Ok(::session::tokenizer(&checkpoint)?)
        }
    }
}

/// A token's bytes as text; invalid UTF-8 in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("<{byte:02X}>")));
    }
    text
}

/// A character, or a visible symbol for a control character.
fn visible(c: char) -> impl Iterator<Item = char> {
    let pictures = match c {
        '\n' => ['\u{21B5}', '\n'],
        '\t' => ['\u{21E5}', '\0'],
        c if watch::hidden(c) => [char::REPLACEMENT_CHARACTER, '\0'],
        c => [c, '\0'],
    };
    pictures.into_iter().filter(|&c| c != '\0')
}
