//! `downhill bench`: this machine's limits, and how close training comes to them.

mod tables;

use crate::arguments::{Bench, Part, Products};
use crate::failure::{Failure, Result};
use crate::output::out;
use crate::session::{stop_flag, threads};
use crate::terminal;
use ::bench::chosen::choose;
use ::bench::{Conditions, gemm, generate, machine, ops, step};
use engine::{Precision, has_bf16, processor};
use run::Which;
use serde_json::{Map, Value};
use session::{Opened, Use};
use std::io::{Write, stderr};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub fn run(a: &Bench) -> Result<()> {
    if a.precision == Products::Bf16 && !has_bf16() {
        let message = "this processor can't multiply in bf16: omit --precision bf16";
        return Err(Failure::Failed(message.into()));
    }
    if a.run.is_some() && a.part != Part::Generate {
        let message = "a model's folder can only be given to `bench generate`";
        return Err(Failure::Usage(message.into()));
    }
    let chosen = choose(&a.only)?;
    let mut bench = Running {
        threads: threads(a.threads.map(|n| n as usize))?,
        precision: match a.precision {
            Products::F32 => Precision::F32,
            Products::Bf16 => Precision::Bf16,
        },
        stop: stop_flag()?,
        json: a.json,
        found: Map::new(),
    };
    if let Some(run) = &a.run {
        return own(&mut bench, run, a);
    }
    bench.print(format_args!("{}, threads: {}", processor(), bench.threads))?;
    bench.found.insert("processor".into(), processor().into());
    bench.found.insert("threads".into(), bench.threads.into());
    let expected = machine::seconds(bench.threads);
    let readings = bench.part("machine", expected, machine::run)?;
    bench.show("machine", &readings, tables::machine)?;
    let precision = bench.precision;
    let wants = |part| a.part == part || a.part == Part::All;
    if wants(Part::Ops) {
        let (models, only) = (chosen.small_sizes(), &chosen.operations);
        let expected = ops::seconds(&models, only);
        let found = bench.part("ops", expected, |s| ops::run(s, &models, only))?;
        bench.show("ops", &found, |out, found| {
            tables::ops(out, precision, found)
        })?;
    }
    if wants(Part::Step) {
        let models = chosen.all_sizes();
        let limits = readings.last().map(|r| r.limits(bench.precision));
        let limits = limits.unwrap_or_default();
        let expected = step::seconds(&models, &limits)?;
        let found = bench.part("step", expected, |s| step::run(s, &models, &limits))?;
        bench.show("step", &found, |out, found| {
            tables::steps(out, precision, found)
        })?;
    }
    if wants(Part::Gemm) {
        let models = chosen.small_sizes();
        let expected = gemm::seconds(&models, bench.threads)?;
        let found = bench.part("gemm", expected, |s| gemm::run(s, &models))?;
        bench.show("gemm", &found, tables::gemm)?;
    }
    if wants(Part::Generate) {
        let models = chosen.all_sizes();
        let expected = generate::seconds(&models)?;
        let found = bench.part("generate", expected, |s| generate::run(s, &models))?;
        bench.show("generate", &found, tables::generate)?;
    }
    if a.json {
        writeln!(out(), "{}", Value::Object(bench.found))?;
    }
    Ok(())
}

/// Measures generation with the user's own model.
fn own(bench: &mut Running, run: &Path, a: &Bench) -> Result<()> {
    let how = Use {
        threads: bench.threads,
        weights: a.weights.form(),
        ..Use::default()
    };
    let mut opened = Opened::open(run, Which::Best, how)?;
    bench.print(format_args!("{}, threads: {}", processor(), bench.threads))?;
    let expected = generate::own_seconds(&opened);
    let found = bench.part("generate", expected, |s| generate::of_model(s, &mut opened))?;
    if !a.json {
        return Ok(tables::own(&mut out(), &found)?);
    }
    let measured = found.measured.first().map(value).transpose()?;
    let mut fields = Map::new();
    fields.insert("processor".into(), processor().into());
    fields.insert("threads".into(), bench.threads.into());
    fields.insert("weights".into(), a.weights.name().into());
    fields.insert(
        "read_bytes_per_second".into(),
        found.machine.read_bytes.median.into(),
    );
    if let Some(Value::Object(measured)) = measured {
        fields.extend(measured);
    }
    Ok(writeln!(out(), "{}", Value::Object(fields))?)
}

/// What all parts share.
struct Running {
    threads: usize,
    precision: Precision,
    stop: std::sync::Arc<AtomicBool>,
    json: bool,
    /// The object that `--json` prints.
    found: Map<String, Value>,
}

impl Running {
    /// Prints a line, unless `--json` is set.
    fn print(&self, line: std::fmt::Arguments) -> Result<()> {
        if !self.json {
            writeln!(out(), "{line}")?;
        }
        Ok(())
    }

    /// Runs one part; prints its expected time and, in a terminal, its progress.
    fn part<T>(
        &self,
        name: &str,
        expected: f64,
        work: impl FnOnce(&mut Conditions) -> ::bench::Result<T>,
    ) -> Result<T> {
        self.print(format_args!("\n{name}: takes about {expected:.0} s"))?;
        let live = !self.json && terminal::width().is_some();
        let from = Instant::now();
        let mut progress = |what: &str, done: f64| {
            let spent = from.elapsed().as_secs_f64();
            let left = if done > 0.05 {
                spent / done - spent
            } else {
                expected - spent
            };
            if live {
                // The progress line may be lost; the results may not.
                let _ = write!(
                    stderr(),
                    "\r\x1b[K{name}: {what}, {:.0} s left",
                    left.max(0.0)
                );
            }
        };
        let mut conditions = Conditions {
            threads: self.threads,
            precision: self.precision,
            stop: &self.stop,
            progress: &mut progress,
        };
        let done = work(&mut conditions);
        if live {
            let _ = write!(stderr(), "\r\x1b[K");
        }
        Ok(done?)
    }

    /// Prints a result as a table, or adds it to the JSON object.
    fn show<T: serde::Serialize>(
        &mut self,
        name: &str,
        result: &T,
        table: impl FnOnce(&mut dyn Write, &T) -> std::io::Result<()>,
    ) -> Result<()> {
        if self.json {
            self.found.insert(name.into(), value(result)?);
        } else {
            table(&mut out(), result)?;
        }
        Ok(())
    }
}

fn value(result: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(result)
        .map_err(|e| Failure::Failed(format!("a result can't be written as JSON: {e}")))
}
