//! Is every derivative right, on this very machine? Each operation is drawn on random shapes; its
//! f64 backward pass is held against central differences, and its f32 passes against f64.

use crate::device::{Device, Host, HostMut, Part, Scalars};
use crate::error::Result;
use crate::graph::{Graph, Init, Row, RowKind, Source, ValueId};
use crate::ops::EXAMPLES;
use crate::plan::Plan;
use crate::random::{Purpose as RandomPurpose, Stream};
use crate::schedule::Purpose;
use crate::tolerance;
use crate::{Cpu, Reference, Settings};
use std::sync::Arc;

/// Draws shapes and numbers for one example.
pub struct Draw {
    stream: Stream,
    /// Content of parameters and inputs, in the order of recording.
    values: Vec<(ValueId, Vec<f64>)>,
    tokens: Vec<(ValueId, Vec<u32>)>,
}

impl Draw {
    fn new(seed: u64) -> Draw {
        Draw {
            stream: Stream::new(seed, RandomPurpose::Check, 0),
            values: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// A size from 1 to `most`.
    pub fn size(&mut self, most: usize) -> usize {
        1 + self.stream.below(most)
    }

    fn normals(&mut self, len: usize) -> Vec<f64> {
        // Rounded to f32, so that both paths start from the same numbers.
        (0..len)
            .map(|_| f64::from(self.stream.normal() as f32))
            .collect()
    }

    fn row(&mut self, g: &mut Graph, shape: &[usize]) -> ValueId {
        let name = format!("p{}", self.values.len());
        let value = g.parameter(Row::parameter(name, shape, Init::Zeros));
        let numbers = self.normals(shape.iter().product());
        self.values.push((value, numbers));
        value
    }

    /// A matrix that the gradient is taken for.
    pub fn parameter(&mut self, g: &mut Graph, rows: usize, width: usize) -> ValueId {
        self.row(g, &[rows, width])
    }

    /// A vector that the gradient is taken for.
    pub fn vector(&mut self, g: &mut Graph, width: usize) -> ValueId {
        self.row(g, &[width])
    }

    /// A matrix that the gradient is not taken for.
    pub fn input(&mut self, g: &mut Graph, rows: usize, width: usize) -> ValueId {
        let value = g.input(&format!("x{}", self.values.len()), rows, width);
        let numbers = self.normals(rows * width);
        self.values.push((value, numbers));
        value
    }

    /// Tokens below `vocabulary`.
    pub fn tokens(&mut self, g: &mut Graph, rows: usize, vocabulary: usize) -> ValueId {
        let value = g.tokens(&format!("t{}", self.tokens.len()), rows);
        let numbers = (0..rows)
            .map(|_| self.stream.below(vocabulary) as u32)
            .collect();
        self.tokens.push((value, numbers));
        value
    }
}

/// One comparison.
#[derive(Debug, Clone)]
pub struct Check {
    /// The operation.
    pub operation: &'static str,
    /// What was compared.
    pub pass: &'static str,
    /// Operation, shapes and pass.
    pub name: String,
    /// Error found, relative to the norm.
    pub error: f64,
    /// Greatest error allowed.
    pub bound: f64,
    /// Whether it holds.
    pub ok: bool,
}

impl Check {
    fn new(example: &Example, pass: &'static str, error: f64, bound: f64) -> Check {
        Check {
            operation: example.operation,
            pass,
            name: format!("{} {pass}", example.name()),
            error,
            bound,
            // Written so that NaN fails.
            ok: error <= bound,
        }
    }
}

/// An example ready to run: the operation, closed by a cost.
struct Example {
    operation: &'static str,
    graph: Arc<Graph>,
    draw: Draw,
    output: ValueId,
    cost: ValueId,
}

const SCALARS: Scalars = Scalars {
    seed: 11,
    step: 3,
    rate: 0.0,
    position: 0,
    loss_weight: 0.125,
};

impl Example {
    fn new(operation: &'static str, build: crate::ops::Example, seed: u64) -> Result<Example> {
        let mut draw = Draw::new(seed);
        let mut graph = Graph::new();
        let output = build(&mut graph, &mut draw)?;
        graph.keep(output);
        let cost = match graph.values[output.0].source {
            Source::Node(n) if graph.nodes[n.0].op.get().is_cost() => output,
            _ => {
                let spec = graph.spec(output);
                let target = draw.input(&mut graph, spec.rows, spec.width);
                graph.mse(output, target)?.0
            }
        };
        Ok(Example {
            operation,
            graph: Arc::new(graph),
            draw,
            output,
            cost,
        })
    }

    fn name(&self) -> String {
        let shapes = self.draw.values.iter().map(|(v, _)| self.graph.spec(*v));
        let shapes: Vec<String> = shapes.map(|s| format!("{}x{}", s.rows, s.width)).collect();
        format!("{} {}", self.operation, shapes.join(" "))
    }

    fn ready<D: Device>(&self, device: &mut D, purpose: Purpose) -> Result<crate::Ready> {
        let plan = Plan::new(&self.graph, 1, purpose)?;
        let ready = device.prepare(self.graph.clone(), plan)?;
        for (v, numbers) in &self.draw.values {
            match self.graph.values[v.0].source {
                Source::Stored(r) => {
                    let name = &self.graph.rows[r].name;
                    device.write_row(name, Part::Weight, Host::Double(numbers))?;
                }
                _ => device.write(ready, *v, Host::Double(numbers))?,
            }
        }
        for (v, numbers) in &self.draw.tokens {
            device.write(ready, *v, Host::Tokens(numbers))?;
        }
        Ok(ready)
    }

    /// Output, and all gradients one after the other.
    fn run<D: Device>(&self, device: &mut D) -> Result<(Vec<f64>, Vec<f64>)> {
        // An optimiser that is never run: it makes the store keep gradients.
        let optimiser = crate::Optimiser {
            rule: crate::Rule::Sgd,
            weight_decay: 0.0,
            clip: None,
        };
        device.create(&self.graph.rows, Some(optimiser))?;
        let ready = self.ready(device, Purpose::Gradients)?;
        device.run(ready, &SCALARS)?;
        let mut output = vec![0.0; self.graph.spec(self.output).len()];
        device.read(ready, self.output, HostMut::Double(&mut output))?;
        let mut gradient = Vec::new();
        let learnt = self
            .graph
            .rows
            .iter()
            .filter(|r| r.kind == RowKind::Parameter);
        for row in learnt {
            let mut part = vec![0.0; row.len()];
            device.read_row(&row.name, Part::Gradient, HostMut::Double(&mut part))?;
            gradient.extend(part);
        }
        Ok((output, gradient))
    }

    /// The gradient in f64, and the errors of the fast path against f64: of the output and of the
    /// gradient.
    fn fast_errors(&self, cpu: &mut Cpu) -> Result<(Vec<f64>, [f64; 2])> {
        let (output, gradient) = self.run(&mut Reference::new())?;
        let (fast_output, fast_gradient) = self.run(cpu)?;
        let forward = relative_error(&fast_output, &output);
        let backward = relative_error(&fast_gradient, &gradient);
        Ok((gradient, [forward, backward]))
    }

    /// The gradient by central differences of fourth order.
    fn differences(&self) -> Result<Vec<f64>> {
        let mut device = Reference::new();
        device.create(&self.graph.rows, None)?;
        let ready = self.ready(&mut device, Purpose::Infer)?;
        let mut gradient = Vec::new();
        for (v, numbers) in &self.draw.values {
            let Source::Stored(r) = self.graph.values[v.0].source else {
                continue;
            };
            let name = &self.graph.rows[r].name;
            let mut moved = numbers.clone();
            for i in 0..numbers.len() {
                let mut at = |by: f64| -> Result<f64> {
                    moved[i] = numbers[i] + by;
                    device.write_row(name, Part::Weight, Host::Double(&moved))?;
                    device.run(ready, &SCALARS)?;
                    let mut cost = [0.0];
                    device.read(ready, self.cost, HostMut::Double(&mut cost))?;
                    Ok(cost[0])
                };
                const H: f64 = 1e-4;
                let near = at(H)? - at(-H)?;
                let far = at(2.0 * H)? - at(-2.0 * H)?;
                gradient.push((8.0 * near - far) / (12.0 * H));
                moved[i] = numbers[i];
            }
            device.write_row(name, Part::Weight, Host::Double(numbers))?;
        }
        Ok(gradient)
    }
}

/// ‖found − expected‖ / ‖expected‖; the plain norm of the difference where nothing is expected.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().copied());
    let off = norm(&mut found.iter().zip(expected).map(|(f, e)| f - e));
    if found.len() != expected.len() {
        return f64::NAN;
    }
    if size > 0.0 { off / size } else { off }
}

/// Errors of the fast path of an example against f64, of its output and of its gradient: for shapes
/// too large for differences.
#[cfg(test)]
pub(crate) fn fast_errors(build: crate::ops::Example, isa: crate::Isa) -> Result<[f64; 2]> {
    let settings = Settings {
        isa,
        ..Settings::with_threads(2)
    };
    let example = Example::new("large", build, 1)?;
    Ok(example.fast_errors(&mut Cpu::new(settings))?.1)
}

/// Checks `shapes` random shapes of every operation; `done` is told the share that is done.
///
/// # Errors
/// Where an example can't be recorded or run.
pub fn operations(
    shapes: u64,
    settings: Settings,
    mut done: impl FnMut(f64),
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut cpu = Cpu::new(settings);
    for (index, &(operation, build)) in EXAMPLES.iter().enumerate() {
        for seed in 0..shapes {
            let example = Example::new(operation, build, seed * 1000 + index as u64)?;
            let (gradient, [forward, backward]) = example.fast_errors(&mut cpu)?;
            let mut check = |pass, error, bound| {
                checks.push(Check::new(&example, pass, error, bound));
            };
            let numeric = relative_error(&gradient, &example.differences()?);
            check(
                "f64 backward against differences",
                numeric,
                tolerance::DIFFERENCES,
            );
            check("f32 forward against f64", forward, tolerance::FAST);
            check("f32 backward against f64", backward, tolerance::FAST);
        }
        done((index + 1) as f64 / EXAMPLES.len() as f64);
    }
    Ok(checks)
}
