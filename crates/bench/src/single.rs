//! Times a single operation: runs a graph with little else and times only its schedule entry.

use crate::error::Result;
use engine::{
    Cost, Cpu, CpuSettings, Descent, Device, Element, Field, Graph, Host, HostMut, Optimizer,
    Origin, Plan, Precision, Purpose, RandomPurpose, Ready, Scalars, Stream, ValueId, Work,
};
use std::sync::Arc;
use std::time::Duration;

/// A recorded graph on a device, filled with random numbers.
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
    /// Prepares a graph whose node 0 is the operation: adds a cost if it has none and fills every
    /// input with normal numbers or with tokens below `vocabulary`. Without parameters there is no
    /// backward pass.
    ///
    /// # Errors
    /// If the graph can't be planned or memory runs out.
    pub fn new(
        mut graph: Graph,
        output: ValueId,
        (settings, precision): (CpuSettings, Precision),
        vocabulary: usize,
    ) -> Result<Single> {
        let learns = graph.parameters() > 0;
        if learns && !graph.nodes().iter().any(|n| n.is_cost) {
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
        let plan = Plan::new(graph.clone(), 1, purpose)?.in_precision(precision);
        let mut device = Cpu::new(settings);
        // The optimizer never updates; with it, the store keeps gradients.
        let optimizer = Optimizer::uniform(Descent::PLAIN, 0.0, None);
        device.create(graph.variables(), Some(&optimizer))?;
        let ready = device.prepare(plan.clone())?;
        let mut stream = Stream::new(1, RandomPurpose::Check, 0);
        let mut normals = |len| -> Vec<f32> { (0..len).map(|_| stream.normal() as f32).collect() };
        for variable in graph.variables() {
            let numbers = normals(variable.len());
            device.write_variable(&variable.name, Field::Weight, Host::Real(&numbers))?;
        }
        for id in graph.value_ids() {
            let value = graph.value(id);
            if value.origin != Origin::Input {
                continue;
            }
            match value.spec.element {
                Element::Real => device.write(ready, id, Host::Real(&normals(value.spec.len())))?,
                Element::Tokens => {
                    let tokens = crate::step::random_tokens(value.spec.len(), vocabulary);
                    device.write(ready, id, Host::Tokens(&tokens))?;
                }
            }
        }
        Ok(Single {
            times: vec![Duration::ZERO; plan.items().len()],
            device,
            graph,
            ready,
            plan,
        })
    }

    /// Shapes of the operation's first two inputs.
    pub fn shapes(&self) -> String {
        let first = self.plan.items().iter().find_map(|item| match item.work {
            Work::Forward(node) => Some(crate::step::shapes(&self.graph, node)),
            _ => None,
        });
        first.unwrap_or_default()
    }

    /// Runs the graph once.
    ///
    /// # Errors
    /// If a thread fails.
    pub fn run(&mut self) -> Result<()> {
        let scalars = Scalars {
            seed: 1,
            step: 0,
            rate: 0.0,
            loss_weight: 1.0,
        };
        Ok(self
            .device
            .run_timed(self.ready, &scalars, &mut self.times)?)
    }

    /// Seconds of the operation's pass in the last run, and its cost; none if the schedule has no
    /// such entry.
    pub fn pass(&self, backward: bool) -> Option<(f64, Cost)> {
        let wanted = |work: &Work| match work {
            Work::Forward(node) => node.index() == 0 && !backward,
            Work::Backward(node) => node.index() == 0 && backward,
            _ => false,
        };
        let at = self.plan.items().iter().position(|i| wanted(&i.work))?;
        let cost = self.plan.item_cost(&self.plan.items()[at]);
        Some((self.times[at].as_secs_f64(), cost))
    }

    /// Content of a kept value.
    ///
    /// # Errors
    /// If the value isn't kept.
    pub fn value(&self, value: ValueId) -> Result<Vec<f32>> {
        let mut numbers = vec![0.0; self.graph.spec(value).len()];
        let host = HostMut::Real(&mut numbers);
        self.device.read(self.ready, value, host)?;
        Ok(numbers)
    }

    /// Weights or gradient of a parameter.
    ///
    /// # Errors
    /// If there is no such parameter.
    pub fn variable(&self, name: &str, field: Field) -> Result<Vec<f32>> {
        let variable = self.graph.variables().iter().find(|v| v.name == name);
        let mut numbers = vec![0.0; variable.map_or(0, |v| v.len())];
        let host = HostMut::Real(&mut numbers);
        self.device.read_variable(name, field, host)?;
        Ok(numbers)
    }
}
