//! How is a model written down? Once, as a list of nodes in the order of the forward pass; the
//! rest of the engine (backward pass, memory, threads) derives everything from this list.

use crate::error::{Result, shape};
use crate::op::{Operation, Reads, Spec};
use crate::variable::Variable;
use std::sync::Arc;

/// Maximum number of inputs of a node.
pub const SLOTS: usize = 7;

/// A value of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

impl ValueId {
    /// Its index in the graph's list of values.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A node of a graph: an operation with its inputs and outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// Its index in the graph's list of nodes.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The host writes it before a step.
    Input,
    /// The store holds it: the variable with this index.
    Stored(usize),
    /// A node computes it.
    Node(NodeId),
    /// A node keeps it for its backward pass.
    Kept(NodeId),
}

/// A value: its shape in one micro-batch and where it comes from.
#[derive(Debug, Clone)]
pub struct Value {
    /// Name for tables and errors.
    pub name: String,
    /// Shape in one micro-batch.
    pub spec: Spec,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether the cost's gradient flows through it to a parameter.
    pub needs_gradient: bool,
    /// Whether every micro-batch's content is held until the end of the step.
    pub held: bool,
}

/// A node: an operation, the properties that the planner needs, and its inputs and outputs.
#[derive(Debug)]
pub struct Node {
    /// The operation.
    pub op: Arc<dyn Operation>,
    /// Inputs, by slot.
    pub x: Vec<ValueId>,
    /// Outputs, by slot.
    pub y: Vec<ValueId>,
    /// Kept for the backward pass, by slot.
    pub kept: Vec<ValueId>,
    /// What the backward pass reads.
    pub reads: Reads,
    /// Whether it is a cost.
    pub is_cost: bool,
    /// The input whose gradient equals that of the first output.
    pub passes_on: Option<usize>,
    /// The input that its own gradient may overwrite.
    pub overwrites: Option<usize>,
}

/// A model, recorded.
#[derive(Debug, Default)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) variables: Vec<Variable>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// All values.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// One value.
    pub fn value(&self, value: ValueId) -> &Value {
        &self.values[value.0]
    }

    /// All nodes, in forward order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0]
    }

    /// The variables that the store must have, in the order of first use.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn add(&mut self, name: String, spec: Spec, origin: Origin, needs_gradient: bool) -> ValueId {
        self.values.push(Value {
            name,
            spec,
            origin,
            needs_gradient,
            held: matches!(origin, Origin::Input),
        });
        ValueId(self.values.len() - 1)
    }

    /// An input of `rows × width` real numbers that the host writes before each step.
    pub fn input(&mut self, name: &str, rows: usize, width: usize) -> ValueId {
        self.add(name.into(), Spec::real(rows, width), Origin::Input, false)
    }

    /// An input of `rows` tokens that the host writes before each step.
    pub fn tokens(&mut self, name: &str, rows: usize) -> ValueId {
        self.add(name.into(), Spec::tokens(rows), Origin::Input, false)
    }

    /// A parameter or cache; the same name always returns the same value (tied weights).
    pub fn variable(&mut self, variable: Variable) -> ValueId {
        let known = self.values.iter().position(
            |v| matches!(v.origin, Origin::Stored(at) if self.variables[at].name == variable.name),
        );
        if let Some(value) = known {
            return ValueId(value);
        }
        let [rows, width] = variable.matrix();
        let (learned, name) = (variable.is_parameter(), variable.name.clone());
        self.variables.push(variable);
        let origin = Origin::Stored(self.variables.len() - 1);
        self.add(name, Spec::real(rows, width), origin, learned)
    }

    /// Marks a value as a matrix that a layer multiplies by.
    pub(crate) fn mark_multiplied(&mut self, value: ValueId) {
        if let Origin::Stored(at) = self.values[value.0].origin {
            self.variables[at].multiplied = true;
        }
    }

    /// Holds every micro-batch's content of a value until the end of the step, so that the host can
    /// read it (losses, logits, probes).
    pub fn keep(&mut self, value: ValueId) {
        self.values[value.0].held = true;
    }

    /// Shape of a value.
    pub fn spec(&self, value: ValueId) -> Spec {
        self.values[value.0].spec
    }

    /// Appends a node and returns its outputs. Every operation's builder calls it.
    ///
    /// # Errors
    /// If the operation rejects its inputs, or a value is given twice.
    pub fn push(&mut self, op: impl Operation, x: &[ValueId]) -> Result<Vec<ValueId>> {
        let name = op.name();
        if (1..x.len()).any(|i| x[..i].contains(&x[i])) {
            return shape(name, "a value can't be used for two inputs of one node");
        }
        if x.len() > SLOTS {
            return shape(name, format!("{} inputs; the maximum is {SLOTS}", x.len()));
        }
        let specs: Vec<Spec> = x.iter().map(|&v| self.spec(v)).collect();
        let outputs = op.infer(&specs)?;
        if outputs.y.iter().chain(&outputs.kept).any(Spec::is_empty) {
            return shape(name, "an output would be empty");
        }
        let reads = op.reads();
        let (passes_on, overwrites) = (op.passes_on(), op.overwrites());
        let slots = reads.x.iter().copied().chain(passes_on).chain(overwrites);
        if slots.max().is_some_and(|slot| slot >= x.len())
            || reads.y.iter().any(|&slot| slot >= outputs.y.len())
        {
            return shape(name, "its backward pass reads a slot that doesn't exist");
        }
        let node = NodeId(self.nodes.len());
        let flows = x.iter().any(|&v| self.values[v.0].needs_gradient);
        let title = format!("{name}.{}", node.0);
        let mut add = |specs: &[Spec], origin: Origin, flows: bool, tail: &str| -> Vec<ValueId> {
            let one = specs.len() == 1;
            let each = specs.iter().enumerate().map(|(i, &spec)| {
                let slot = if one { String::new() } else { format!(".{i}") };
                self.add(format!("{title}{tail}{slot}"), spec, origin, flows)
            });
            each.collect()
        };
        let y = add(&outputs.y, Origin::Node(node), flows, "");
        let kept = add(&outputs.kept, Origin::Kept(node), false, ".kept");
        self.nodes.push(Node {
            reads,
            is_cost: op.is_cost(),
            passes_on,
            overwrites,
            op: Arc::new(op),
            x: x.to_vec(),
            y: y.clone(),
            kept,
        });
        Ok(y)
    }

    /// Appends a node whose output is a cache of the store.
    pub(crate) fn push_into(
        &mut self,
        op: impl Operation,
        x: &[ValueId],
        cache: ValueId,
    ) -> Result<()> {
        self.push(op, x)?;
        if let Some(node) = self.nodes.last_mut() {
            node.y = vec![cache];
        }
        Ok(())
    }

    /// Every value's id, in the order of the list.
    pub fn value_ids(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..self.values.len()).map(ValueId)
    }

    /// Shapes of a node's inputs.
    pub fn inputs(&self, node: NodeId) -> Vec<Spec> {
        self.nodes[node.0].x.iter().map(|&v| self.spec(v)).collect()
    }

    /// Number of parameters (scalars, without caches).
    pub fn parameters(&self) -> u64 {
        let learned = self.variables.iter().filter(|v| v.is_parameter());
        learned.map(|v| v.len() as u64).sum()
    }
}
