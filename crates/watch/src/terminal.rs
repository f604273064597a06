//! The terminal log.

use std::collections::VecDeque;
use std::io::{self, Write};

use run::{End, Eval, Event, Kind, Rote, Sample, Skill, Smoothed, Start, Step, What};

use crate::left::TimeLeft;
use crate::summary;
use crate::table::{Row, Table};
use crate::text::{columns, line, truncate, wrap};

/// Width of text blocks when the output isn't a terminal.
const PIPE: usize = 80;
/// Maximum lines shown of a sample.
const SAMPLE_LINES: usize = 12;
/// Number of recent steps used to estimate the time left.
const RECENT: usize = 31;
/// Early steps that are always printed.
const FIRST: [u64; 7] = [1, 2, 5, 10, 20, 50, 100];
/// Target interval between two lines of a long run, in seconds.
const PACE: f64 = 2.5;
/// Minimum number of lines of a run with fast steps.
const LEAST_LINES: u64 = 20;
/// Seconds between two updates of the live line.
const LIVE: f64 = 0.1;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Prints the events of a run as a readable log.
///
/// Not every step gets a line: the first few do, then round numbers about every 2.5 seconds. Every
/// evaluation and every sample is shown. The log depends on the events alone.
pub struct TerminalLog<W: Write> {
    out: W,
    width: Option<usize>,
    color: bool,
    quiet: bool,
    start: Option<Start>,
    table: Option<Table>,
    /// Whether the header is printed above the next row.
    titled: bool,
    mean: Smoothed,
    recent: VecDeque<f64>,
    left: TimeLeft,
    /// The last step as a row.
    last: Option<Row>,
    /// A row waiting for an evaluation of the same step.
    pending: Option<Row>,
    /// Width of the live line, which is updated in place; 0 if there is none.
    live: usize,
    live_time: f64,
    prompt: Option<String>,
    rote: Rote,
    skill: Skill,
}

impl<W: Write> TerminalLog<W> {
    /// A log written to `out`: a terminal of `width` columns, or a pipe if `None`, which gets no
    /// control codes except colors if `color`. With `quiet`, only the end is shown.
    pub fn new(out: W, width: Option<usize>, color: bool, quiet: bool) -> Self {
        Self {
            out,
            width,
            color,
            quiet,
            start: None,
            table: None,
            titled: false,
            mean: Smoothed::default(),
            recent: VecDeque::new(),
            left: TimeLeft::default(),
            last: None,
            pending: None,
            live: 0,
            live_time: f64::NEG_INFINITY,
            prompt: None,
            rote: Rote::default(),
            skill: Skill::default(),
        }
    }

    /// Shows one event.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        let done = event.step.unwrap_or_default();
        let rote = self.rote.event(event);
        let skilled = self.skill.event(event);
        match &event.what {
            What::Start(start) => self.start(start)?,
            What::Step(step) => self.step(event.time, done, step)?,
            What::Eval(eval) => self.eval(done, eval)?,
            What::Pacing(pacing) => {
                if let Some(start) = &mut self.start {
                    start.steps = pacing.steps;
                }
                self.left.paced(pacing.steps);
            }
            What::Sample(sample) => self.sample(done, sample)?,
            What::Warning(warning) if !self.quiet => {
                self.print_pending()?;
                let text = format!("warning: {}", warning.message);
                for text in wrap(&text, self.text_width()) {
                    self.print(&text, YELLOW)?;
                }
            }
            What::Canaries(canaries) if !self.quiet => {
                self.print_pending()?;
                let text = summary::canaries(canaries);
                for text in wrap(&text, self.text_width()) {
                    self.print(&text, DIM)?;
                }
            }
            What::End(end) => self.end(done, end)?,
            _ => {}
        }
        let news = [
            rote.then(|| (YELLOW, summary::rote(&self.rote))),
            skilled.then(|| (GREEN, summary::skill(&self.skill))),
        ];
        if !self.quiet {
            for (style, text) in news.into_iter().flatten() {
                for text in wrap(&text, self.text_width()) {
                    self.print(&text, style)?;
                }
            }
        }
        self.out.flush()
    }

    fn start(&mut self, start: &Start) -> io::Result<()> {
        self.print_pending()?;
        self.start = Some(start.clone());
        self.table = None;
        self.titled = false;
        self.last = None;
        self.mean = Smoothed::after(start.first_step, start.smoothed_loss);
        self.recent.clear();
        self.left.start(start);
        if self.quiet {
            return Ok(());
        }
        let head = summary::head(start, self.text_width());
        for (at, text) in head.iter().enumerate() {
            self.print(text, if at == 0 { BOLD } else { "" })?;
        }
        self.print("", "")
    }

    fn step(&mut self, time: f64, number: u64, step: &Step) -> io::Result<()> {
        if let Some(loss) = step.nats_per_token.or(step.mse) {
            self.mean.add(loss);
        }
        self.left.step(number, time);
        if step.step_seconds.is_finite() {
            self.recent.push_back(step.step_seconds);
            if self.recent.len() > RECENT {
                self.recent.pop_front();
            }
        }
        if self.quiet {
            return Ok(());
        }
        self.print_pending()?;
        self.begin_table();
        // The error of a regression spans orders of magnitude, so a mean over steps says little:
        // show the step's own error.
        let train = step.mse.or(self.mean.value());
        let left = self.typical_seconds().filter(|_| self.start.is_some());
        let row = Row {
            step: number,
            train,
            grad_norm: Some(step.grad_norm),
            lr: Some(step.lr),
            step_seconds: Some(step.step_seconds),
            tokens_per_second: Some(step.tokens_per_second),
            left: left.map(|seconds| self.left.after(number, seconds)),
            ..Row::default()
        };
        if self.is_due(number) {
            self.pending = Some(row.clone());
        }
        self.show_live(&row, time)?;
        self.last = Some(row);
        Ok(())
    }

    fn eval(&mut self, done: u64, eval: &Eval) -> io::Result<()> {
        self.left.eval(eval);
        if self.quiet {
            return Ok(());
        }
        self.begin_table();
        if self.pending.as_ref().is_some_and(|p| p.step == done) {
            // This row contains everything in the pending one.
            self.pending = None;
        }
        self.print_pending()?;
        let start = self.start.as_ref();
        let floor = start.and_then(|start| start.floor_bits_per_byte);
        let last = self.last.clone().filter(|last| last.step == done);
        let mut row = Row {
            step: done,
            val: eval.val_nats_per_token.or(eval.mse),
            bits: eval.val_bits_per_byte,
            above_floor: eval.val_bits_per_byte.zip(floor).map(|(b, f)| b / f - 1.0),
            accuracy_train: eval.accuracy_train,
            accuracy_held_out: eval.accuracy_held_out,
            subset: !eval.full,
            best: eval.best,
            ..last.unwrap_or_default()
        };
        // A regression has one error and one column for both.
        row.train = eval.mse.or(row.train);
        self.print_row(&row)
    }

    fn sample(&mut self, done: u64, sample: &Sample) -> io::Result<()> {
        self.prompt = Some(sample.prompt.clone());
        if self.quiet {
            return Ok(());
        }
        self.print_pending()?;
        let width = self.text_width().min(PIPE);
        let head = format!("── step {done} · prompt \"{}\" ", line(&sample.prompt));
        let head = truncate(&head, width);
        let rule = "─".repeat(width.saturating_sub(columns(head)));
        self.print(&format!("{head}{rule}"), DIM)?;
        let lines = wrap(sample.text.trim_end(), width);
        for text in lines.iter().take(SAMPLE_LINES) {
            self.print(text, "")?;
        }
        if let more @ 1.. = lines.len().saturating_sub(SAMPLE_LINES) {
            let more = format!("… ({more} more lines)");
            self.print(truncate(&more, width), DIM)?;
        }
        self.print(&"─".repeat(width), DIM)?;
        // The sample interrupts the table, so the next row needs a header again.
        self.titled = false;
        Ok(())
    }

    fn end(&mut self, done: u64, end: &End) -> io::Result<()> {
        self.print_pending()?;
        if !self.quiet {
            self.print("", "")?;
        }
        let width = self.text_width();
        let (start, prompt) = (self.start.as_ref(), self.prompt.as_deref());
        let found = (&self.rote, &self.skill);
        let lines = summary::end((done, end), start, prompt, found, width);
        for (at, text) in lines.iter().enumerate() {
            self.print(text, if at == 0 { BOLD } else { "" })?;
        }
        Ok(())
    }

    /// Whether this step gets a line: see [`TerminalLog`].
    fn is_due(&self, step: u64) -> bool {
        let start = self.start.as_ref();
        let first = start.is_some_and(|start| step == start.first_step.saturating_add(1));
        let mut every = match self.typical_seconds() {
            Some(seconds) if seconds > 0.0 => round_up((PACE / seconds).min(1e12) as u64),
            _ => 1,
        };
        if let Some(steps) = self.steps() {
            every = every.min(round_up(steps / LEAST_LINES));
        }
        first || FIRST.contains(&step) || Some(step) == self.steps() || step.is_multiple_of(every)
    }

    fn steps(&self) -> Option<u64> {
        self.start.as_ref().map(|start| start.steps)
    }

    /// The median duration of recent steps.
    fn typical_seconds(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    fn begin_table(&mut self) {
        let start = self.start.as_ref();
        let fit = start.is_some_and(|start| start.kind() == Kind::Fit);
        let floor = start.is_some_and(|start| start.floor_bits_per_byte.is_some());
        let asks = start.is_some_and(|start| start.held_out_questions.is_some());
        let steps = start.map_or(0, |start| start.steps);
        let width = self.width;
        self.table
            .get_or_insert_with(|| Table::new(fit, width, steps, (floor, asks)));
    }

    fn text_width(&self) -> usize {
        // As in the table, leave the last column free.
        self.width
            .map_or(PIPE, |width| width.saturating_sub(1).max(1))
    }

    fn print_pending(&mut self) -> io::Result<()> {
        match self.pending.take() {
            Some(row) => self.print_row(&row),
            None => Ok(()),
        }
    }

    fn print_row(&mut self, row: &Row) -> io::Result<()> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let (titles, text) = (table.titles(), table.row(row));
        if !self.titled {
            self.print(&titles, BOLD)?;
            self.titled = true;
        }
        self.print(&text, if row.best { GREEN } else { "" })
    }

    /// Prints a permanent line in a style.
    fn print(&mut self, text: &str, style: &str) -> io::Result<()> {
        if self.live > 0 {
            let blank = " ".repeat(self.live);
            write!(self.out, "\r{blank}\r")?;
            self.live = 0;
        }
        match self.color && !style.is_empty() && !text.is_empty() {
            true => writeln!(self.out, "\x1b[{style}m{text}\x1b[0m"),
            false => writeln!(self.out, "{text}"),
        }
    }

    /// Updates the live line, in a terminal only.
    fn show_live(&mut self, row: &Row, time: f64) -> io::Result<()> {
        // A range check, so that neither a NaN time nor a clock set back stops the updates.
        let soon = (0.0..LIVE).contains(&(time - self.live_time));
        let (Some(table), Some(width)) = (&self.table, self.width) else {
            return Ok(());
        };
        if soon {
            return Ok(());
        }
        let text = table.row(row);
        let text = truncate(&text, width.saturating_sub(1));
        let shown = columns(text);
        let blank = " ".repeat(self.live.saturating_sub(shown));
        write!(self.out, "\r{text}{blank}")?;
        self.live = shown;
        self.live_time = time;
        Ok(())
    }
}

/// A run that fails has no end event: print the pending row and end the live line.
impl<W: Write> Drop for TerminalLog<W> {
    fn drop(&mut self) {
        let _ = self.print_pending();
        if self.live > 0 {
            let _ = writeln!(self.out);
        }
        let _ = self.out.flush();
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50 … that is at least `number`.
fn round_up(number: u64) -> u64 {
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            if power * factor >= number {
                return power * factor;
            }
        }
        power *= 10;
    }
}
