//! Shared by the engine's tests: random content for a graph, and its gradient.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses only part of it; a test may panic"
)]

use engine::{
    Adam, Angles, Descent, Device, Element, Field, Graph, Heads, Host, HostMut, Init, Optimizer,
    Origin, Plan, Purpose, RandomPurpose, Ready, Reference, Scalars, Stream, ValueId, Variable,
};
use std::sync::Arc;

/// Tokens are below this number.
pub const VOCABULARY: usize = 9;

/// AdamW with clipping.
pub fn adamw() -> Optimizer {
    let adam = Adam {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        decoupled: true,
    };
    Optimizer::uniform(adam, 0.1, Some(1.0))
}

/// Scalars of a step with this many counted targets.
pub fn scalars(targets: usize) -> Scalars {
    Scalars {
        seed: 5,
        step: 0,
        rate: 1e-2,
        loss_weight: 1.0 / targets as f64,
    }
}

/// A graph with content for its parameters and inputs.
pub struct Case {
    pub graph: Arc<Graph>,
    pub cost: ValueId,
    micros: usize,
    inputs: Vec<(ValueId, Vec<f64>)>,
    weights: Vec<(String, Vec<f64>)>,
}

impl Case {
    /// Draws random content for `micros` micro-batches.
    pub fn new(graph: Graph, cost: ValueId, micros: usize, seed: u64) -> Case {
        let mut weights = Stream::new(seed, RandomPurpose::Check, 0);
        let mut content = Stream::new(seed, RandomPurpose::Check, 1);
        let mut inputs: Vec<(ValueId, Vec<f64>)> = Vec::new();
        for &v in graph.nodes().iter().flat_map(|n| &n.x) {
            let value = graph.value(v);
            if value.origin != Origin::Input || inputs.iter().any(|(known, _)| *known == v) {
                continue;
            }
            let mut draw = || match value.spec.element {
                Element::Real => content.normal(),
                Element::Tokens => content.below(VOCABULARY) as f64,
            };
            let numbers = (0..micros * value.spec.len()).map(|_| draw()).collect();
            inputs.push((v, numbers));
        }
        let variable = |v: &Variable| {
            let numbers = (0..v.len()).map(|_| 0.5 * weights.normal()).collect();
            (v.name.clone(), numbers)
        };
        Case {
            weights: graph.variables().iter().map(variable).collect(),
            graph: Arc::new(graph),
            cost,
            micros,
            inputs,
        }
    }

    /// Fills a new store, prepares a plan and writes the inputs.
    pub fn prepare(&self, device: &mut dyn Device, purpose: Purpose) -> Ready {
        // An optimizer that never runs makes the store allocate gradients.
        let optimizer = match &purpose {
            Purpose::Train(optimizer) => optimizer.clone(),
            _ => Optimizer::uniform(Descent::PLAIN, 0.0, None),
        };
        let variables = self.graph.variables();
        device.create(variables, Some(&optimizer)).unwrap();
        for (name, numbers) in &self.weights {
            self.set(device, name, numbers);
        }
        let plan = Plan::new(self.graph.clone(), self.micros, purpose).unwrap();
        let ready = device.prepare(plan).unwrap();
        self.write(device, ready);
        ready
    }

    /// Writes the inputs.
    pub fn write(&self, device: &mut dyn Device, ready: Ready) {
        for (v, numbers) in &self.inputs {
            let tokens: Vec<u32> = numbers.iter().map(|&x| x as u32).collect();
            let host = match self.graph.spec(*v).element {
                Element::Real => Host::Double(numbers),
                Element::Tokens => Host::Tokens(&tokens),
            };
            device.write(ready, *v, host).unwrap();
        }
    }

    fn set(&self, device: &mut dyn Device, name: &str, numbers: &[f64]) {
        let host = Host::Double(numbers);
        device.write_variable(name, Field::Weight, host).unwrap();
    }

    /// The whole gradient, variable by variable.
    pub fn gradient(&self, device: &mut dyn Device, scalars: &Scalars) -> Vec<f64> {
        let ready = self.prepare(device, Purpose::Gradients);
        device.run(ready, scalars).unwrap();
        stored(device, &self.graph, Field::Gradient)
    }

    /// The whole gradient by central differences of fourth order.
    pub fn differences(&self, scalars: &Scalars) -> Vec<f64> {
        const H: f64 = 1e-4;
        let mut device = Reference::new();
        let ready = self.prepare(&mut device, Purpose::Infer);
        let mut gradient = Vec::new();
        for (name, numbers) in &self.weights {
            let mut moved = numbers.clone();
            for i in 0..numbers.len() {
                let mut at = |by: f64| {
                    moved[i] = numbers[i] + by;
                    self.set(&mut device, name, &moved);
                    device.run(ready, scalars).unwrap();
                    let mut cost = vec![0.0; self.micros];
                    let host = HostMut::Double(&mut cost);
                    device.read(ready, self.cost, host).unwrap();
                    cost.iter().sum::<f64>()
                };
                let near = at(H) - at(-H);
                let far = at(2.0 * H) - at(-2.0 * H);
                gradient.push((8.0 * near - far) / (12.0 * H));
                moved[i] = numbers[i];
            }
            self.set(&mut device, name, numbers);
        }
        gradient
    }
}

/// One field of all parameters, concatenated.
pub fn stored(device: &dyn Device, graph: &Graph, field: Field) -> Vec<f64> {
    let mut all = Vec::new();
    for variable in graph.variables().iter().filter(|v| v.is_parameter()) {
        let mut numbers = vec![0.0; variable.len()];
        let host = HostMut::Double(&mut numbers);
        device.read_variable(&variable.name, field, host).unwrap();
        all.extend(numbers);
    }
    all
}

/// A block like a decoder's, with every differentiable operation except `mse`.
pub fn block(sequences: usize, time: usize, dropout: f64) -> (Graph, ValueId) {
    const WIDTH: usize = 8;
    let heads = Heads {
        heads: 2,
        kv_heads: 1,
        head_size: 4,
    };
    let mut g = Graph::new();
    let matrix = |g: &mut Graph, name: &str, rows: usize, width: usize| {
        g.variable(Variable::parameter(name, &[rows, width], Init::Zeros))
    };
    let vector = |g: &mut Graph, name: &str, width: usize| {
        g.variable(Variable::parameter(name, &[width], Init::Zeros))
    };
    let tokens = g.tokens("tokens", sequences * time);
    let table = matrix(&mut g, "table", VOCABULARY, WIDTH);
    let h = g.embedding(tokens, table).unwrap();

    let w = vector(&mut g, "norm", WIDTH);
    let x = g.rms_norm(h, w, 1e-5).unwrap();
    let mut project = |name: &str, out: usize| {
        let w = matrix(&mut g, name, out, WIDTH);
        let b = vector(&mut g, &format!("{name}.bias"), out);
        g.linear(x, w, Some(b)).unwrap()
    };
    let (q, k, v) = (project("q", WIDTH), project("k", 4), project("v", 4));
    let angles = Angles::new(time, 4, 100.0);
    let q = g.rope(q, time, &angles, None).unwrap();
    let k = g.rope(k, time, &angles, None).unwrap();
    let y = g.attention(q, k, v, heads, time).unwrap();
    let y = g.dropout(y, dropout, 1).unwrap();
    let h = g.residual(h, y).unwrap();

    let (w, b) = (
        vector(&mut g, "norm2", WIDTH),
        vector(&mut g, "norm2.bias", WIDTH),
    );
    let x = g.layer_norm(h, w, Some(b), 1e-5).unwrap();
    let (gate, up) = (
        matrix(&mut g, "gate", WIDTH, WIDTH),
        matrix(&mut g, "up", WIDTH, WIDTH),
    );
    let gate = g.linear(x, gate, None).unwrap();
    let up = g.linear(x, up, None).unwrap();
    let up = g.gelu(up).unwrap();
    let y = g.swiglu(gate, up).unwrap();
    let h = g.residual(h, y).unwrap();

    let logits = g.linear(h, table, None).unwrap();
    let targets = g.tokens("targets", sequences * time);
    let (cost, _) = g.cross_entropy(logits, targets).unwrap();
    (g, cost)
}
