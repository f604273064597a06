//! `downhill fit`: a line or plane through points, by gradient descent.

use super::train::Output;
use crate::arguments::Fit;
use crate::failure::{Failure, Result};
use crate::output::{self, out, tell};
use crate::session::{assignments, choice, saving_flag};
use ::train::{Outcome, Trainer, TrainerSettings};
use engine::Reference;
use model::{Config, OptimizerName};
use run::{Disk, End, Event, Kind, RunConfig, RunFolder, What};
use serde_json::{Map, Value, json};
use serve::Runs;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use study::fit::{Curvature, FitTask, Line, Model, Points, Source, column_names};

/// Default maximum number of steps.
const STEPS: u64 = 10_000;
/// An interval that is never reached: a fit is evaluated and saved only at its end.
const NEVER: u64 = 1_000_000_000;
/// Maximum width of a column's name in the table of weights.
const NAME: usize = 30;

/// What is printed at the end.
struct FitReport {
    model: Model,
    closed_form: Line,
    known: Option<Line>,
    condition: f64,
    /// Steps done.
    steps: u64,
    end: End,
}

pub fn run(a: &Fit) -> Result<()> {
    let began = Instant::now();
    let stop = saving_flag(false)?;
    config(a, None)?;
    let mut points = points(a)?;
    let (source, known) = (points.source.clone(), points.known.take());
    let mut task = FitTask::new(points)?;
    let config = config(a, Some(task.curvature()))?;
    let folder = RunFolder::create(Arc::new(Disk), &choice(&a.run, a.overwrite, "fit"))?;
    record(a, &folder, &config, &source)?;
    let mut device = Reference::new();
    let warning = task.warning();
    let (closed_form, condition) = (task.closed_form(), task.condition());
    let mut screen = (!a.json).then(|| Output::new(false, a.quiet));
    let (mut steps, mut end) = (0, End::default());
    let outcome = {
        let mut show = |event: &Event| {
            if let What::End(e) = &event.what {
                (steps, end) = (event.step.unwrap_or_default(), e.clone());
            }
            if let Some(screen) = &mut screen {
                screen.event(event);
            }
        };
        let settings = TrainerSettings {
            deadline: None,
            config,
            threads: 1,
            began,
            stop: &stop,
        };
        Trainer::new(settings, &mut task, &mut device, &folder, None, &mut show).and_then(
            |mut trainer| {
                warning
                    .iter()
                    .try_for_each(|text| trainer.warn(text.clone()))?;
                trainer.run()
            },
        )
    };
    if let Some(screen) = screen {
        screen.finish();
    }
    let outcome = outcome?;
    if a.json
        && let Some(warning) = &warning
    {
        tell(&format!("warning: {warning}"));
    }
    let report = FitReport {
        model: task.model(&device)?,
        closed_form,
        known,
        condition,
        steps,
        end,
    };
    match a.json {
        true => writeln!(out(), "{}", output::json(&report.json())?)?,
        false => report.print(&mut out())?,
    }
    if a.watch && outcome == Outcome::Finished {
        study::landscape::Landscape::save(&folder)?;
        let runs = Runs::These(vec![folder.path().to_path_buf()]);
        // Nobody writes to it any more.
        drop(folder);
        return super::watch::show(runs, None, &stop);
    }
    match outcome {
        Outcome::Finished => Ok(()),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

fn points(a: &Fit) -> Result<Points> {
    match (&a.file, &a.target) {
        (Some(file), Some(target)) => Ok(Points::read(file, target)?),
        (Some(file), None) => {
            let columns = study::fit::listed(&column_names(file)?);
            Err(Failure::Usage(format!(
                "which column should be predicted? Choose it with --target; {} has {columns}",
                file.display()
            )))
        }
        (None, None) => Ok(Points::line()),
        (None, Some(_)) => {
            let message = "--target names a column of a CSV file: give the file too";
            Err(Failure::Usage(message.into()))
        }
    }
}

/// Writes run.toml.
fn record(a: &Fit, folder: &RunFolder, config: &Config, points: &Source) -> Result<()> {
    let mut given = Config::given(None, None, &a.sets);
    given.extend(a.steps.map(|_| "train.steps".into()));
    let text = RunConfig::text(&Kind::Fit, &config.to_toml(), points)?;
    Ok(folder.write_config_given(&text, &given)?)
}

/// The config: defaults for a fit, then the user's own values. The learning rate follows from the
/// data's curvature; without it, the user's values are still checked.
fn config(a: &Fit, curvature: Option<Curvature>) -> Result<Config> {
    let mut sets: Vec<String> = [
        "optim.name=momentum",
        "optim.schedule=constant",
        "optim.warmup=0",
        "optim.weight_decay=0",
        "optim.clip=none",
        "train.threads=1",
    ]
    .map(String::from)
    .to_vec();
    sets.extend([
        format!("train.steps={STEPS}"),
        format!("eval.every={NEVER}"),
        format!("checkpoint.every={NEVER}"),
    ]);
    let own = assignments(&[("train.steps", a.steps.map(|n| n.to_string()))]);
    let own: Vec<String> = a.sets.iter().cloned().chain(own).collect();
    let all = |sets: &[String]| -> Vec<String> { sets.iter().chain(&own).cloned().collect() };
    let first = Config::load(None, None, &all(&sets))?;
    let Some(curvature) = curvature else {
        return Ok(first);
    };
    let set = |(rate, momentum): (f64, f64)| {
        vec![
            format!("optim.lr={rate:?}"),
            format!("optim.momentum={momentum:?}"),
        ]
    };
    sets.extend(match first.optim.name {
        OptimizerName::Sgd => vec![format!("optim.lr={:?}", curvature.plain())],
        OptimizerName::Momentum => set(curvature.momentum()),
        OptimizerName::Nesterov => set(curvature.nesterov()),
        // Their steps don't shrink with the gradient, so the rate has to.
        OptimizerName::Adam
        | OptimizerName::Adamw
        | OptimizerName::Muon
        | OptimizerName::Normuon => {
            let falling = ["optim.lr=0.05", "optim.schedule=cosine", "optim.lr_min=0.0"];
            falling.map(String::from).to_vec()
        }
    });
    Ok(Config::load(None, None, &all(&sets))?)
}

impl FitReport {
    fn json(&self) -> Value {
        let line = |line: &Line| {
            let names = self.model.columns.iter().cloned();
            let weights: Map<String, Value> =
                names.zip(line.weights.iter().map(|w| json!(w))).collect();
            json!({ "weights": weights, "intercept": line.intercept })
        };
        let mut object = line(&self.model.line);
        object["mse"] = json!(self.end.mse);
        object["r2"] = json!(self.end.r2);
        object["steps"] = json!(self.steps);
        object["closed_form"] = line(&self.closed_form);
        if let Some(known) = &self.known {
            object["known"] = line(known);
        }
        object["condition_number"] = json!(self.condition);
        object["reason"] = json!(self.end.reason);
        object["run"] = json!(self.end.run);
        object
    }

    /// Our weights beside those of the closed form, and the true ones if known.
    fn print(&self, out: &mut impl Write) -> Result<()> {
        let why = match self.end.reason.as_str() {
            "target" => "the gradient has all but vanished (at most 1e-7 of the first)",
            "interrupted" => "interrupted before the gradient vanished",
            _ => "reached the last step before the gradient vanished: try more --steps",
        };
        writeln!(out, "stop     {why}")?;
        let condition = match self.condition {
            x if x.is_finite() => format!("{x:.4}"),
            _ => "infinite".into(),
        };
        writeln!(out, "columns  condition number {condition}")?;
        writeln!(out)?;
        let model = &self.model;
        let names = model.columns.iter().map(|name| shown(name));
        let names: Vec<String> = names.chain(["(intercept)".into()]).collect();
        let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        let lines = [
            Some(&model.line),
            Some(&self.closed_form),
            self.known.as_ref(),
        ];
        let lines: Vec<&Line> = lines.into_iter().flatten().collect();
        let row = |out: &mut dyn Write, name: &str, cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>16}")).collect();
            writeln!(out, "{name:width$}  {}", cells.join("  "))
        };
        let titles = ["descent", "closed form", "true"].iter().take(lines.len());
        let target = shown(&model.target);
        row(out, &target, titles.map(|t| t.to_string()).collect())?;
        for (at, name) in names.iter().enumerate() {
            let number = |line: &&Line| line.weights.get(at).copied().unwrap_or(line.intercept);
            row(out, name, lines.iter().map(|l| figure(number(l))).collect())?;
        }
        Ok(())
    }
}

/// A number with ten digits.
fn figure(x: f64) -> String {
    match x.abs() {
        size if size == 0.0 || (1e-3..1e5).contains(&size) => format!("{x:.9}"),
        _ => format!("{x:.9e}"),
    }
}

/// A name on one line.
fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(NAME).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text.replace(char::is_control, " ")
}
