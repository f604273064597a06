//! How fast does a model process a prompt and generate text, one token at a time?

use crate::error::Result;
use crate::machine::{Gauge, READINGS};
use crate::models::BenchModel;
use crate::step::random_tokens;
use crate::{Conditions, Found, Limits, Spread};
use engine::{Cpu, CpuSettings, Device, Precision};
use model::{Mode, decoder, initialize};
use serde::Serialize;
use session::{Plans, Sampling, Session, TokenSampler};
use std::time::Instant;

/// Rounds; each sets up every model anew and lets it generate.
const ROUNDS: usize = 3;
/// Approximate seconds of generation per model and round.
const ROUND_SECONDS: f64 = 0.5;
/// Maximum texts per round.
const MOST: f64 = 20.0;

/// The measurements of one model's generation.
#[derive(Debug, Clone, Serialize)]
pub struct GenerationTime {
    /// The model's name.
    pub name: &'static str,
    /// Tokens in the prompt.
    pub prompt: usize,
    /// Tokens generated after it.
    pub written: usize,
    /// Prompt tokens per second.
    pub prompt_tokens_per_second: Spread,
    /// Generated tokens per second.
    pub tokens_per_second: Spread,
    /// Least seconds for one token: Σ max(FLOPs / peak, bytes / bandwidth) over the list.
    pub bound_seconds: f64,
    /// Median time per token divided by that bound.
    pub times_bound: f64,
}

/// Drops models whose shape repeats an earlier one: the batch size makes no difference here.
pub fn distinct(models: &[BenchModel]) -> Result<Vec<BenchModel>> {
    let mut shapes = Vec::new();
    let mut distinct = Vec::new();
    for model in models {
        let shape = model.config()?.model;
        if !shapes.contains(&shape) {
            shapes.push(shape);
            distinct.push(*model);
        }
    }
    Ok(distinct)
}

/// Approximate seconds that [`run`] takes.
///
/// # Errors
/// If a model can't be recorded.
pub fn seconds(models: &[BenchModel]) -> Result<f64> {
    let mut total = 0.0;
    for model in distinct(models)? {
        let parameters = model.record()?.1.decoder.graph.parameters();
        total += ROUNDS as f64 * (ROUND_SECONDS + parameters as f64 * 60e-9);
    }
    Ok(total)
}

/// Measures generation with these models, interleaved.
///
/// # Errors
/// If memory runs out, a thread fails, or the user stops the run.
pub fn run(s: &mut Conditions, models: &[BenchModel]) -> Result<Found<GenerationTime>> {
    let models = distinct(models)?;
    let mut taken: Vec<Taken> = models.iter().map(|_| Taken::default()).collect();
    let mut gauge = Gauge::new(s.threads);
    for round in 0..ROUNDS {
        gauge.take(READINGS)?;
        for (at, (model, taken)) in models.iter().zip(&mut taken).enumerate() {
            let done = (round * models.len() + at) as f64 / (ROUNDS * models.len()) as f64;
            let what = format!("round {} of {ROUNDS}, {}", round + 1, model.name);
            s.next(&what, done)?;
            measure(s, model, taken)?;
        }
    }
    let machine = gauge.reading();
    let limits = machine.limits(Precision::F32);
    let each = models.iter().zip(&taken);
    let measured = each.map(|(model, taken)| summary(model, taken, &limits));
    let measured = measured.collect::<Result<_>>()?;
    Ok(Found { machine, measured })
}

/// The measurements of one model so far.
#[derive(Default)]
struct Taken {
    prompt: usize,
    written: usize,
    reading: Vec<f64>,
    writing: Vec<f64>,
}

fn measure(s: &Conditions, model: &BenchModel, taken: &mut Taken) -> Result<()> {
    let config = model.config()?;
    let shape = config.model.clone();
    let mut device = Cpu::new(CpuSettings::with_threads(s.threads));
    let graph = decoder(&shape, model.vocabulary, (1, 1), Mode::Score)?.graph;
    device.create(graph.variables(), None)?;
    initialize(&mut device, graph.variables(), config.train.seed)?;
    let mut plans = Plans::new(&shape, model.vocabulary, 1);
    let mut session = Session::new(&mut device, &mut plans);
    taken.prompt = 32.min(shape.context / 2);
    taken.written = (shape.context - taken.prompt).min(64);
    let prompt = random_tokens(taken.prompt, model.vocabulary);
    let sampling = Sampling {
        seed: config.train.seed,
        ..Sampling::default()
    };
    let mut text = || -> Result<(f64, f64)> {
        let from = Instant::now();
        let id = session.sequence()?;
        session.feed(&[(id, &prompt)])?;
        let mut sampler = TokenSampler::new(sampling, &[])?;
        let read = from.elapsed().as_secs_f64();
        for _ in 0..taken.written {
            let token = session.draw(id, &mut sampler)?;
            session.feed(&[(id, &[token])])?;
        }
        session.release(id);
        Ok((read, from.elapsed().as_secs_f64() - read))
    };
    text()?;
    let (read, written) = text()?;
    let repeats = (ROUND_SECONDS / (read + written)).ceil().clamp(1.0, MOST);
    for _ in 0..repeats as usize {
        s.alive()?;
        let (read, written) = text()?;
        taken.reading.push(taken.prompt as f64 / read);
        taken.writing.push(taken.written as f64 / written);
    }
    Ok(())
}

fn summary(model: &BenchModel, taken: &Taken, limits: &Limits) -> Result<GenerationTime> {
    let plans = Plans::new(&model.config()?.model, model.vocabulary, 1);
    let plan = plans.one_token()?;
    let bounds = plan.items().iter();
    let bounds = bounds.map(|i| limits.bound(plan.item_cost(i)));
    let bound_seconds: f64 = bounds.sum();
    let tokens_per_second = Spread::of(&taken.writing);
    Ok(GenerationTime {
        name: model.name,
        prompt: taken.prompt,
        written: taken.written,
        prompt_tokens_per_second: Spread::of(&taken.reading),
        times_bound: 1.0 / tokens_per_second.median / bound_seconds,
        tokens_per_second,
        bound_seconds,
    })
}
