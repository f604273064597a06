//! One operation alone: a graph of little else, run again and again, of which only the one entry
//! of the list is timed.

use crate::error::Result;
use engine::{
    Cost, Cpu, Device, Graph, Host, Kind, Optimiser, Plan, Precision, Purpose, RandomPurpose,
    Ready, Rule, Scalars, Settings, Source, Step, Stream, ValueId,
};
use std::sync::Arc;
use std::time::Duration;

/// No update is ever made: it makes the store keep gradients.
const KEEP_GRADIENTS: Optimiser = Optimiser {
    rule: Rule::Sgd,
    weight_decay: 0.0,
    clip: None,
};

/// A recorded graph on a device, with random numbers in it.
pub struct Single {
    /// The device.
    pub device: Cpu,
    /// The graph.
    pub graph: Arc<Graph>,
    ready: Ready,
    plan: Plan,
    times: Vec<Duration>,
}

impl Single {
    /// Closes a graph, whose node 0 is the operation, by a cost where it has none, and fills every
    /// input: numbers are normal, tokens below `vocabulary`. Without parameters there is no
    /// backward pass.
    ///
    /// # Errors
    /// Where the graph can't be planned or the memory can't be had.
    pub fn new(
        mut graph: Graph,
        output: ValueId,
        (settings, precision): (Settings, Precision),
        vocabulary: usize,
    ) -> Result<Single> {
        let learns = graph.parameters() > 0;
        if learns && !graph.nodes.iter().any(|n| n.op.get().is_cost()) {
            let spec = graph.spec(output);
            let target = graph.input("target", spec.rows, spec.width);
            graph.mse(output, target)?;
        }
        let purpose = if learns {
            Purpose::Gradients
        } else {
            Purpose::Infer
        };
        let graph = Arc::new(graph);
        let plan = Plan::new(&graph, 1, purpose)?.in_precision(precision);
        let mut device = Cpu::new(settings);
        device.create(&graph.rows, Some(KEEP_GRADIENTS))?;
        let ready = device.prepare(graph.clone(), plan.clone())?;
        let mut stream = Stream::new(1, RandomPurpose::Check, 0);
        let mut normals = |len| -> Vec<f32> { (0..len).map(|_| stream.normal() as f32).collect() };
        for row in &graph.rows {
            let numbers = normals(row.len());
            device.write_row(&row.name, engine::Part::Weight, Host::Real(&numbers))?;
        }
        for id in graph.value_ids() {
            let value = &graph.values[id.index()];
            if value.source != Source::Input {
                continue;
            }
            match value.spec.kind {
                Kind::Real => device.write(ready, id, Host::Real(&normals(value.spec.len())))?,
                Kind::Tokens => {
                    let tokens = crate::step::random_tokens(value.spec.len(), vocabulary);
                    device.write(ready, id, Host::Tokens(&tokens))?;
                }
            }
        }
        Ok(Single {
            times: vec![Duration::ZERO; plan.items.len()],
            device,
            graph,
            ready,
            plan,
        })
    }

    /// Shapes of the operation's first two inputs.
    pub fn shapes(&self) -> String {
        let first = self.plan.items.iter().find_map(|item| match item.step {
            Step::Forward(node) => Some(crate::step::shapes(&self.graph, node)),
            _ => None,
        });
        first.unwrap_or_default()
    }

    /// Runs the graph once.
    ///
    /// # Errors
    /// Where a thread failed.
    pub fn run(&mut self) -> Result<()> {
        let scalars = Scalars {
            seed: 1,
            step: 0,
            rate: 0.0,
            position: 0,
            loss_weight: 1.0,
        };
        Ok(self
            .device
            .run_timed(self.ready, &scalars, &mut self.times)?)
    }

    /// Seconds that the operation's pass took in the last run, and its work; none where the list
    /// has no such entry.
    pub fn pass(&self, backward: bool) -> Option<(f64, Cost)> {
        let wanted = |step: &Step| match step {
            Step::Forward(node) => node.index() == 0 && !backward,
            Step::Backward(node) => node.index() == 0 && backward,
            _ => false,
        };
        let at = self.plan.items.iter().position(|i| wanted(&i.step))?;
        let cost = self.plan.item_cost(&self.graph, &self.plan.items[at]);
        Some((self.times[at].as_secs_f64(), cost))
    }

    /// Content of a held value.
    ///
    /// # Errors
    /// Where the value isn't held.
    pub fn value(&self, value: ValueId) -> Result<Vec<f32>> {
        let mut numbers = vec![0.0; self.graph.spec(value).len()];
        let host = engine::HostMut::Real(&mut numbers);
        self.device.read(self.ready, value, host)?;
        Ok(numbers)
    }

    /// Weights or gradient of a parameter.
    ///
    /// # Errors
    /// Where there is no such parameter.
    pub fn row(&self, name: &str, part: engine::Part) -> Result<Vec<f32>> {
        let row = self.graph.rows.iter().find(|r| r.name == name);
        let mut numbers = vec![0.0; row.map_or(0, |r| r.len())];
        let host = engine::HostMut::Real(&mut numbers);
        self.device.read_row(name, part, host)?;
        Ok(numbers)
    }
}
