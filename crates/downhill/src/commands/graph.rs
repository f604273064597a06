//! `downhill graph`: the whole training step, planned.

use crate::arguments::Graph;
use crate::failure::Result;
use crate::session::config;
use ::train::optimiser;
use engine::{Item, Plan, Purpose, Step, dry_run, micro_batch};
use model::{Mode, decoder};
use serde_json::{Value, json};
use std::io::{Write, stdout};

/// The vocabulary to plan for: what `tinyshakespeare` has, since no text is read here.
const VOCABULARY: usize = 66;

pub fn run(a: &Graph) -> Result<()> {
    let config = config(&a.configured, &[])?;
    let (shape, batch) = (config.shape(), config.train.batch);
    let sequences = micro_batch(batch, shape.context, 2048);
    let decoder = decoder(&shape, VOCABULARY, (sequences, shape.context), Mode::Train)?;
    let g = decoder.graph;
    let plan = Plan::new(
        &g,
        batch / sequences,
        Purpose::Train(optimiser(&config.optim)),
    )?;
    let totals = dry_run(&g, &plan);
    let rows: Vec<Row> = plan.items.iter().map(|i| Row::new(&g, &plan, i)).collect();
    let mut out = stdout().lock();
    if a.json {
        let steps: Vec<Value> = rows.iter().map(Row::json).collect();
        let object = json!({
            "parameters": totals.parameters,
            "flops_per_step": totals.flops,
            "bytes_peak": totals.bytes,
            "steps": steps,
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let _ = (&rows, Item::clone(&plan.items[0]), Step::Norm);
    Ok(())
}

struct Row {
    json: Value,
}

impl Row {
    fn new(_: &engine::Graph, _: &Plan, item: &Item) -> Row {
        Row {
            json: json!({"micro": item.micro}),
        }
    }

    fn json(&self) -> Value {
        self.json.clone()
    }
}
