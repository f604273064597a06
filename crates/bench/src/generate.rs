//! How fast does a model process a prompt and generate text, one token at a time?

use crate::error::Result;
use crate::machine::{Gauge, READINGS};
use crate::models::BenchModel;
use crate::step::random_tokens;
use crate::{Conditions, Found, Limits, Spread};
use engine::{Cpu, CpuSettings, Device, Precision, WeightForm};
use model::{Mode, decoder, initialize};
use serde::Serialize;
use session::{Opened, Plans, Sampling, Session, TokenSampler};
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

/// How fast a model from a run or a folder generates.
#[derive(Debug, Clone, Serialize)]
pub struct OwnTime {
    /// Tokens in the prompt.
    pub prompt: usize,
    /// Tokens generated after it.
    pub written: usize,
    /// Prompt tokens per second.
    pub prompt_tokens_per_second: f64,
    /// Generated tokens per second.
    pub tokens_per_second: f64,
    /// Bytes of weights that are read for each generated token.
    pub weight_bytes: u64,
    /// The same per second.
    pub bytes_per_second: f64,
    /// That divided by the read bandwidth of memory; above 1 if the weights stay in a cache.
    pub share_of_bandwidth: f64,
}

/// Measures generation with a model from its files: a prompt of up to 512 tokens, and up to 200
/// tokens after one of 16.
///
/// # Errors
/// As [`run`].
pub fn of_model(s: &mut Conditions, opened: &mut Opened) -> Result<Found<OwnTime>> {
    let vocabulary = opened.tokenizer.vocabulary_size();
    let weight_bytes = opened.bytes_per_token();
    let context = opened.model.context;
    let mut gauge = Gauge::new(s.threads);
    let (prompt, short) = (512.min(context), 16.min(context / 2).max(1));
    let written = (context - short).clamp(1, 200);
    let prompts = [
        random_tokens(prompt, vocabulary),
        random_tokens(short, vocabulary),
    ];
    let (mut reading, mut writing) = (Vec::new(), Vec::new());
    // The first text prepares the plans.
    for round in 0..=ROUNDS {
        gauge.take(READINGS)?;
        s.next(
            &format!("round {} of {}", round + 1, ROUNDS + 1),
            round as f64 / (ROUNDS + 1) as f64,
        )?;
        let mut session = opened.session();
        let (read, _) = one_text(&mut session, &prompts[0], 0)?;
        let (_, wrote) = one_text(&mut session, &prompts[1], written)?;
        if round > 0 {
            reading.push(prompt as f64 / read);
            writing.push(written as f64 / wrote);
        }
    }
    let machine = gauge.reading();
    let tokens_per_second = Spread::of(&writing).median;
    let bytes_per_second = tokens_per_second * weight_bytes as f64;
    let measured = vec![OwnTime {
        prompt,
        written,
        prompt_tokens_per_second: Spread::of(&reading).median,
        tokens_per_second,
        weight_bytes,
        bytes_per_second,
        share_of_bandwidth: bytes_per_second / machine.read_bytes.median,
    }];
    Ok(Found { machine, measured })
}

/// Approximate seconds that [`of_model`] takes.
pub fn own_seconds(opened: &Opened) -> f64 {
    let bytes = opened.bytes_per_token() as f64;
    2.0 + (ROUNDS + 1) as f64 * bytes * 20e-9
}

/// Reads a prompt, then generates; returns the seconds of both.
fn one_text(session: &mut Session, prompt: &[u32], written: usize) -> Result<(f64, f64)> {
    let from = Instant::now();
    let id = session.sequence()?;
    session.feed(&[(id, prompt)])?;
    // Greedy, so that it isn't drawing that is measured.
    let sampling = Sampling {
        temperature: 0.0,
        ..Sampling::default()
    };
    let mut sampler = TokenSampler::new(sampling, &[])?;
    let read = from.elapsed().as_secs_f64();
    for _ in 0..written {
        let token = session.draw(id, &mut sampler)?;
        session.feed(&[(id, &[token])])?;
    }
    session.release(id);
    Ok((read, from.elapsed().as_secs_f64() - read))
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
    let mut device = Cpu::new(CpuSettings {
        weights: WeightForm::F32,
        ..CpuSettings::with_threads(s.threads)
    });
    let graph = decoder(&shape, model.vocabulary, (1, 1), Mode::Score)?.graph;
    device.create(graph.variables(), None)?;
    initialize(&mut device, graph.variables(), config.train.seed)?;
    let mut plans = Plans::new(&shape, model.vocabulary, 1);
    let mut session = Session::new(&mut device, &mut plans);
    taken.prompt = 32.min(shape.context / 2);
    taken.written = (shape.context - taken.prompt).min(64);
    let prompt = random_tokens(taken.prompt, model.vocabulary);
    let mut text = || one_text(&mut session, &prompt, taken.written);
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
