//! A recorded computation of a few numbers, on the reference device in f64.

use engine::{
    Descent, Device, Field, Graph, Host, HostMut, Observer, Optimizer, Plan, Purpose, Ready,
    Reference, Result, Scalars, ValueId,
};
use std::sync::Arc;

/// A small graph with its cost, ready to run: forward pass, backward pass, and one step of plain
/// gradient descent.
pub(super) struct Small {
    device: Reference,
    ready: Ready,
    cost: ValueId,
    rows: usize,
}

impl Small {
    /// Prepares a graph whose cost is a mean over `rows` rows.
    pub fn new(graph: Graph, cost: ValueId, rows: usize) -> Result<Small> {
        let rule = Optimizer::uniform(Descent::PLAIN, 0.0, None);
        let mut device = Reference::new();
        device.create(graph.variables(), Some(&rule))?;
        let plan = Plan::new(Arc::new(graph), 1, Purpose::Train(rule))?;
        let ready = device.prepare(plan)?;
        Ok(Small {
            device,
            ready,
            cost,
            rows,
        })
    }

    /// Shows the gradients of each operation's inputs to `observer`.
    pub fn observe(&mut self, observer: Observer) {
        self.device.observe(observer);
    }

    /// Writes an input.
    pub fn write(&mut self, input: ValueId, numbers: Host) -> Result<()> {
        self.device.write(self.ready, input, numbers)
    }

    /// Sets a parameter.
    pub fn set(&mut self, name: &str, numbers: &[f64]) -> Result<()> {
        let numbers = Host::Double(numbers);
        self.device.write_variable(name, Field::Weight, numbers)
    }

    /// One step of gradient descent with this rate; returns the cost before it.
    pub fn step(&mut self, rate: f64) -> Result<f64> {
        let scalars = Scalars {
            seed: 0,
            step: 0,
            rate,
            loss_weight: 1.0 / self.rows as f64,
        };
        self.device.run(self.ready, &scalars)?;
        Ok(self.read(self.cost, 1)?[0])
    }

    /// The content of a value that the graph keeps.
    pub fn read(&self, value: ValueId, len: usize) -> Result<Vec<f64>> {
        let mut found = vec![0.0; len];
        let host = HostMut::Double(&mut found);
        self.device.read(self.ready, value, host)?;
        Ok(found)
    }

    /// A parameter's weight or gradient.
    pub fn variable(&self, name: &str, field: Field, len: usize) -> Result<Vec<f64>> {
        let mut found = vec![0.0; len];
        let host = HostMut::Double(&mut found);
        self.device.read_variable(name, field, host)?;
        Ok(found)
    }
}
