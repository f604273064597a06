//! Is every derivative right on this machine? Each operation runs on random shapes; its f64
//! backward pass is compared with central differences, and its f32 passes with f64.

use crate::at::Scalars;
use crate::cpu::{Cpu, CpuSettings};
use crate::device::reference::Reference;
use crate::device::{Device, Field, Host, HostMut, Ready};
use crate::draw::{Draw, Example};
use crate::error::Result;
use crate::graph::{Graph, Origin, ValueId};
use crate::ops::EXAMPLES;
use crate::plan::Plan;
use crate::precision::Precision;
use crate::schedule::Purpose;
use crate::tolerance;
use crate::update::{Descent, Optimizer};
use std::sync::Arc;

/// One comparison.
#[derive(Debug, Clone)]
pub struct Check {
    /// The operation.
    pub operation: &'static str,
    /// What was compared.
    pub pass: &'static str,
    /// Operation, shapes and pass.
    pub name: String,
    /// Measured error, relative to the norm.
    pub error: f64,
    /// Largest error allowed.
    pub bound: f64,
    /// Whether the error is within the bound.
    pub ok: bool,
}

impl Check {
    fn new(drawn: &Drawn, pass: &'static str, error: f64, bound: f64) -> Check {
        Check {
            operation: drawn.operation,
            pass,
            name: format!("{} {pass}", drawn.name()),
            error,
            bound,
            // Written so that NaN fails.
            ok: error <= bound,
        }
    }
}

/// An example ready to run: the operation, closed by a cost.
struct Drawn {
    operation: &'static str,
    graph: Arc<Graph>,
    draw: Draw,
    output: ValueId,
    cost: ValueId,
    /// Of the fast path's products.
    precision: Precision,
}

const SCALARS: Scalars = Scalars {
    seed: 11,
    step: 3,
    rate: 0.0,
    loss_weight: 0.125,
};

impl Drawn {
    fn new(operation: &'static str, build: Example, seed: u64) -> Result<Drawn> {
        let mut draw = Draw::new(seed);
        let mut graph = Graph::new();
        let output = build(&mut graph, &mut draw)?;
        graph.keep(output);
        let cost = match graph.value(output).origin {
            Origin::Node(n) if graph.node(n).is_cost => output,
            _ => {
                let spec = graph.spec(output);
                let target = draw.input(&mut graph, spec.rows, spec.width);
                graph.mse(output, target)?.0
            }
        };
        Ok(Drawn {
            operation,
            graph: Arc::new(graph),
            draw,
            output,
            cost,
            precision: Precision::F32,
        })
    }

    fn name(&self) -> String {
        let shapes = self.draw.values.iter().map(|(v, _)| self.graph.spec(*v));
        let shapes: Vec<String> = shapes.map(|s| format!("{}x{}", s.rows, s.width)).collect();
        format!("{} {}", self.operation, shapes.join(" "))
    }

    /// Name of the value if it is a parameter.
    fn parameter(&self, v: ValueId) -> Option<&str> {
        match self.graph.value(v).origin {
            Origin::Stored(at) => Some(&self.graph.variables()[at].name),
            _ => None,
        }
    }

    fn ready<D: Device>(&self, device: &mut D, purpose: Purpose) -> Result<Ready> {
        let plan = Plan::new(self.graph.clone(), 1, purpose)?.in_precision(self.precision);
        let ready = device.prepare(plan)?;
        for (v, numbers) in &self.draw.values {
            let host = Host::Double(numbers);
            match self.parameter(*v) {
                Some(name) => device.write_variable(name, Field::Weight, host)?,
                None => device.write(ready, *v, host)?,
            }
        }
        for (v, numbers) in &self.draw.tokens {
            device.write(ready, *v, Host::Tokens(numbers))?;
        }
        Ok(ready)
    }

    /// Output, and all gradients concatenated.
    fn run<D: Device>(&self, device: &mut D) -> Result<(Vec<f64>, Vec<f64>)> {
        // An optimizer that is never run: it makes the store keep gradients.
        let optimizer = Optimizer::uniform(Descent::PLAIN, 0.0, None);
        device.create(self.graph.variables(), Some(&optimizer))?;
        let ready = self.ready(device, Purpose::Gradients)?;
        device.run(ready, &SCALARS)?;
        let mut output = vec![0.0; self.graph.spec(self.output).len()];
        device.read(ready, self.output, HostMut::Double(&mut output))?;
        let mut gradient = Vec::new();
        for variable in self.graph.variables().iter().filter(|v| v.is_parameter()) {
            let mut part = vec![0.0; variable.len()];
            let host = HostMut::Double(&mut part);
            device.read_variable(&variable.name, Field::Gradient, host)?;
            gradient.extend(part);
        }
        device.release(ready);
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
        device.create(self.graph.variables(), None)?;
        let ready = self.ready(&mut device, Purpose::Infer)?;
        let mut gradient = Vec::new();
        for (v, numbers) in &self.draw.values {
            let Some(name) = self.parameter(*v) else {
                continue;
            };
            let mut moved = numbers.clone();
            for i in 0..numbers.len() {
                let mut at = |by: f64| -> Result<f64> {
                    moved[i] = numbers[i] + by;
                    device.write_variable(name, Field::Weight, Host::Double(&moved))?;
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
            device.write_variable(name, Field::Weight, Host::Double(numbers))?;
        }
        Ok(gradient)
    }
}

/// ‖found − expected‖ / ‖expected‖; the norm of the difference if `expected` is zero.
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
/// too large to check by differences.
#[cfg(test)]
pub(crate) fn fast_errors(
    build: Example,
    isa: crate::Isa,
    precision: Precision,
) -> Result<[f64; 2]> {
    let settings = CpuSettings {
        isa,
        ..CpuSettings::with_threads(2)
    };
    let mut drawn = Drawn::new("large", build, 1)?;
    drawn.precision = precision;
    Ok(drawn.fast_errors(&mut Cpu::new(settings))?.1)
}

/// Checks `shapes` random shapes of one operation, which may come from outside this crate: `cpu`
/// must have its kernel. Different `salt`s draw different shapes.
///
/// # Errors
/// If an example can't be recorded or run.
pub fn operation(
    cpu: &mut Cpu,
    (name, build): (&'static str, Example),
    shapes: u64,
    salt: u64,
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for seed in 0..shapes {
        let drawn = Drawn::new(name, build, seed * 1000 + salt)?;
        let (gradient, [forward, backward]) = drawn.fast_errors(cpu)?;
        let mut check = |pass, error, bound| {
            checks.push(Check::new(&drawn, pass, error, bound));
        };
        let numeric = relative_error(&gradient, &drawn.differences()?);
        check(
            "f64 backward against differences",
            numeric,
            tolerance::DIFFERENCES,
        );
        check("f32 forward against f64", forward, tolerance::FAST);
        check("f32 backward against f64", backward, tolerance::FAST);
    }
    Ok(checks)
}

/// Checks `shapes` random shapes of every operation of this crate; `done` gets the share completed.
///
/// # Errors
/// If an example can't be recorded or run.
pub fn operations(
    shapes: u64,
    settings: CpuSettings,
    mut done: impl FnMut(f64),
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut cpu = Cpu::new(settings);
    for (index, &example) in EXAMPLES.iter().enumerate() {
        checks.extend(operation(&mut cpu, example, shapes, index as u64)?);
        done((index + 1) as f64 / EXAMPLES.len() as f64);
    }
    Ok(checks)
}
