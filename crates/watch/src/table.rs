//! The table of the log: choosing the columns that fit, and aligning rows.

use crate::text::columns;
use crate::units::{duration, known, number};

/// The values of one row; a missing value is printed as a dash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub step: u64,
    /// Training loss: nats per token, or mean squared error.
    pub train: Option<f64>,
    /// Validation loss in the same unit.
    pub val: Option<f64>,
    /// Validation loss in bits per byte.
    pub bits: Option<f64>,
    /// How far `bits` is above the entropy floor, as a fraction.
    pub above_floor: Option<f64>,
    /// Share of the questions that were trained on and are answered correctly.
    pub accuracy_train: Option<f64>,
    /// The same of those that are held out.
    pub accuracy_held_out: Option<f64>,
    pub grad_norm: Option<f64>,
    pub lr: Option<f64>,
    pub step_seconds: Option<f64>,
    pub tokens_per_second: Option<f64>,
    /// Seconds until the last step.
    pub left: Option<f64>,
    /// Whether `val` covers only the fixed subset.
    pub subset: bool,
    /// Whether `val` is the best so far.
    pub best: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Step,
    Train,
    Val,
    Bits,
    Floor,
    Trained,
    HeldOut,
    GradNorm,
    Rate,
    Milliseconds,
    Speed,
    Left,
    Note,
}

use Column::*;

/// The columns of a language model run.
const LANGUAGE: [Column; 13] = [
    Step,
    Train,
    Val,
    Bits,
    Floor,
    Trained,
    HeldOut,
    GradNorm,
    Rate,
    Milliseconds,
    Speed,
    Left,
    Note,
];
/// The columns of a regression.
const FIT: [Column; 4] = [Step, Train, GradNorm, Rate];
/// The order in which columns are dropped in a narrow terminal; the step always stays.
const DROPPED: [Column; 12] = [
    Note,
    Speed,
    GradNorm,
    Milliseconds,
    Rate,
    Floor,
    Bits,
    Left,
    Val,
    Trained,
    HeldOut,
    Train,
];
const GAP: usize = 2;

/// A table for one kind of run and one width of terminal.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    step_width: usize,
    fit: bool,
}

impl Table {
    /// `width` is the terminal's, or `None` for a pipe, where every column fits; `steps` is the
    /// number of the last step; `floor` is whether the text's entropy is known, `asks` whether
    /// questions are asked about it.
    pub(crate) fn new(
        fit: bool,
        width: Option<usize>,
        steps: u64,
        (floor, asks): (bool, bool),
    ) -> Self {
        let all = if fit { &FIT[..] } else { &LANGUAGE[..] };
        let wanted = |c: &&Column| match **c {
            Floor => floor,
            // Answers aren't compared with other texts.
            Bits => floor || !asks,
            Trained | HeldOut => asks,
            _ => true,
        };
        let mut table = Self {
            columns: all.iter().filter(wanted).copied().collect(),
            step_width: steps.to_string().len().max(5),
            fit,
        };
        for dropped in DROPPED {
            // Leave the last column free: some terminals wrap as soon as it is written.
            if width.is_none_or(|width| table.total() < width) {
                break;
            }
            table.columns.retain(|&column| column != dropped);
        }
        table
    }

    fn total(&self) -> usize {
        let widths: usize = self.columns.iter().map(|&c| self.width(c)).sum();
        widths + GAP * (self.columns.len() - 1)
    }

    fn width(&self, column: Column) -> usize {
        match column {
            Step => self.step_width,
            Train if self.fit => 10,
            Train | Floor | GradNorm | Speed | Left => 6,
            Val | Rate | Milliseconds => 7,
            Trained | HeldOut => 8,
            Bits => 9,
            Note => 12,
        }
    }

    /// The header row.
    pub(crate) fn titles(&self) -> String {
        self.line(|column| {
            let title = match column {
                Step => "step",
                Train if self.fit => "mse",
                Train => "train",
                Val => "val",
                Bits => "bits/byte",
                Floor => "floor",
                Trained => "trained",
                HeldOut => "held out",
                GradNorm => "grad",
                Rate => "lr",
                Milliseconds => "ms/step",
                Speed => "tok/s",
                Left => "left",
                Note => "",
            };
            title.to_string()
        })
    }

    /// One row.
    pub(crate) fn row(&self, row: &Row) -> String {
        self.line(|column| {
            let width = self.width(column);
            let text = match column {
                Step => Some(row.step.to_string()),
                // In the data's own unit, so of any magnitude.
                Train if self.fit => row.train.map(|mse| known(mse, |mse| format!("{mse:.4e}"))),
                Train => row.train.map(|value| number(value, width)),
                // One column is reserved for the `~` of a subset, so that all rows have the same
                // number of decimals.
                Val => row.val.map(|value| {
                    let sign = if row.subset { "~" } else { "" };
                    format!("{sign}{}", number(value, width - 1))
                }),
                Bits => row.bits.map(|value| number(value, 6)),
                Floor => row.above_floor.map(percent),
                Trained => row.accuracy_train.map(share),
                HeldOut => row.accuracy_held_out.map(share),
                GradNorm => row.grad_norm.map(|value| number(value, 5)),
                Rate => row
                    .lr
                    .map(|value| known(value, |rate| format!("{rate:.2e}"))),
                Milliseconds => row.step_seconds.map(|s| number(s * 1e3, 5)),
                Speed => row.tokens_per_second.map(speed),
                Left => row.left.map(duration),
                Note => Some(note(row)),
            };
            text.unwrap_or_else(|| "-".to_string())
        })
    }

    fn line(&self, cell: impl Fn(Column) -> String) -> String {
        let mut line = String::new();
        for &column in &self.columns {
            if !line.is_empty() {
                line.push_str(&" ".repeat(GAP));
            }
            let text = cell(column);
            let pad = self.width(column).saturating_sub(columns(&text));
            // Numbers are right-aligned; the note, which is last, is left-aligned.
            if column != Note {
                line.push_str(&" ".repeat(pad));
            }
            line.push_str(&text);
        }
        line.trim_end().to_string()
    }
}

/// A fraction above the floor: `+7.7%`.
pub(crate) fn percent(fraction: f64) -> String {
    match fraction * 100.0 {
        p if !p.is_finite() => "-".to_string(),
        p if p.abs() < 99.95 => format!("{p:+.1}%"),
        p => format!("{:+}%", p.round().clamp(-9999.0, 9999.0)),
    }
}

/// A share: `97.3%`.
pub(crate) fn share(fraction: f64) -> String {
    known(fraction, |share| format!("{:.1}%", 100.0 * share))
}

fn speed(tokens: f64) -> String {
    match tokens {
        t if !t.is_finite() => "-".to_string(),
        t if t < 99.95 => format!("{t:.1}"),
        t if t < 999_999.5 => format!("{t:.0}"),
        t => format!("{:.1}M", t / 1e6),
    }
}

fn note(row: &Row) -> String {
    let notes = [(row.best, "best"), (row.subset, "subset")];
    let notes: Vec<&str> = notes.iter().filter(|n| n.0).map(|n| n.1).collect();
    notes.join(", ")
}
