//! Text from outside (paths, names, what a model writes) reaches a terminal only through this file
//! or the crate `watch`.

use serde::Serialize;
use std::io::{self, IsTerminal, StdoutLock, Write, stdout};
#[cfg(unix)]
use std::sync::Arc;

/// Standard output. On a terminal, characters that could control it are replaced by visible ones; a
/// pipe gets every byte as it is.
pub fn out() -> Out<StdoutLock<'static>> {
    Out {
        safe: stdout().is_terminal(),
        cut: Vec::new(),
        to: stdout().lock(),
    }
}

/// See [`out`].
pub struct Out<W: Write> {
    safe: bool,
    /// The beginning of a character whose other bytes are still to come.
    cut: Vec<u8>,
    to: W,
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.safe {
            return self.to.write(bytes);
        }
        let mut all = std::mem::take(&mut self.cut);
        all.extend_from_slice(bytes);
        if let Err(error) = std::str::from_utf8(&all)
            && error.error_len().is_none()
        {
            self.cut = all.split_off(error.valid_up_to());
        }
        let text = watch::lines(&String::from_utf8_lossy(&all));
        self.to.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Makes a write beyond the limit of a file's size (ulimit -f) an error like others.
pub fn catch_signals() {
    #[cfg(unix)]
    {
        // If it can't be caught, it ends the program, as it would have.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    }
}

/// Whether the command line has this flag, also where it couldn't be read.
pub fn has_flag(name: &str) -> bool {
    std::env::args_os().any(|argument| argument == name)
}

/// Prints an error on standard error: as one JSON object where `--json` was given.
pub fn tell_error(text: &str, code: u8) {
    if has_flag("--json") {
        let object = serde_json::json!({ "error": text, "code": code });
        if let Ok(line) = json(&object) {
            tell(&line);
        }
    } else {
        tell(text);
    }
}

/// Prints a message for people on standard error, whatever it quotes from outside.
pub fn tell(text: &str) {
    // A message that can't be printed is lost.
    let _ = writeln!(io::stderr(), "{}", watch::lines(text));
}

/// A value as one line of JSON. Characters that could control a terminal are escaped.
pub fn json(value: &impl Serialize) -> io::Result<String> {
    Ok(watch::escaped_json(&serde_json::to_string(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_controls_a_terminal_and_a_pipe_gets_it_raw() {
        let hostile = "a\x1b]0;t\x07\u{9b}2J\u{202e}\u{200b}山\u{e0041}\n";
        let through = |safe| {
            let (mut out, cut) = (Vec::new(), Vec::new());
            let mut to = Out {
                safe,
                cut,
                to: &mut out,
            };
            // Byte by byte: characters come in pieces.
            hostile.bytes().for_each(|b| to.write_all(&[b]).unwrap());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(through(false), hostile);
        assert_eq!(
            through(true),
            "a␛]0;t␇\u{fffd}2J\u{fffd}\u{fffd}山\u{fffd}\n"
        );
        let text = json(&hostile).unwrap();
        assert!(!text.contains(watch::hidden), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}
