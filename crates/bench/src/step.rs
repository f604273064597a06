//! How long does a training step take (forward, backward, clip, update), and where does the time
//! go? Every entry of the plan's schedule is timed from barrier to barrier and compared with its
//! bound.

use crate::error::Result;
use crate::machine::{Gauge, READINGS};
use crate::models::BenchModel;
use crate::{Conditions, Found, Limits, Spread};
use engine::{
    Cost, Cpu, CpuSettings, Device, Graph, HostMut, NodeId, Plan, Precision, RandomPurpose, Ready,
    Scalars, Stream, ValueId, Variable, Work,
};
use model::initialize;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Rounds; each sets up every model anew and measures it.
const ROUNDS: usize = 3;
/// Approximate seconds per model and round.
const ROUND_SECONDS: f64 = 0.8;
/// Maximum steps per round.
const MOST: f64 = 25.0;

/// A share of a step's time.
#[derive(Debug, Clone, Serialize)]
pub struct StepShare {
    /// The operation.
    pub operation: String,
    /// Forward, backward or update.
    pub pass: &'static str,
    /// Shapes of the first two inputs; none if the row sums over several shapes.
    pub shape: Option<String>,
    /// Number of schedule entries.
    pub count: usize,
    /// Their FLOPs.
    pub flops: u64,
    /// Their minimum bytes moved.
    pub bytes: u64,
    /// Σ max(FLOPs / peak, bytes / bandwidth).
    pub bound_seconds: f64,
    /// Their time in one step.
    pub seconds: Spread,
}

impl StepShare {
    /// The possible gain, seconds.
    pub fn gap(&self) -> f64 {
        self.seconds.median - self.bound_seconds
    }
}

/// The measurements of one model's training step.
#[derive(Debug, Clone, Serialize)]
pub struct StepTime {
    /// The model's name.
    pub name: &'static str,
    /// Its family.
    pub family: &'static str,
    /// Number format of the products.
    pub precision: &'static str,
    /// Parameters.
    pub parameters: u64,
    /// Batch size B.
    pub batch: usize,
    /// Context length T.
    pub context: usize,
    /// FLOPs of a step.
    pub flops: u64,
    /// Minimum bytes moved by a step.
    pub bytes: u64,
    /// Time of a step.
    pub seconds: Spread,
    /// FLOPs of a step divided by its median time.
    pub flops_per_second: f64,
    /// FLOP/s as a share of the peak.
    pub share_of_peak: f64,
    /// Tokens of a step divided by its median time.
    pub tokens_per_second: f64,
    /// Peak memory of the process with only this model loaded (least of all rounds), if the system
    /// reports it.
    pub peak_bytes: Option<u64>,
    /// Σ max(FLOPs / peak, bytes / bandwidth) over the schedule.
    pub bound_seconds: f64,
    /// Median time divided by that bound.
    pub times_bound: f64,
    /// By operation and pass, largest gain first.
    pub parts: Vec<StepShare>,
    /// By operation, pass and shape, largest gain first.
    pub shapes: Vec<StepShare>,
}

/// Approximate seconds that [`run`] takes.
///
/// # Errors
/// If a model can't be recorded.
pub fn seconds(models: &[BenchModel], limits: &Limits) -> Result<f64> {
    let mut total = 0.0;
    for model in models {
        let (config, training) = model.record()?;
        let plan = training.plan(&config)?;
        let step = plan.cost().flops as f64 / (0.4 * limits.flops);
        let set_up = plan.graph().parameters() as f64 * 30e-9;
        total += ROUNDS as f64 * (step * (1.0 + repeats(step)) + set_up);
    }
    Ok(total)
}

fn repeats(step: f64) -> f64 {
    (ROUND_SECONDS / step).ceil().clamp(1.0, MOST)
}

/// Measures the training steps of these models, interleaved with the machine's limits.
///
/// # Errors
/// If memory runs out, a thread fails, or the user stops the run.
pub fn run(s: &mut Conditions, models: &[BenchModel], limits: &Limits) -> Result<Found<StepTime>> {
    let mut taken: Vec<Taken> = models.iter().map(|_| Taken::default()).collect();
    let mut gauge = Gauge::new(s.threads);
    let total = seconds(models, limits)?;
    let from = Instant::now();
    for round in 1..=ROUNDS {
        gauge.take(READINGS)?;
        for (model, taken) in models.iter().zip(&mut taken) {
            let done = from.elapsed().as_secs_f64() / total;
            s.next(
                &format!("round {round} of {ROUNDS}, {}", model.name),
                done.min(0.99),
            )?;
            measure(s, model, taken)?;
        }
    }
    let machine = gauge.reading();
    let limits = machine.limits(s.precision);
    let each = models.iter().zip(&taken);
    let measured = each.map(|(model, taken)| summary(model, s.precision, taken, &limits));
    let measured = measured.collect::<Result<_>>()?;
    Ok(Found { machine, measured })
}

/// The measurements of one model so far.
#[derive(Default)]
struct Taken {
    seconds: Vec<f64>,
    /// Times of the schedule's entries in each timed step.
    entries: Vec<Vec<Duration>>,
    peak_bytes: Option<u64>,
}

/// One round of one model: setup, one warm-up step, then timed steps.
fn measure(s: &mut Conditions, model: &BenchModel, taken: &mut Taken) -> Result<()> {
    forget_peak();
    let mut prepared = PreparedStep::new(s.threads, s.precision, model)?;
    let warm = prepared.step()?;
    for _ in 0..repeats(warm) as u64 {
        s.alive()?;
        taken.seconds.push(prepared.step()?);
        taken.entries.push(prepared.times.clone());
    }
    // The least of all rounds: a round's peak may include memory that the allocator still holds
    // from another model.
    let peak = run::peak_bytes();
    taken.peak_bytes = taken
        .peak_bytes
        .map_or(peak, |least| peak.map(|p| p.min(least)));
    Ok(())
}

/// A model on a device, initialized, with one batch of random tokens, ready to train.
pub struct PreparedStep {
    /// The device.
    pub device: Cpu,
    /// The variables in its store.
    pub variables: Vec<Variable>,
    /// The config.
    pub config: model::Config,
    /// Tokens [B·T].
    pub inputs: Vec<u32>,
    /// Tokens to predict [B·T].
    pub targets: Vec<u32>,
    ready: Ready,
    micros: usize,
    cost: Option<ValueId>,
    scalars: Scalars,
    /// Times of the schedule's entries in the last step.
    times: Vec<Duration>,
}

impl PreparedStep {
    /// Sets up a model.
    ///
    /// # Errors
    /// If the config is invalid or memory runs out.
    pub fn new(threads: usize, precision: Precision, model: &BenchModel) -> Result<PreparedStep> {
        let (config, training) = model.record()?;
        let plan = training.plan(&config)?.in_precision(precision);
        let decoder = &training.decoder;
        let variables = decoder.graph.variables().to_vec();
        let mut device = Cpu::new(CpuSettings::with_threads(threads));
        device.create(&variables, plan.optimizer())?;
        initialize(&mut device, &variables, config.train.seed)?;
        let times = vec![Duration::ZERO; plan.items().len()];
        let ready = device.prepare(plan)?;
        let (batch, time) = (config.train.batch, config.model.context);
        let tokens = random_tokens(batch * time + 1, model.vocabulary);
        let (inputs, targets) = (tokens[..batch * time].to_vec(), tokens[1..].to_vec());
        training.fill(&mut device, ready, &inputs, &targets)?;
        let scalars = Scalars {
            seed: config.train.seed,
            step: 0,
            rate: config.optim.lr,
            loss_weight: training.loss_weight,
        };
        Ok(PreparedStep {
            device,
            variables,
            config,
            inputs,
            targets,
            ready,
            micros: training.micros,
            cost: decoder.cost.map(|(cost, _)| cost),
            scalars,
            times,
        })
    }

    /// Trains one step on the batch, which is always the same, and returns the seconds.
    ///
    /// # Errors
    /// If a thread fails.
    pub fn step(&mut self) -> Result<f64> {
        let from = Instant::now();
        self.device
            .run_timed(self.ready, &self.scalars, &mut self.times)?;
        self.scalars.step += 1;
        Ok(from.elapsed().as_secs_f64())
    }

    /// The loss of the last step before its update, nats per token.
    ///
    /// # Errors
    /// If the device fails.
    pub fn loss(&self) -> Result<f64> {
        let mut shares = vec![0.0; self.micros];
        if let Some(cost) = self.cost {
            self.device
                .read(self.ready, cost, HostMut::Double(&mut shares))?;
        }
        Ok(shares.iter().sum())
    }
}

/// Random tokens below `vocabulary`, the same on every machine.
pub(crate) fn random_tokens(count: usize, vocabulary: usize) -> Vec<u32> {
    let mut stream = Stream::new(1, RandomPurpose::Check, 0);
    (0..count)
        .map(|_| stream.below(vocabulary) as u32)
        .collect()
}

/// Resets the process's peak memory (Linux).
fn forget_peak() {
    // If that fails, the peak covers all measurements so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn summary(
    model: &BenchModel,
    precision: Precision,
    taken: &Taken,
    limits: &Limits,
) -> Result<StepTime> {
    let (config, training) = model.record()?;
    let plan = training.plan(&config)?;
    let parameters = plan.graph().parameters();
    let seconds = Spread::of(&taken.seconds);
    let parts = |by_shape| parts(&plan, taken, limits, by_shape);
    let bounds = plan.items().iter();
    let bounds = bounds.map(|i| limits.bound(plan.item_cost(i)));
    let bound_seconds: f64 = bounds.sum();
    let (batch, context) = (config.train.batch, config.model.context);
    Ok(StepTime {
        name: model.name,
        family: config.model.family.name(),
        precision: crate::name(precision),
        parameters,
        batch,
        context,
        flops: plan.cost().flops,
        bytes: plan.cost().bytes,
        seconds,
        flops_per_second: plan.cost().flops as f64 / seconds.median,
        share_of_peak: plan.cost().flops as f64 / seconds.median / limits.flops,
        tokens_per_second: (batch * context) as f64 / seconds.median,
        peak_bytes: taken.peak_bytes,
        bound_seconds,
        times_bound: seconds.median / bound_seconds,
        parts: parts(false),
        shapes: parts(true),
    })
}

/// Sums the schedule's entries that have the same key.
fn parts(plan: &Plan, taken: &Taken, limits: &Limits, by_shape: bool) -> Vec<StepShare> {
    let mut groups: Vec<(StepShare, Vec<f64>)> = Vec::new();
    for (entry, item) in plan.items().iter().enumerate() {
        let (operation, pass, shape) = describe(plan.graph(), item.work);
        let shape = shape.filter(|_| by_shape);
        let alike = |(p, _): &(StepShare, _)| {
            p.operation == operation && p.pass == pass && p.shape == shape
        };
        let place = groups.iter().position(alike).unwrap_or_else(|| {
            let part = StepShare {
                operation,
                pass,
                shape,
                count: 0,
                flops: 0,
                bytes: 0,
                bound_seconds: 0.0,
                seconds: Spread::of(&[]),
            };
            groups.push((part, vec![0.0; taken.entries.len()]));
            groups.len() - 1
        });
        let (part, seconds) = &mut groups[place];
        let cost: Cost = plan.item_cost(item);
        part.count += 1;
        part.flops += cost.flops;
        part.bytes += cost.bytes;
        part.bound_seconds += limits.bound(cost);
        let times = taken.entries.iter().map(|times| times[entry].as_secs_f64());
        seconds.iter_mut().zip(times).for_each(|(sum, t)| *sum += t);
    }
    let each = groups.into_iter().map(|(part, seconds)| StepShare {
        seconds: Spread::of(&seconds),
        ..part
    });
    let mut parts: Vec<StepShare> = each.collect();
    parts.sort_by(|a, b| b.gap().total_cmp(&a.gap()));
    parts
}

/// Operation, pass and the shapes of its first two inputs.
fn describe(g: &Graph, work: Work) -> (String, &'static str, Option<String>) {
    let node = |node: NodeId, pass| {
        let name = g.node(node).op.name();
        (name.to_owned(), pass, Some(shapes(g, node)))
    };
    match work {
        Work::Forward(n) => node(n, "forward"),
        Work::Backward(n) => node(n, "backward"),
        Work::Norm => ("gradient norm".into(), "update", None),
        Work::Update(_) => ("optimizer".into(), "update", None),
    }
}

/// Shapes of a node's first two inputs.
pub(crate) fn shapes(g: &Graph, node: NodeId) -> String {
    let shapes = g.inputs(node).into_iter().take(2);
    let shapes: Vec<String> = shapes.map(|s| format!("{}×{}", s.rows, s.width)).collect();
    shapes.join(" ")
}
