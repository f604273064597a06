//! `downhill bench`: what this machine can do, and how near training comes to it.

mod tables;

use crate::arguments::{Bench, Part};
use crate::failure::{Failure, Result};
use crate::session::{stop_flag, threads};
use crate::terminal;
use ::bench::{Session, machine, models, step};
use engine::processor;
use serde_json::{Map, Value};
use std::io::{Write, stderr, stdout};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub fn run(a: &Bench) -> Result<()> {
    let models = models::choose(&a.only)?;
    let mut bench = Running {
        threads: threads(a.threads.map(|n| n as usize)),
        stop: stop_flag()?,
        json: a.json,
        found: Map::new(),
    };
    bench.say(format_args!("{}, threads: {}", processor(), bench.threads))?;
    let wants = |part| a.part == part || a.part == Part::All;
    bench.found.insert("processor".into(), processor().into());
    bench.found.insert("threads".into(), bench.threads.into());
    let expected = machine::seconds(bench.threads);
    let readings = bench.part("machine", expected, |s| Ok(machine::run(s)?))?;
    bench.show("machine", &readings, tables::machine)?;
    if let (true, Some(all)) = (wants(Part::Step), readings.last()) {
        let limits = all.limits();
        let expected = step::seconds(&models, &limits)?;
        let (reading, steps) =
            bench.part("step", expected, |s| Ok(step::run(s, &models, &limits)?))?;
        bench.found.insert("step_limits".into(), value(&reading)?);
        bench.show("step", &steps, |out, steps| {
            tables::steps(out, &reading, steps)
        })?;
    }
    if a.json {
        writeln!(stdout().lock(), "{}", Value::Object(bench.found))?;
    }
    Ok(())
}

/// What is shared by the parts.
struct Running {
    threads: usize,
    stop: std::sync::Arc<AtomicBool>,
    json: bool,
    /// The object that `--json` prints.
    found: Map<String, Value>,
}

impl Running {
    /// Prints a line, unless JSON is wanted.
    fn say(&self, line: std::fmt::Arguments) -> Result<()> {
        if !self.json {
            writeln!(stdout().lock(), "{line}")?;
        }
        Ok(())
    }

    /// Runs one part: says how long it takes and, in a terminal, how far it is.
    fn part<T>(
        &self,
        name: &str,
        expected: f64,
        work: impl FnOnce(&mut Session) -> Result<T>,
    ) -> Result<T> {
        self.say(format_args!("\n{name}: takes about {expected:.0} s"))?;
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
                // Nobody is told less if this line can't be written.
                let _ = write!(
                    stderr(),
                    "\r\x1b[K{name}: {what}, {:.0} s left",
                    left.max(0.0)
                );
            }
        };
        let mut session = Session {
            threads: self.threads,
            stop: &self.stop,
            progress: &mut progress,
        };
        let done = work(&mut session);
        if live {
            let _ = write!(stderr(), "\r\x1b[K");
        }
        done
    }

    /// Shows a result as a table, or keeps it for the JSON object.
    fn show<T: serde::Serialize>(
        &mut self,
        name: &str,
        result: &T,
        table: impl FnOnce(&mut dyn Write, &T) -> std::io::Result<()>,
    ) -> Result<()> {
        if self.json {
            self.found.insert(name.into(), value(result)?);
        } else {
            table(&mut stdout().lock(), result)?;
        }
        Ok(())
    }
}

fn value(result: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(result).map_err(|e| Failure::Failed(format!("a result is no JSON: {e}")))
}
