//! Measures matrix products on a ladder from three plain loops to the kernels on all threads, at
//! the shapes of a model's linear layers: forward, dX and dW. All f32 rungs must give the same
//! bits, which is checked.

use crate::error::{Error, Result};
use crate::machine::{Gauge, READINGS};
use crate::models::BenchModel;
use crate::single::Single;
use crate::{Conditions, Reading, Spread};
use engine::cpu::rungs::{self, Laid};
use engine::{
    CpuSettings, Field, Graph, Init, Isa, Order, Precision, ValueId, Variable, has_bf16,
    micro_batch,
};
use serde::Serialize;
use std::time::Instant;

/// Rounds; each measures every rung at every shape.
const ROUNDS: usize = 3;
/// Approximate seconds for one rung at one shape in one round.
const ROUND_SECONDS: f64 = 0.03;
/// Timed repeats per turn, after one warm-up: in a training step the threads are awake and the
/// operands were just written.
const AT_ONCE: usize = 4;

/// Maximum turns per round.
const MOST: f64 = 40.0;

/// One of a linear layer's three products; y [N, out] = x [N, in] · wᵀ, w [out, in].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// y = x·wᵀ.
    Forward,
    /// dx = dy·w.
    Dx,
    /// dw = dyᵀ·x.
    Dw,
}

/// A product at one shape: m × n results, each a sum of k terms.
#[derive(Debug, Clone, Serialize)]
pub struct Shape {
    /// The model.
    pub model: &'static str,
    /// The layer.
    pub layer: &'static str,
    /// The product.
    pub product: Product,
    /// Rows of the result, m.
    pub m: usize,
    /// Columns of the result, n.
    pub n: usize,
    /// Terms of each sum, k.
    pub k: usize,
    /// Whether it counts toward the mean; the head doesn't.
    pub counted: bool,
}

impl Shape {
    /// Floating-point operations.
    pub fn flops(&self) -> u64 {
        2 * (self.m * self.n * self.k) as u64
    }

    /// The layer's N, in and out.
    fn layer_sizes(&self) -> (usize, usize, usize) {
        let (m, n, k) = (self.m, self.n, self.k);
        match self.product {
            Product::Forward => (m, k, n),
            Product::Dx => (m, n, k),
            Product::Dw => (k, n, m),
        }
    }
}

/// The shapes of a model's products: 12 in its layers, 3 in its head.
///
/// # Errors
/// If the model's config is invalid.
pub fn shapes(model: &BenchModel) -> Result<Vec<Shape>> {
    let config = model.config()?;
    let s = config.model;
    let tokens = model::micro_tokens(model.vocabulary);
    let rows = micro_batch(config.train.batch, s.context, tokens) * s.context;
    let heads = s.heads * s.head_size;
    let qkv = heads + 2 * s.kv_heads * s.head_size;
    let layers = [
        ("qkv", s.width, qkv),
        ("projection", heads, s.width),
        ("mlp up", s.width, s.hidden),
        ("mlp down", s.hidden, s.width),
        ("head", s.width, model.vocabulary),
    ];
    let each = layers.into_iter().flat_map(|(layer, inner, out)| {
        [
            (Product::Forward, rows, out, inner),
            (Product::Dx, rows, inner, out),
            (Product::Dw, out, inner, rows),
        ]
        .map(|(product, m, n, k)| Shape {
            model: model.name,
            layer,
            product,
            m,
            n,
            k,
            counted: layer != "head",
        })
    });
    Ok(each.collect())
}

/// How a rung computes a product.
#[derive(Clone, Copy)]
enum How {
    /// A rung of the engine's ladder, on one thread.
    Loops(rungs::Rung),
    /// The engine's own operation, packing included.
    Kernel(CpuSettings, Precision),
}

struct Rung {
    name: String,
    threads: usize,
    how: How,
}

impl Rung {
    fn precision(&self) -> Precision {
        match self.how {
            How::Loops(_) => Precision::F32,
            How::Kernel(_, precision) => precision,
        }
    }
}

/// All rungs on this processor, slowest first.
fn rungs(threads: usize) -> Vec<Rung> {
    let loops = rungs::RUNGS.iter().map(|(name, rung)| Rung {
        name: (*name).to_owned(),
        threads: 1,
        how: How::Loops(*rung),
    });
    let mut rungs: Vec<Rung> = loops.collect();
    // The portable kernel is left out on x86-64: there it is compiled for the baseline, with narrow
    // vectors.
    let all = Isa::available();
    let kernels = all
        .iter()
        .filter(|i| all.len() == 1 || **i != Isa::PORTABLE);
    let kernel = |isa: Isa, threads: usize| Rung {
        name: format!("packed, kernel for {}", isa.name()),
        threads,
        how: How::Kernel(
            CpuSettings {
                threads,
                isa,
                order: Order::Rising,
                ..CpuSettings::with_threads(threads)
            },
            Precision::F32,
        ),
    };
    rungs.extend(kernels.map(|&isa| kernel(isa, 1)));
    if threads > 1 {
        rungs.push(kernel(Isa::detect(), threads));
    }
    if has_bf16() {
        rungs.push(Rung {
            name: "packed, rounded to bf16".into(),
            threads,
            how: How::Kernel(CpuSettings::with_threads(threads), Precision::Bf16),
        });
    }
    rungs
}

/// The measurements of one rung at every shape.
#[derive(Debug, Clone, Serialize)]
pub struct RungTime {
    /// The rung's description.
    pub rung: String,
    /// Threads.
    pub threads: usize,
    /// Number format of the operands.
    pub precision: &'static str,
    /// Peak FLOP/s with this many threads in this precision.
    pub peak_flops_per_second: f64,
    /// FLOP/s, geometric mean over the counted shapes.
    pub flops_per_second: f64,
    /// Share of the peak, geometric mean over the counted shapes.
    pub share_of_peak: f64,
    /// Seconds per shape, in the order of the shapes.
    pub seconds: Vec<Spread>,
}

/// The measured ladder.
#[derive(Debug, Clone, Serialize)]
pub struct RungTimes {
    /// The shapes.
    pub shapes: Vec<Shape>,
    /// The rungs, slowest first.
    pub rungs: Vec<RungTime>,
    /// The machine's limits with one thread and with all threads.
    pub machine: [Reading; 2],
}

/// Approximate seconds that [`run`] takes.
///
/// # Errors
/// If a model's config is invalid.
pub fn seconds(models: &[BenchModel], threads: usize) -> Result<f64> {
    let shapes = models
        .iter()
        .map(shapes)
        .collect::<Result<Vec<_>>>()?
        .concat();
    let flops: u64 = shapes.iter().map(Shape::flops).sum();
    let turns = ROUNDS * shapes.len() * rungs(threads).len();
    // The plain loops run once, at about 2 GFLOP/s; the other loops are about ten times faster.
    Ok(flops as f64 / 1e9 + turns as f64 * 2.0 * ROUND_SECONDS)
}

/// Measures all rungs at the shapes of these models, interleaved.
///
/// # Errors
/// If memory runs out, a thread fails, two rungs differ, or the user stops the run.
pub fn run(s: &mut Conditions, models: &[BenchModel]) -> Result<RungTimes> {
    let shapes = models
        .iter()
        .map(shapes)
        .collect::<Result<Vec<_>>>()?
        .concat();
    let rungs = rungs(s.threads);
    let mut gauges = [Gauge::new(1), Gauge::new(s.threads)];
    let mut taken = vec![vec![Vec::new(); rungs.len()]; shapes.len()];
    for round in 0..ROUNDS {
        for gauge in &mut gauges {
            gauge.take(READINGS)?;
        }
        for (at, (shape, taken)) in shapes.iter().zip(&mut taken).enumerate() {
            let (model, layer, product) = (shape.model, shape.layer, shape.product);
            let what = format!(
                "round {} of {ROUNDS}, {model} {layer} {product:?}",
                round + 1
            );
            // The first round takes longest: it runs the check and the plain loops.
            let ends = [0.0, 0.6, 0.8, 1.0];
            let share = at as f64 / shapes.len() as f64;
            s.next(&what, ends[round] + share * (ends[round + 1] - ends[round]))?;
            Case::new(shape, &rungs)?.measure(s, round == 0, taken)?;
        }
    }
    let readings = gauges.each_ref().map(Gauge::reading);
    let all = rungs.iter().enumerate();
    let measured = all.map(|(at, rung)| {
        let seconds = taken.iter().map(|t| Spread::of(&t[at])).collect();
        summary(rung, &shapes, seconds, &readings)
    });
    Ok(RungTimes {
        rungs: measured.collect(),
        shapes,
        machine: readings.clone(),
    })
}

fn summary(
    rung: &Rung,
    shapes: &[Shape],
    seconds: Vec<Spread>,
    machine: &[Reading; 2],
) -> RungTime {
    let counted = shapes.iter().zip(&seconds).filter(|(s, _)| s.counted);
    let logs: Vec<f64> = counted
        .map(|(shape, s)| (shape.flops() as f64 / s.median).ln())
        .collect();
    let mean = (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp();
    let [one, all] = machine;
    let precision = rung.precision();
    let machine = if rung.threads == 1 { one } else { all };
    let peak = machine.limits(precision).flops;
    RungTime {
        rung: rung.name.clone(),
        threads: rung.threads,
        precision: crate::name(precision),
        peak_flops_per_second: peak,
        flops_per_second: mean,
        share_of_peak: mean / peak,
        seconds,
    }
}

/// A shape with every rung prepared for it.
struct Case<'a> {
    shape: &'a Shape,
    ready: Vec<Ready>,
    precisions: Vec<Precision>,
}

enum Ready {
    Loops(rungs::Rung),
    Kernel(Box<Single>, Places),
}

/// The values that hold a kernel's operands and result.
struct Places {
    x: ValueId,
    w: ValueId,
    y: ValueId,
}

/// A single linear layer in which only the variables the product needs are trained. The node y + p
/// after it exposes dy as the gradient of p.
fn record(shape: &Shape, how: (CpuSettings, Precision)) -> Result<(Single, Places)> {
    let (rows, inner, out) = shape.layer_sizes();
    let mut g = Graph::new();
    let learned = |g: &mut Graph, name: &str, rows: usize, width: usize, learns: bool| match learns
    {
        true => g.variable(Variable::parameter(name, &[rows, width], Init::Zeros)),
        false => g.input(name, rows, width),
    };
    let x = learned(&mut g, "x", rows, inner, shape.product == Product::Dx);
    let w = learned(&mut g, "w", out, inner, shape.product == Product::Dw);
    let y = g.linear(x, w, None)?;
    g.keep(y);
    let mut last = y;
    if shape.product != Product::Forward {
        let p = learned(&mut g, "p", rows, out, true);
        last = g.residual(y, p)?;
    }
    Ok((Single::new(g, last, how, 0)?, Places { x, w, y }))
}

impl<'a> Case<'a> {
    fn new(shape: &'a Shape, rungs: &[Rung]) -> Result<Case<'a>> {
        let ready = rungs.iter().map(|rung| match rung.how {
            How::Loops(rung) => Ok(Ready::Loops(rung)),
            How::Kernel(settings, precision) => {
                let (single, places) = record(shape, (settings, precision))?;
                Ok(Ready::Kernel(Box::new(single), places))
            }
        });
        Ok(Case {
            shape,
            ready: ready.collect::<Result<_>>()?,
            precisions: rungs.iter().map(Rung::precision).collect(),
        })
    }

    /// Measures all rungs, interleaved. The first round also measures the plain loops and checks
    /// that all f32 rungs give the same bits.
    fn measure(mut self, s: &Conditions, first: bool, taken: &mut [Vec<f64>]) -> Result<()> {
        let operands = self.operands()?;
        let mut c = vec![0.0; self.shape.m * self.shape.n];
        let mut expected = Vec::new();
        let mut repeats = vec![0; taken.len()];
        for (at, ready) in self.ready.iter_mut().enumerate() {
            s.alive()?;
            // The plain loops are slow and need no precise time: measure them once.
            if at == 0 && !first {
                continue;
            }
            let seconds = ready.run(self.shape, &operands, &mut c)?;
            if at == 0 {
                taken[0].push(seconds);
                expected.clone_from(&c);
                continue;
            }
            let turn = seconds * (1 + AT_ONCE) as f64;
            repeats[at] = (ROUND_SECONDS / turn).ceil().clamp(1.0, MOST) as usize;
            // Products rounded to bf16 have different bits.
            let rounded = self.precisions[at] == Precision::Bf16;
            if first && !rounded && ready.result(self.shape.product, &c)? != expected {
                let Shape {
                    model,
                    layer,
                    product,
                    ..
                } = self.shape;
                let what =
                    format!("{model} {layer} {product:?}: rung {at} differs from the plain loops");
                return Err(Error::Differs(what));
            }
        }
        for turn in 0..MOST as usize {
            for (at, ready) in self.ready.iter_mut().enumerate() {
                if turn >= repeats[at] {
                    continue;
                }
                ready.run(self.shape, &operands, &mut c)?;
                for _ in 0..AT_ONCE {
                    taken[at].push(ready.run(self.shape, &operands, &mut c)?);
                }
            }
            s.alive()?;
        }
        Ok(())
    }

    /// The product's operands, taken from the first kernel.
    fn operands(&mut self) -> Result<[Vec<f32>; 2]> {
        let kernel = self.ready.iter_mut().find_map(|ready| match ready {
            Ready::Kernel(single, places) => Some((single, places)),
            Ready::Loops(_) => None,
        });
        let Some((single, places)) = kernel else {
            return Ok([Vec::new(), Vec::new()]);
        };
        single.run()?;
        Ok(match self.shape.product {
            Product::Forward => [single.value(places.x)?, single.value(places.w)?],
            Product::Dx => [
                single.variable("p", Field::Gradient)?,
                single.value(places.w)?,
            ],
            Product::Dw => [
                single.variable("p", Field::Gradient)?,
                single.value(places.x)?,
            ],
        })
    }
}

impl Ready {
    /// Computes the product once and returns the seconds.
    fn run(&mut self, shape: &Shape, [a, b]: &[Vec<f32>; 2], c: &mut [f32]) -> Result<f64> {
        let laid = |data, row, column| Laid { data, row, column };
        let Shape { m, n, k, .. } = *shape;
        match self {
            Ready::Loops(rung) => {
                let (a, b) = match shape.product {
                    Product::Forward => (laid(a, k, 1), laid(b, 1, k)),
                    Product::Dx => (laid(a, k, 1), laid(b, n, 1)),
                    Product::Dw => (laid(a, 1, m), laid(b, n, 1)),
                };
                let from = Instant::now();
                rung(a, b, c, (m, n, k));
                Ok(from.elapsed().as_secs_f64())
            }
            Ready::Kernel(single, _) => {
                single.run()?;
                let pass = single.pass(shape.product != Product::Forward);
                Ok(pass.map_or(f64::NAN, |(seconds, _)| seconds))
            }
        }
    }

    /// The computed product; loops write theirs to `c`.
    fn result(&self, product: Product, c: &[f32]) -> Result<Vec<f32>> {
        match (self, product) {
            (Ready::Loops(_), _) => Ok(c.to_vec()),
            (Ready::Kernel(single, places), Product::Forward) => single.value(places.y),
            (Ready::Kernel(single, _), Product::Dx) => single.variable("x", Field::Gradient),
            (Ready::Kernel(single, _), Product::Dw) => single.variable("w", Field::Gradient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chosen::choose;
    use std::sync::atomic::AtomicBool;

    /// Includes a ragged size: the head's 65 columns.
    #[test]
    fn every_rung_gives_the_same_bits() {
        let stop = AtomicBool::new(false);
        let conditions = Conditions {
            threads: 2,
            precision: Precision::F32,
            stop: &stop,
            progress: &mut |_, _| {},
        };
        let rungs = rungs(2);
        let model = choose(&["tiny".to_owned()]).unwrap().models[0];
        let shapes = shapes(&model).unwrap();
        assert_eq!(shapes.iter().filter(|s| s.counted).count(), 12);
        for shape in &shapes {
            let case = Case::new(shape, &rungs).unwrap();
            let mut taken = vec![Vec::new(); rungs.len()];
            case.measure(&conditions, true, &mut taken).unwrap();
            assert!(taken.iter().flatten().all(|s| *s > 0.0), "{taken:?}");
        }
    }
}
