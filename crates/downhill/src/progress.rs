//! A progress line for work that takes time, on standard error and in a terminal only.

use crate::arguments::TrainFlags;
use crate::failure::{Failure, Result};
use crate::session::threads;
use ::train::Corpus;
use data::{JobControl, Progress, Stage};
use model::Config;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Time between two updates, and before the first one: short work shows no line.
const EVERY: Duration = Duration::from_millis(200);

/// Cells of the bar.
const CELLS: u64 = 16;

/// Reads a text, with a progress line if that takes time.
pub fn with_progress<E: Into<Failure>>(
    config: &Config,
    f: &TrainFlags,
    stop: &AtomicBool,
    read: impl FnOnce(&JobControl) -> std::result::Result<Corpus, E>,
) -> Result<Corpus> {
    let line = ProgressLine::new(f.json || f.quiet);
    let show = |progress| line.show(progress);
    let mut control = JobControl::new(threads(config.train.threads)?, stop, &show);
    control.cache_limit = f.cache_limit;
    read(&control).map_err(Into::into)
}

/// The progress line.
pub struct ProgressLine {
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    stage: String,
    began: Instant,
    shown: Instant,
    visible: bool,
}

impl ProgressLine {
    /// A line that isn't shown yet.
    pub fn new(quiet: bool) -> ProgressLine {
        let now = Instant::now();
        ProgressLine {
            terminal: !quiet && stderr().is_terminal(),
            state: Mutex::new(State {
                stage: String::new(),
                began: now,
                shown: now,
                visible: false,
            }),
        }
    }

    /// Shows the progress of preparing a text.
    pub fn show(&self, p: Progress) {
        self.update(&format!("{:?}", p.stage), |spent| line(p, spent));
    }

    /// Shows how much of some work is done.
    pub fn count(&self, what: &str, done: usize, total: usize) {
        let (done, total) = (done as u64, total as u64);
        self.update(what, |spent| {
            let (bar, left) = bar(done, total, spent);
            let rate = done as f64 / spent.as_secs_f64().max(1e-3);
            format!("{what} {bar} · {done} of {total} · {rate:.1}/s · {left} left")
        });
    }

    /// Shows a line, at most once every [`EVERY`]; its text is given the time since the stage
    /// began.
    fn update(&self, stage: &str, text: impl FnOnce(Duration) -> String) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        let now = Instant::now();
        if state.stage != stage {
            (state.stage, state.began) = (stage.to_owned(), now);
        }
        if !self.terminal || now - state.shown < EVERY {
            return;
        }
        (state.shown, state.visible) = (now, true);
        // A line that wraps can't be overwritten.
        let width = terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0));
        let room = if width > 0 { width - 1 } else { 79 };
        let line: String = text(now - state.began).chars().take(room).collect();
        // A terminal that goes away doesn't stop the work.
        let _ = write!(stderr(), "\r{line}\x1b[K").and_then(|()| stderr().flush());
    }
}

impl Drop for ProgressLine {
    /// Clears the line.
    fn drop(&mut self) {
        if self.state.lock().is_ok_and(|state| state.visible) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(p: Progress, spent: Duration) -> String {
    let what = match p.stage {
        Stage::Reading => "reading ",
        Stage::Tokenizer => return "building the tokenizer".into(),
        Stage::Encoding => "encoding",
    };
    let (bar, left) = bar(p.done, p.total, spent);
    let rate = p.done.min(p.total) as f64 / spent.as_secs_f64().max(1e-3);
    format!(
        "{what} {bar} · {} of {} · {}/s · {left} left",
        watch::amount(p.done.min(p.total), "B"),
        watch::amount(p.total, "B"),
        watch::amount(rate as u64, "B"),
    )
}

/// The bar with its percentage, and the time left.
fn bar(done: u64, total: u64, spent: Duration) -> (String, String) {
    let (done, total) = (done.min(total), total.max(1));
    let cells = (done * CELLS / total) as usize;
    let (full, rest) = ("━".repeat(cells), "─".repeat(CELLS as usize - cells));
    let rate = done as f64 / spent.as_secs_f64().max(1e-3);
    let left = (total - done) as f64 / rate.max(1e-3);
    let bar = format!("{full}{rest} {:3}%", done * 100 / total);
    (bar, watch::duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_progress_rate_and_time_left() {
        let p = Progress {
            stage: Stage::Encoding,
            done: 250_000_000,
            total: 1_000_000_000,
        };
        let line = line(p, Duration::from_secs(10));
        for part in [
            "encoding",
            " 25% ·",
            "250 MB of 1.00 GB",
            "25.0 MB/s",
            "30s left",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(line.chars().count() < 80, "{line}");
    }
}
