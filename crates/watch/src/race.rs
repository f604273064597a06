//! The log of a race: a row for each recipe.

use std::fmt::Write as _;

use run::{Event, Smoothed, What};

use crate::left::TimeLeft;
use crate::text::{columns, line, truncate};
use crate::units::{duration, number};

/// Seconds between two updates in a terminal.
const LIVE: f64 = 0.2;
/// More rows than this might not fit the terminal, so they aren't updated in place.
const ROWS: usize = 20;

/// Turns the events of a race into text. In a terminal, a row for each recipe is updated in place;
/// a pipe gets a row whenever all runs of a recipe were evaluated once more, and no control codes.
pub struct RaceLog {
    /// Columns of the terminal; `None` where rows aren't updated in place.
    width: Option<usize>,
    recipes: Vec<(String, Progress)>,
    /// The recipe of each run, and its place there.
    lanes: Vec<(usize, usize)>,
    titled: bool,
    /// Rows on the screen.
    drawn: usize,
    /// When they were drawn.
    shown: f64,
}

/// The progress of a recipe's runs.
#[derive(Default)]
struct Progress {
    lanes: Vec<Lane>,
    /// Evaluations that have a row in a pipe.
    printed: usize,
}

#[derive(Default)]
struct Lane {
    step: u64,
    steps: u64,
    smoothed: Smoothed,
    tokens_per_second: f64,
    left: TimeLeft,
    /// Step and bits per byte of each evaluation between the steps.
    evals: Vec<(u64, f64)>,
}

impl RaceLog {
    /// A log of these runs, each given by the name of its recipe; `width` is the terminal's, or
    /// `None` for a pipe.
    pub fn new(lanes: &[String], width: Option<usize>) -> RaceLog {
        let mut recipes: Vec<(String, Progress)> = Vec::new();
        let mut places = Vec::new();
        for name in lanes.iter().map(|name| line(name)) {
            let known = recipes.iter().position(|(known, _)| *known == name);
            let at = known.unwrap_or(recipes.len());
            if known.is_none() {
                recipes.push((name, Progress::default()));
            }
            let lanes = &mut recipes[at].1.lanes;
            places.push((at, lanes.len()));
            lanes.push(Lane::default());
        }
        RaceLog {
            width: width.filter(|_| recipes.len() <= ROWS),
            recipes,
            lanes: places,
            titled: false,
            drawn: 0,
            shown: f64::NEG_INFINITY,
        }
    }

    /// Takes an event of a run; returns what to print, which is often nothing.
    pub fn event(&mut self, lane: usize, event: &Event) -> String {
        let Some(&(at, place)) = self.lanes.get(lane) else {
            return String::new();
        };
        let progress = &mut self.recipes[at].1;
        progress.lanes[place].event(event);
        if self.width.is_none() {
            let all = progress.lanes.iter().map(|lane| lane.evals.len()).min();
            let all = all.unwrap_or_default();
            if all <= progress.printed {
                return String::new();
            }
            progress.printed = all;
            return self.titles() + &self.row(at, Some(all)) + "\n";
        }
        if event.time < self.shown + LIVE {
            return String::new();
        }
        self.shown = event.time;
        self.block()
    }

    /// The rows as they are at the end.
    pub fn finish(mut self) -> String {
        match self.width {
            Some(_) => self.block(),
            None => String::new(),
        }
    }

    /// The titles, unless they are printed.
    fn titles(&mut self) -> String {
        if std::mem::replace(&mut self.titled, true) {
            return String::new();
        }
        let (name, steps) = self.widths();
        let titles = format!(
            "{:name$}  {:>steps$}   train  bits/byte      min–max   tok/s      left",
            "recipe", "step"
        );
        self.fit(&titles) + "\n"
    }

    /// All rows, over those drawn before.
    fn block(&mut self) -> String {
        let mut text = self.titles();
        if self.drawn > 0 {
            // Writing to a string can't fail.
            let _ = write!(text, "\x1b[{}A", self.drawn);
        }
        for at in 0..self.recipes.len() {
            let row = self.fit(&self.row(at, None));
            let _ = writeln!(text, "\r{row}\x1b[K");
        }
        self.drawn = self.recipes.len();
        text
    }

    fn fit(&self, text: &str) -> String {
        // Some terminals wrap as soon as the last column is written.
        let width = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(1));
        truncate(text, width).to_owned()
    }

    /// Columns of the names, and of the steps.
    fn widths(&self) -> (usize, usize) {
        let names = self.recipes.iter().map(|(name, _)| columns(name));
        let lanes = self.recipes.iter().flat_map(|(_, p)| &p.lanes);
        let steps = lanes.map(|lane| lane.steps.to_string().len()).max();
        (
            names.max().unwrap_or(0).max(6),
            2 * steps.unwrap_or(0).max(4) + 1,
        )
    }

    /// The row of a recipe: now, or after so many evaluations of each run.
    fn row(&self, at: usize, evals: Option<usize>) -> String {
        let (name, progress) = &self.recipes[at];
        let (name_width, steps_width) = self.widths();
        let lanes = &progress.lanes;
        let known = lanes.iter().map(|lane| lane.evals.len()).min();
        let last = evals.or(known).unwrap_or(0).checked_sub(1);
        let values = |value: &dyn Fn(&Lane) -> Option<f64>| -> Vec<f64> {
            lanes.iter().filter_map(value).collect()
        };
        let eval = |lane: &Lane| last.and_then(|last| lane.evals.get(last).copied());
        let losses = values(&|lane| eval(lane).map(|(_, bits)| bits));
        let step = match evals {
            Some(_) => lanes.iter().filter_map(eval).map(|(step, _)| step).min(),
            None => lanes.iter().map(|lane| lane.step).min(),
        };
        let steps = lanes.iter().map(|lane| lane.steps).max();
        let steps = format!("{}/{}", step.unwrap_or(0), steps.unwrap_or(0));
        let shown = |value: Option<f64>, width| value.map_or("-".into(), |v| number(v, width));
        let span = match losses.len() {
            0 | 1 => "-".into(),
            _ => {
                let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
                let most = losses.iter().copied().fold(0.0, f64::max);
                format!("{}–{}", number(least, 5), number(most, 5))
            }
        };
        let speed = mean(&values(&|lane| Some(lane.tokens_per_second)));
        // All runs take turns, so that they end together.
        let left = lanes.iter().map(|lane| lane.left.after(lane.step, 0.0));
        let left = left.reduce(f64::max);
        let left = left.filter(|_| lanes.iter().all(|lane| lane.left.is_known()));
        format!(
            "{name}{pad}  {steps:>steps_width$}  {train:>6}  {bits:>9}  {span:>11}  {speed:>6}  {left:>8}",
            pad = " ".repeat(name_width - columns(name)),
            train = shown(mean(&values(&|lane| lane.smoothed.value())), 6),
            bits = shown(mean(&losses), 6),
            speed = shown(speed.filter(|&speed| speed > 0.0), 6),
            left = left.map_or("-".into(), duration),
        )
    }
}

impl Lane {
    fn event(&mut self, event: &Event) {
        let step = event.step.unwrap_or(self.step);
        self.step = step;
        match &event.what {
            What::Start(start) => {
                self.steps = start.steps;
                self.smoothed = Smoothed::after(start.first_step, start.smoothed_loss);
                self.left.start(start);
            }
            What::Pacing(pacing) => {
                self.steps = pacing.steps;
                self.left.paced(pacing.steps);
            }
            What::Step(step) => {
                self.left.step(self.step, event.time);
                if let Some(loss) = step.nats_per_token {
                    self.smoothed.add(loss);
                }
                self.tokens_per_second = step.tokens_per_second;
            }
            // The first of a step is on the fixed subset, as those before it.
            What::Eval(eval) if self.evals.last().is_none_or(|last| last.0 < step) => {
                self.evals
                    .extend(eval.val_bits_per_byte.map(|bits| (step, bits)));
            }
            _ => {}
        }
        if let What::Eval(eval) = &event.what {
            self.left.eval(eval);
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use run::{Eval, Start, Step};

    fn events(step: u64, bits: f64) -> [Event; 2] {
        let trained = Step {
            nats_per_token: Some(2.0),
            tokens_per_second: 1000.0,
            ..Step::default()
        };
        let eval = Eval {
            val_bits_per_byte: Some(bits),
            ..Eval::default()
        };
        let time = step as f64;
        [
            Event::new(time, step, trained),
            Event::new(time, step, eval),
        ]
    }

    fn race(width: Option<usize>) -> String {
        let mut log = RaceLog::new(&["a", "a", "wide"].map(String::from), width);
        let mut text = String::new();
        for lane in 0..3 {
            let start = Start {
                steps: 40,
                ..Start::default()
            };
            text += &log.event(lane, &Event::new(0.0, 0, start));
        }
        for step in [10, 20] {
            for lane in 0..3 {
                for event in events(step, 3.0 + lane as f64 - step as f64 / 20.0) {
                    text += &log.event(lane, &event);
                }
            }
        }
        text + &log.finish()
    }

    #[test]
    fn a_pipe_gets_a_row_per_recipe_and_evaluation() {
        let text = race(None);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        let expected = [
            [
                "recipe",
                "step",
                "train",
                "bits/byte",
                "min–max",
                "tok/s",
                "left",
            ],
            [
                "a",
                "10/40",
                "2.0000",
                "3.0000",
                "2.500–3.500",
                "1000.0",
                "-",
            ],
            ["wide", "10/40", "2.0000", "4.5000", "-", "1000.0", "-"],
            // A second for each step so far.
            [
                "a",
                "20/40",
                "2.0000",
                "2.5000",
                "2.000–3.000",
                "1000.0",
                "20s",
            ],
            ["wide", "20/40", "2.0000", "4.0000", "-", "1000.0", "20s"],
        ];
        assert_eq!(rows, expected);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn a_terminal_keeps_one_row_per_recipe_within_its_width() {
        let text = race(Some(30));
        assert_eq!(text.matches("recipe").count(), 1);
        assert!(text.contains("\x1b[2A"));
        let visible = |l: &str| {
            l.replace("\x1b[K", "")
                .replace("\x1b[2A", "")
                .replace('\r', "")
        };
        assert!(text.lines().all(|l| columns(&visible(l)) < 30), "{text:?}");
    }
}
