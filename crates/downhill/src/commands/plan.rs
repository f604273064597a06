//! `downhill plan`: what a timed run would train, without training it.

use crate::arguments::{Train, TrainFlags};
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::progress::with_progress;
use crate::session::{assignments, config, stop_flag, text, threads};
use ::train::planner::{self, Candidate, Facts, TimePlan};
use ::train::{Corpus, Error};
use model::Config;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use watch::{count, duration};

/// The time of a run on a text of one's own if nothing says how long it should be.
const DEFAULT: Duration = Duration::from_secs(180);

pub fn run(a: &Train) -> Result<()> {
    let began = Instant::now();
    let stop = stop_flag()?;
    let planned = plan(a, &stop, began, a.flags.time.unwrap_or(DEFAULT))?;
    if a.flags.json {
        writeln!(out(), "{}", output::json(&planned.json())?)?;
        return Ok(());
    }
    planned.print(a.flags.explain)
}

/// The time that a run has: the one given, or the default where a text of one's own comes without
/// steps, preset or config.
pub fn time(a: &Train) -> Option<Duration> {
    let f = &a.flags;
    let c = &f.configured;
    let free =
        f.steps.is_none() && c.preset.is_none() && c.config.is_none() && no_steps(&c.sets).is_ok();
    f.time
        .or_else(|| (free && !a.paths.is_empty()).then_some(DEFAULT))
}

/// The share of the time that one measurement of the machine may take: one in so many.
const SHARE: u32 = 40;

/// Refuses assignments of the number of steps, which the time decides.
pub fn no_steps(sets: &[String]) -> Result<()> {
    if !sets
        .iter()
        .any(|set| set.trim_start().starts_with("train.steps"))
    {
        return Ok(());
    }
    let message = "--time decides the number of steps: leave out train.steps";
    Err(Failure::Usage(message.into()))
}

/// The longest time: beyond it, a clock may overflow.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A plan, and the text that it is for.
pub struct Planned {
    pub plan: TimePlan,
    pub corpus: Corpus,
    time: Duration,
}

/// Reads the text, measures this machine and plans.
pub fn plan(a: &Train, stop: &AtomicBool, began: Instant, time: Duration) -> Result<Planned> {
    let f = &a.flags;
    no_steps(&f.configured.sets)?;
    let Some(deadline) = began.checked_add(time).filter(|_| time <= LONGEST) else {
        return Err(Failure::Usage("--time: at most 365 days".into()));
    };
    let load = |sets: &[String]| load(f, sets);
    let first = load(&planner::first_sets())?;
    let text = text(a)?;
    let corpus = text.corpus;
    if text.paths.is_empty() && text::Exercises::of(corpus).is_some() {
        let message = format!(
            "--time is for texts: --corpus {corpus} has a preset of its own, so leave out --time"
        );
        return Err(Failure::Usage(message));
    }
    let corpus = with_progress(&first, f, stop, |control| {
        let choose =
            |scan: &data::Scan| planner::tokenizer(scan.report().bytes, &scan.sample().concat());
        text.read(&first, control, &choose)
    })?;
    let facts = Facts::of(&corpus)?;
    let threads = threads(first.train.threads)?;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut measure =
        |config: &Config| planner::step_seconds(config, facts.vocabulary, threads, left() / SHARE);
    let config = |sets: &[String]| load(sets).map_err(|e| Error::Task(e.message()));
    let plan = planner::plan(&facts, &left, &config, &mut measure);
    let mut plan = plan.map_err(|error| match error {
        Error::TooShort { seconds } => Error::TooShort {
            seconds: seconds + began.elapsed().as_secs_f64(),
        },
        other => other,
    })?;
    plan.config.data.tokenizer = corpus.chosen.clone();
    Ok(Planned { plan, corpus, time })
}

/// The config of a run: a plan's assignments, or none, with the user's on top.
pub fn load(f: &TrainFlags, sets: &[String]) -> Result<Config> {
    let mut configured = f.configured.clone();
    // Heads are chosen for the planned width, short windows for the planned context.
    let own = |key: &str| f.configured.sets.iter().any(|set| set.starts_with(key));
    let dropped = |set: &str| {
        own("model.heads=") && set.starts_with("model.kv_heads=")
            || (own("model.context=") || own("model.family="))
                && set.starts_with("train.short_context=")
            || own("model.width=")
                && (set.starts_with("model.heads=") || set.starts_with("model.kv_heads="))
    };
    let sets = sets.iter().filter(|set| !dropped(set));
    configured.sets = sets.chain(&f.configured.sets).cloned().collect();
    let mut config = config(&configured, &flags(f))?;
    config.train.precision = config.train.precision.settled();
    Ok(config)
}

/// The assignments that flags stand for.
pub fn flags(f: &TrainFlags) -> Vec<String> {
    let text = |n: Option<u64>| n.map(|n| n.to_string());
    let mut flags = assignments(&[
        ("train.steps", text(f.steps)),
        ("train.seed", text(f.seed)),
        ("train.members", text(f.members)),
        ("train.threads", text(f.threads)),
        ("train.patience", f.patience()),
    ]);
    flags.extend(assignments(&f.texts.assignments()));
    flags
}

impl Planned {
    /// Prints the plan in a few lines.
    pub fn print(&self, explain: bool) -> Result<()> {
        let (plan, chosen) = (&self.plan, &self.plan.chosen);
        let mut out = out();
        writeln!(
            out,
            "plan     {} · {} × {} · {} · {} steps · {:.1} epochs",
            duration(self.time.as_secs_f64()),
            chosen.layers,
            chosen.width,
            self.corpus.chosen,
            count(chosen.steps),
            chosen.epochs,
        )?;
        let [low, middle, high] = plan.forecast;
        writeln!(
            out,
            "         expected {middle:.3} bits per byte ({low:.3} to {high:.3})"
        )?;
        for reason in &plan.reasons {
            writeln!(out, "         {reason}")?;
        }
        if explain {
            let columns = "models  shape     parameters   ms/step    steps  epochs  bits/byte";
            writeln!(out, "\n  {columns}")?;
            for c in &plan.considered {
                let of = |c: &Candidate| (c.members, c.layers, c.width);
                let is_chosen = of(c) == of(chosen);
                writeln!(
                    out,
                    "  {:>6}  {:>2} × {:<4} {:>10.2} M {:>9.1} {:>8} {:>7.1} {:>10.3}{}",
                    c.members,
                    c.layers,
                    c.width,
                    c.parameters / 1e6,
                    c.step_seconds * 1e3,
                    c.steps,
                    c.epochs,
                    c.bits_per_byte,
                    if is_chosen { "  chosen" } else { "" },
                )?;
            }
        }
        writeln!(out)?;
        Ok(())
    }

    fn json(&self) -> Value {
        let [low, middle, high] = self.plan.forecast;
        let config: Option<toml::Table> = self.plan.config.to_toml().parse().ok();
        json!({
            "planned_seconds": self.time.as_secs_f64(),
            "predicted_bits_per_byte": middle,
            "predicted_low": low,
            "predicted_high": high,
            "steps": self.plan.chosen.steps,
            "epochs": self.plan.chosen.epochs,
            "config": config,
        })
    }
}
