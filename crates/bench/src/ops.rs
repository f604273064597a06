//! How fast is each operation alone, forward and backward?

use crate::error::Result;
use crate::machine::{Gauge, READINGS};
use crate::models::BenchModel;
use crate::single::Single;
use crate::{Conditions, Found, Limits, Spread};
use engine::{Angles, Cost, CpuSettings, Graph, Heads, Init, ValueId, Variable, micro_batch};
use model::ModelConfig;
use serde::Serialize;
use std::time::Instant;

/// Rounds; each measures every operation.
const ROUNDS: usize = 3;
/// Approximate seconds per operation and round.
const ROUND_SECONDS: f64 = 0.03;
/// Maximum and minimum repeats per round.
const REPEATS: (f64, f64) = (3.0, 50.0);

/// The measurements of one pass of an operation at one model's shape.
#[derive(Debug, Clone, Serialize)]
pub struct OperationTime {
    /// The model that the shape comes from.
    pub model: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// Forward or backward.
    pub pass: &'static str,
    /// Shapes of the first two inputs.
    pub shape: String,
    /// FLOPs of the pass.
    pub flops: u64,
    /// Minimum bytes moved.
    pub bytes: u64,
    /// Time taken.
    pub seconds: Spread,
    /// FLOPs divided by the median time.
    pub flops_per_second: f64,
    /// FLOP/s as a share of the peak.
    pub share_of_peak: f64,
    /// Minimum bytes divided by the median time; caches can push it above the memory bandwidth.
    pub bytes_per_second: f64,
    /// max(FLOPs / peak, bytes / bandwidth).
    pub bound_seconds: f64,
    /// Median time divided by that bound.
    pub times_bound: f64,
}

/// Sizes from which an operation's graph is built.
struct Sizes {
    shape: ModelConfig,
    rows: usize,
    vocabulary: usize,
}

impl Sizes {
    fn matrix(&self, g: &mut Graph, name: &str, rows: usize, width: usize) -> ValueId {
        g.variable(Variable::parameter(name, &[rows, width], Init::Zeros))
    }

    /// x [N, C].
    fn x(&self, g: &mut Graph, name: &str) -> ValueId {
        self.matrix(g, name, self.rows, self.shape.width)
    }

    fn linear(&self, g: &mut Graph, inner: usize, out: usize) -> engine::Result<ValueId> {
        let (x, w) = (
            self.matrix(g, "x", self.rows, inner),
            self.matrix(g, "w", out, inner),
        );
        g.linear(x, w, None)
    }

    fn attention(&self, g: &mut Graph, shared_by: usize) -> engine::Result<ValueId> {
        let s = &self.shape;
        let heads = Heads {
            heads: s.heads,
            kv_heads: (s.heads / shared_by).max(1),
            head_size: s.head_size,
        };
        let kv = heads.kv_heads * heads.head_size;
        let q = self.x(g, "q");
        let (k, v) = (
            self.matrix(g, "k", self.rows, kv),
            self.matrix(g, "v", self.rows, kv),
        );
        g.attention(q, k, v, heads, s.context)
    }
}

type Build = fn(&Sizes, &mut Graph) -> engine::Result<ValueId>;

/// Every operation of a training step by name; linear layers and attention at all their shapes.
const OPERATIONS: [(&str, Build); 16] = [
    ("embedding", |s, g| {
        let tokens = g.tokens("tokens", s.rows);
        let table = s.matrix(g, "table", s.vocabulary, s.shape.width);
        g.embedding(tokens, table)
    }),
    ("linear", |s, g| s.linear(g, s.shape.width, s.shape.width)),
    ("linear", |s, g| s.linear(g, s.shape.width, s.shape.hidden)),
    ("linear", |s, g| s.linear(g, s.shape.hidden, s.shape.width)),
    ("linear", |s, g| s.linear(g, s.shape.width, s.vocabulary)),
    ("layer_norm", |s, g| {
        let x = s.x(g, "x");
        let w = g.variable(Variable::parameter("w", &[s.shape.width], Init::Zeros));
        g.layer_norm(x, w, None, 1e-5)
    }),
    ("rms_norm", |s, g| {
        let x = s.x(g, "x");
        let w = g.variable(Variable::parameter("w", &[s.shape.width], Init::Zeros));
        g.rms_norm(x, w, 1e-6)
    }),
    ("rope", |s, g| {
        let angles = Angles::new(s.shape.context, s.shape.head_size, 1e4);
        let x = s.x(g, "x");
        g.rope(x, s.shape.context, &angles, None)
    }),
    ("attention", |s, g| s.attention(g, 1)),
    ("attention", |s, g| s.attention(g, 2)),
    ("gelu", |s, g| {
        let x = s.matrix(g, "x", s.rows, s.shape.hidden);
        g.gelu(x)
    }),
    ("swiglu", |s, g| {
        let gate = s.matrix(g, "gate", s.rows, s.shape.hidden);
        let up = s.matrix(g, "up", s.rows, s.shape.hidden);
        g.swiglu(gate, up)
    }),
    ("residual", |s, g| {
        let (a, b) = (s.x(g, "a"), s.x(g, "b"));
        g.residual(a, b)
    }),
    ("dropout", |s, g| {
        let x = s.x(g, "x");
        g.dropout(x, 0.1, 0)
    }),
    ("cross_entropy", |s, g| {
        let x = s.matrix(g, "x", s.rows, s.vocabulary);
        let targets = g.tokens("targets", s.rows);
        Ok(g.cross_entropy(x, targets)?.0)
    }),
    ("mse", |s, g| {
        let x = s.x(g, "x");
        let target = g.input("target", s.rows, s.shape.width);
        Ok(g.mse(x, target)?.0)
    }),
];

/// Names of the operations.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
    names.dedup();
    names
}

/// Approximate seconds that [`run`] takes.
pub fn seconds(models: &[BenchModel], only: &[&str]) -> f64 {
    let count = OPERATIONS
        .iter()
        .filter(|(name, _)| chosen(only, name))
        .count();
    (models.len() * count * ROUNDS) as f64 * 3.0 * ROUND_SECONDS
}

fn chosen(only: &[&str], name: &str) -> bool {
    only.is_empty() || only.contains(&name)
}

/// Measures these operations (all if none is named) at these models' shapes, interleaved.
///
/// # Errors
/// If memory runs out, a thread fails, or the user stops the run.
pub fn run(
    s: &mut Conditions,
    models: &[BenchModel],
    only: &[&str],
) -> Result<Found<OperationTime>> {
    let mut gauge = Gauge::new(s.threads);
    let cases = models
        .iter()
        .flat_map(|m| OPERATIONS.iter().map(move |o| (m, o)));
    let mut cases: Vec<Case> = cases
        .filter(|(_, (name, _))| chosen(only, name))
        .map(|(model, (operation, build))| Case::new(model, operation, *build))
        .collect();
    let all = ROUNDS * cases.len();
    for turn in 0..all {
        let (round, at) = (turn / cases.len() + 1, turn % cases.len());
        if at == 0 {
            gauge.take(READINGS)?;
        }
        let case = &mut cases[at];
        let what = format!(
            "round {round} of {ROUNDS}, {} of {}",
            case.operation, case.model.name
        );
        s.next(&what, turn as f64 / all as f64)?;
        case.measure(s)?;
    }
    let machine = gauge.reading();
    let limits = machine.limits(s.precision);
    let measured = cases.iter().flat_map(|c| c.summary(&limits)).collect();
    Ok(Found { machine, measured })
}

/// One operation at one shape with its measurements.
struct Case<'a> {
    model: &'a BenchModel,
    operation: &'static str,
    build: Build,
    shape: String,
    /// Forward and backward: seconds of each repeat, and the work.
    taken: [(Vec<f64>, Cost); 2],
}

impl<'a> Case<'a> {
    fn new(model: &'a BenchModel, operation: &'static str, build: Build) -> Case<'a> {
        Case {
            model,
            operation,
            build,
            shape: String::new(),
            taken: Default::default(),
        }
    }

    fn measure(&mut self, s: &Conditions) -> Result<()> {
        let config = self.model.config()?;
        let shape = config.model.clone();
        let tokens = model::micro_tokens(self.model.vocabulary);
        let sequences = micro_batch(config.train.batch, shape.context, tokens);
        let sizes = Sizes {
            rows: sequences * shape.context,
            vocabulary: self.model.vocabulary,
            shape,
        };
        let mut graph = Graph::new();
        let output = (self.build)(&sizes, &mut graph)?;
        let settings = CpuSettings::with_threads(s.threads);
        let mut single = Single::new(
            graph,
            output,
            (settings, s.precision),
            self.model.vocabulary,
        )?;
        self.shape = single.shapes();
        single.run()?;
        let from = Instant::now();
        single.run()?;
        let repeats = (ROUND_SECONDS / from.elapsed().as_secs_f64()).clamp(REPEATS.0, REPEATS.1);
        for _ in 0..repeats as usize {
            s.alive()?;
            single.run()?;
            for (taken, backward) in self.taken.iter_mut().zip([false, true]) {
                if let Some((seconds, cost)) = single.pass(backward) {
                    taken.0.push(seconds);
                    taken.1 = cost;
                }
            }
        }
        Ok(())
    }

    fn summary(&self, limits: &Limits) -> Vec<OperationTime> {
        let passes = self.taken.iter().zip(["forward", "backward"]);
        let each = passes.map(|((seconds, cost), pass)| {
            let seconds = Spread::of(seconds);
            let bound_seconds = limits.bound(*cost);
            let flops_per_second = cost.flops as f64 / seconds.median;
            OperationTime {
                model: self.model.name,
                operation: self.operation,
                pass,
                shape: self.shape.clone(),
                flops: cost.flops,
                bytes: cost.bytes,
                seconds,
                flops_per_second,
                share_of_peak: flops_per_second / limits.flops,
                bytes_per_second: cost.bytes as f64 / seconds.median,
                bound_seconds,
                times_bound: seconds.median / bound_seconds,
            }
        });
        each.collect()
    }
}
