//! What standard output is: a terminal of some width, or a pipe.

use crate::failure::{Failure, Result};
use std::io::{IsTerminal, stdin, stdout};

/// Columns of the terminal; `None` in a pipe.
pub fn width() -> Option<usize> {
    if !stdout().is_terminal() {
        return None;
    }
    Some(terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)))
}

/// Whether colors may be used: in a terminal, unless `NO_COLOR` is set (no-color.org).
pub fn color() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    stdout().is_terminal() && !refused && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Whether somebody is at the terminal: input and output are one, and the program runs in the
/// foreground, so that it may read.
pub fn is_attended() -> bool {
    #[cfg(unix)]
    let foreground = {
        let of_terminal = rustix::termios::tcgetpgrp(stdin()).ok();
        of_terminal == Some(rustix::process::getpgrp())
    };
    #[cfg(not(unix))]
    let foreground = true;
    foreground && stdout().is_terminal() && stdin().is_terminal()
}

/// Fails unless standard input and output are a terminal.
pub fn needed(flag: &str) -> Result<()> {
    match stdout().is_terminal() && stdin().is_terminal() {
        true => Ok(()),
        false => Err(Failure::Usage(format!(
            "{flag} needs a terminal: omit it in a pipe"
        ))),
    }
}
