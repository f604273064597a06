//! `downhill graph`: the plan of a training step, before anything is computed.

use crate::arguments::Graph as Arguments;
use crate::failure::Result;
use crate::output::{self, out};
use crate::session::config;
use engine::{
    Graph, Item, NodeId, Origin, Place, Plan, Spec, Totals, ValueId, Work, Write as To, dry_run,
};
use model::{Config, Training};
use serde_json::{Value, json};
use std::io::{self, Write};
use text::{Tokenizer, TokenizerKind};
use watch::{amount, count};

/// Columns of the table.
const WIDTH: usize = 100;

pub fn run(a: &Arguments) -> Result<()> {
    let config = config(&a.configured, &[])?;
    let vocabulary = vocabulary(&config)?;
    let training = Training::record(&config, vocabulary)?;
    let plan = training.plan(&config)?;
    let totals = dry_run(&plan);
    let rows = rows(&plan, &config);
    let mut out = out();
    if a.json {
        let steps: Vec<Value> = rows.iter().map(Row::json).collect();
        let object = json!({
            "parameters": totals.parameters,
            "flops_per_step": totals.flops,
            "bytes_peak": totals.bytes,
            "steps": steps,
        });
        writeln!(out, "{}", output::json(&object)?)?;
        return Ok(());
    }
    print_totals(&mut out, &plan, &config, vocabulary, &totals)?;
    print_table(&mut out, &rows, plan.micros())?;
    Ok(())
}

/// Vocabulary size to plan for. No text is read here; English text has about 66 characters.
fn vocabulary(config: &Config) -> Result<usize> {
    Ok(match &config.data.tokenizer {
        TokenizerKind::Bytes => 257,
        TokenizerKind::Auto | TokenizerKind::Chars => 66,
        TokenizerKind::Bpe(size) | TokenizerKind::Syllables(size) => *size,
        TokenizerKind::Path(path) => Tokenizer::open(path)?.vocabulary_size(),
    })
}

/// One step of the list.
struct Row {
    index: usize,
    /// The micro-batch; `None` for work done once per step.
    micro: Option<usize>,
    pass: &'static str,
    operation: String,
    /// What it computes: the value, or for a backward pass its first gradient.
    name: String,
    rows: usize,
    width: usize,
    flops: u64,
    bytes: u64,
    /// First and last step in which the output is alive; `None` if it is in the store.
    lifetime: Option<(usize, usize)>,
    /// Bytes from the start of the arena.
    offset: Option<usize>,
    /// For a backward pass: each gradient, and how it is written.
    write: Vec<(String, To)>,
}

impl Row {
    fn json(&self) -> Value {
        let written = self
            .write
            .iter()
            .map(|(name, to)| (name.clone(), json!(format!("{to:?}").to_lowercase())));
        let write: serde_json::Map<String, Value> = written.collect();
        json!({
            "index": self.index,
            "micro": self.micro,
            "pass": self.pass,
            "operation": self.operation,
            "name": self.name,
            "shape": [self.rows, self.width],
            "flops": self.flops,
            "bytes": self.bytes,
            "lifetime": self.lifetime.map(|(first, last)| [first, last]),
            "offset": self.offset,
            "write": if self.write.is_empty() { Value::Null } else { write.into() },
        })
    }

    fn cells(&self) -> [String; COLUMNS] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let letter = |to: &To| match to {
            To::Set => 'S',
            To::Add => 'A',
            To::Over => 'O',
        };
        [
            self.index.to_string(),
            or_dash(self.micro.map(|m| m.to_string())),
            self.pass.into(),
            self.operation.clone(),
            self.name.clone(),
            format!("{}×{}", self.rows, self.width),
            amount(self.flops, "").trim_end().into(),
            amount(self.bytes, "B"),
            or_dash(self.lifetime.map(|(first, last)| format!("{first}–{last}"))),
            or_dash(self.offset.map(|o| o.to_string())),
            self.write.iter().map(|(_, to)| letter(to)).collect(),
        ]
    }
}

/// Every step of the list, in order.
fn rows(plan: &Plan, config: &Config) -> Vec<Row> {
    let items = plan.items();
    let per_micro = items.iter().filter(|i| is_pass(i)).count() / plan.micros().max(1);
    let times = Times::new(plan.graph(), &items[..per_micro], items.len());
    let each = items.iter().enumerate();
    each.map(|(index, item)| row(plan, config, &times, (index, item)))
        .collect()
}

fn is_pass(item: &Item) -> bool {
    matches!(item.work, Work::Forward(_) | Work::Backward(_))
}

fn row(plan: &Plan, config: &Config, times: &Times, (index, item): (usize, &Item)) -> Row {
    let (g, cost) = (plan.graph(), plan.item_cost(item));
    let mut row = Row {
        index,
        micro: is_pass(item).then_some(item.micro),
        pass: "",
        operation: String::new(),
        name: String::new(),
        rows: 1,
        width: 1,
        flops: cost.flops,
        bytes: cost.bytes,
        lifetime: None,
        offset: None,
        write: Vec::new(),
    };
    let fill = |row: &mut Row, place: Option<&Place>, spec: Spec| {
        (row.rows, row.width) = (spec.rows, spec.width);
        row.lifetime = place.map(|p| times.in_list(p, item.micro));
        row.offset = place.map(|p| 4 * p.at(item.micro));
    };
    match item.work {
        Work::Forward(node) => {
            row.pass = "forward";
            row.operation = g.node(node).op.name().to_owned();
            if let Some(&y) = g.node(node).y.first() {
                row.name = g.value(y).name.clone();
                fill(&mut row, plan.value(y), g.spec(y));
            }
            // Layers that share one input, side by side.
            let side = &g.node(node).y;
            if side.len() > 1 && side.iter().all(|&y| g.spec(y).rows == row.rows) {
                row.name = format!("{}.{}", row.operation, node.index());
                row.width = side.iter().map(|&y| g.spec(y).width).sum();
            }
        }
        Work::Backward(node) => {
            row.pass = "backward";
            row.operation = g.node(node).op.name().to_owned();
            let written = gradients(plan, node, item);
            if let Some(&(x, _)) = written.first() {
                row.name = format!("d {}", g.value(x).name);
                fill(&mut row, plan.gradient(x), g.spec(x));
            }
            let named = |(x, to): (ValueId, To)| (g.value(x).name.clone(), to);
            row.write = written.into_iter().map(named).collect();
        }
        Work::Norm => {
            (row.pass, row.operation) = ("norm", "norm".into());
            row.name = "gradient norm".into();
        }
        Work::Update(update) => {
            (row.pass, row.operation) = ("update", word(&config.optim.name));
            let updates = &plan.updates()[update];
            let own = updates.variables.iter().map(|&v| &g.variables()[v]);
            row.rows = own.clone().map(|v| v.len()).sum();
            let mut groups: Vec<String> = own.map(|v| word(&v.group)).collect();
            groups.sort();
            groups.dedup();
            row.name = groups.join(", ");
        }
    }
    row
}

/// An enum's variant as the config writes it.
fn word(name: &impl std::fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}

/// The gradients that a backward pass writes, and how; not those passed on in place.
fn gradients(plan: &Plan, node: NodeId, item: &Item) -> Vec<(ValueId, To)> {
    let g = plan.graph();
    let inputs = g.node(node).x.iter().copied().zip(item.write);
    let written = inputs
        .enumerate()
        .filter(|&(slot, (x, _))| g.value(x).needs_gradient && !plan.hands_on(node, slot));
    let how = |(slot, (x, to))| match plan.overwrites(node, slot) {
        true => (x, To::Over),
        false => (x, to),
    };
    written.map(how).collect()
}

/// Maps times within a micro-batch, as in [`Place`], to entries of the list. Passes that no
/// gradient reaches have a time but no entry.
struct Times {
    /// Time of each entry of a micro-batch.
    entries: Vec<usize>,
    /// One past the last time.
    end: usize,
    /// Entries of the whole list.
    len: usize,
}

impl Times {
    fn new(g: &Graph, micro: &[Item], len: usize) -> Times {
        let n = g.nodes().len();
        let time = |item: &Item| match item.work {
            Work::Forward(node) => node.index(),
            Work::Backward(node) => 2 * n - 1 - node.index(),
            Work::Norm | Work::Update(_) => 2 * n,
        };
        Times {
            entries: micro.iter().map(time).collect(),
            end: 2 * n,
            len,
        }
    }

    /// First and last entry of the list during which a micro-batch's value holds its place.
    fn in_list(&self, place: &Place, micro: usize) -> (usize, usize) {
        if place.alive == (0..self.end) {
            return (0, self.len.saturating_sub(1));
        }
        let base = micro * self.entries.len();
        let first = self.entries.partition_point(|&t| t < place.alive.start);
        let end = self.entries.partition_point(|&t| t < place.alive.end);
        (base + first, base + end.saturating_sub(1).max(first))
    }
}

fn print_totals(
    out: &mut impl Write,
    plan: &Plan,
    config: &Config,
    vocabulary: usize,
    totals: &Totals,
) -> io::Result<()> {
    let (batch, context) = (config.train.batch, config.model.context);
    let (g, micros) = (plan.graph(), plan.micros());
    let states = |v| plan.optimizer().map_or(Vec::new(), |o| o.states(v));
    let states: usize = g.variables().iter().flat_map(states).sum();
    let stored: u64 = g.variables().iter().map(|v| v.len() as u64).sum();
    let bytes = |numbers: u64| amount(4 * numbers, "B");
    let flops = amount(totals.flops, "FLOP");
    writeln!(
        out,
        "model         {}, {} parameters with a vocabulary of {}",
        word(&config.model.family),
        count(totals.parameters),
        vocabulary
    )?;
    writeln!(
        out,
        "step          {flops}, at least {} moved",
        amount(totals.traffic, "B")
    )?;
    writeln!(
        out,
        "batch         {batch} × {context} tokens in {} micro-batch{} of {} × {context}",
        micros,
        if micros == 1 { "" } else { "es" },
        batch.div_ceil(micros.max(1))
    )?;
    writeln!(out, "memory        {} at peak", amount(totals.bytes, "B"))?;
    for (label, numbers) in [
        ("weights", stored),
        ("gradients", totals.parameters),
        ("optimizer", states as u64),
        ("arena", plan.arena() as u64),
    ] {
        writeln!(out, "  {label:<12}{}", bytes(numbers))?;
    }
    let inputs = g
        .value_ids()
        .filter(|&v| g.value(v).origin == Origin::Input);
    let inputs: usize = inputs.filter_map(|v| Some(plan.value(v)?.size())).sum();
    writeln!(out, "  of the arena, {} are inputs", bytes(inputs as u64))?;
    writeln!(out)
}

const COLUMNS: usize = 11;
const TITLES: [&str; COLUMNS] = [
    "step",
    "mb",
    "pass",
    "operation",
    "output",
    "shape",
    "FLOPs",
    "moved",
    "alive",
    "offset",
    "write",
];
/// Columns of text are left-aligned, numbers right-aligned.
const WORDS: [bool; COLUMNS] = [
    false, false, true, true, true, false, false, false, false, false, true,
];
/// The column that is shortened if the table is too wide.
const OUTPUT: usize = 4;

/// The table. Of three or more micro-batches only the first and the last are shown, since the
/// others equal the last.
fn print_table(out: &mut impl Write, rows: &[Row], micros: usize) -> io::Result<()> {
    let shown = |r: &&Row| r.micro.is_none_or(|m| m == 0 || m + 1 == micros);
    let shown: Vec<&Row> = rows.iter().filter(shown).collect();
    let cells: Vec<[String; COLUMNS]> = shown.iter().map(|r| r.cells()).collect();
    let length = |text: &str| text.chars().count();
    let mut widths = TITLES.map(length);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(length(cell));
        }
    }
    let all: usize = widths.iter().sum::<usize>() + COLUMNS - 1;
    widths[OUTPUT] = widths[OUTPUT]
        .saturating_sub(all.saturating_sub(WIDTH))
        .max(8);
    print_row(out, &TITLES.map(String::from), &widths)?;
    let mut last = Some(0);
    for (row, cells) in shown.iter().zip(&cells) {
        if micros > 2 && last == Some(0) && row.micro == Some(micros - 1) {
            let middle = match micros {
                3 => "micro-batch 1 is".to_owned(),
                _ => format!("micro-batches 1 to {} are", micros - 2),
            };
            writeln!(
                out,
                "… {middle} like the last one, which follows; --json has them all"
            )?;
        }
        last = row.micro;
        print_row(out, cells, &widths)?;
    }
    writeln!(
        out,
        "\nmb: micro-batch. alive: first and last step during which the output holds its place in the \
         arena.\noffset: in bytes; - means outside the arena, with the weights and gradients. write, one \
         letter\nper input: S sets the gradient, A adds to it, O overwrites the input with it."
    )
}

fn print_row(out: &mut impl Write, cells: &[String; COLUMNS], widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (i, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        let gap = if i == 0 { "" } else { " " };
        let cell = shorten(cell, width);
        line += &match WORDS[i] {
            true => format!("{gap}{cell:<width$}"),
            false => format!("{gap}{cell:>width$}"),
        };
    }
    writeln!(out, "{}", line.trim_end())
}

/// Cuts off the front of a name, since its end says more.
fn shorten(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = text.chars().skip(length + 1 - width);
    std::iter::once('…').chain(kept).collect()
}
