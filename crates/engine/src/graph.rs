//! How is a model written down? Once, as a list of nodes in the order of the forward pass; what
//! the rest of the engine does (backward pass, memory, threads) follows from this list.

use crate::error::{Result, shape};
use crate::op::Spec;
use crate::ops::Op;

/// A value of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

impl ValueId {
    /// Its place in the graph's list of values.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A node of a graph: an operation with its inputs and outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// Its place in the graph's list of nodes.
    pub fn index(self) -> usize {
        self.0
    }
}

/// How a parameter begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
}

/// What a row of the store is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Learnt by gradient descent.
    Parameter,
    /// Keys or values of earlier positions, kept between runs of a plan.
    Cache,
}

/// What outlives every plan: one parameter (or cache). This row drives initialisation, counting,
/// weight decay, checkpoints and names in files.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name, unique in the model.
    pub name: String,
    /// Shape as files have it; matrices are `[out, in]`.
    pub shape: Vec<usize>,
    /// How it begins.
    pub init: Init,
    /// Whether weight decay pulls on it: matrices only.
    pub decay: bool,
    /// Parameter or cache.
    pub kind: RowKind,
}

impl Row {
    /// A parameter. Decay applies where the shape has two or more dimensions.
    pub fn parameter(name: impl Into<String>, shape: &[usize], init: Init) -> Row {
        Row {
            name: name.into(),
            shape: shape.to_vec(),
            init,
            decay: shape.len() >= 2,
            kind: RowKind::Parameter,
        }
    }

    /// A cache of `rows × width` numbers, zero at first.
    pub fn cache(name: impl Into<String>, rows: usize, width: usize) -> Row {
        Row {
            name: name.into(),
            shape: vec![rows, width],
            init: Init::Zeros,
            decay: false,
            kind: RowKind::Cache,
        }
    }

    /// Numbers in it.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no number at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The host writes it before a step.
    Input,
    /// The store has it: the row with this number.
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
    pub source: Source,
    /// Whether the cost's gradient flows through it to a parameter.
    pub needs_gradient: bool,
    /// Whether every micro-batch's content is held to the end of the step.
    pub held: bool,
}

/// A node: an operation and the values around it.
#[derive(Debug)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// Inputs, by slot.
    pub x: Vec<ValueId>,
    /// Outputs, by slot.
    pub y: Vec<ValueId>,
    /// Kept for the backward pass, by slot.
    pub kept: Vec<ValueId>,
}

/// A model, recorded.
#[derive(Debug, Default)]
pub struct Graph {
    /// All values.
    pub values: Vec<Value>,
    /// All nodes, in forward order.
    pub nodes: Vec<Node>,
    /// What the store must have, in the order of first use.
    pub rows: Vec<Row>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    fn value(&mut self, name: String, spec: Spec, source: Source, needs_gradient: bool) -> ValueId {
        self.values.push(Value {
            name,
            spec,
            source,
            needs_gradient,
            held: matches!(source, Source::Input),
        });
        ValueId(self.values.len() - 1)
    }

    /// An input of `rows × width` real numbers that the host writes before each step.
    pub fn input(&mut self, name: &str, rows: usize, width: usize) -> ValueId {
        self.value(name.into(), Spec::real(rows, width), Source::Input, false)
    }

    /// An input of `rows` tokens that the host writes before each step.
    pub fn tokens(&mut self, name: &str, rows: usize) -> ValueId {
        self.value(name.into(), Spec::tokens(rows), Source::Input, false)
    }

    /// A parameter; asking again for the same name gives the same value (tied weights).
    pub fn parameter(&mut self, row: Row) -> ValueId {
        let known = self
            .values
            .iter()
            .position(|v| matches!(v.source, Source::Stored(r) if self.rows[r].name == row.name));
        if let Some(value) = known {
            return ValueId(value);
        }
        let width = row.shape.last().copied().unwrap_or(1);
        let spec = Spec::real(row.len() / width.max(1), width);
        let learnt = row.kind == RowKind::Parameter;
        let name = row.name.clone();
        self.rows.push(row);
        self.value(name, spec, Source::Stored(self.rows.len() - 1), learnt)
    }

    /// Holds every micro-batch's content of a value to the end of the step, so that the host can
    /// read it (losses, logits, probes).
    pub fn keep(&mut self, value: ValueId) {
        self.values[value.0].held = true;
    }

    /// Shape of a value.
    pub fn spec(&self, value: ValueId) -> Spec {
        self.values[value.0].spec
    }

    /// Appends a node. Every builder of an operation ends here.
    pub(crate) fn push(&mut self, op: Op, x: &[ValueId]) -> Result<Vec<ValueId>> {
        let operation = op.get().name();
        if (1..x.len()).any(|i| x[..i].contains(&x[i])) {
            return shape(operation, "one value may not be two inputs of one node");
        }
        let specs: Vec<Spec> = x.iter().map(|&v| self.spec(v)).collect();
        let outputs = op.get().infer(&specs)?;
        if outputs.y.iter().chain(&outputs.kept).any(Spec::is_empty) {
            return shape(operation, "an output would hold no number");
        }
        let node = NodeId(self.nodes.len());
        let flows = x.iter().any(|&v| self.values[v.0].needs_gradient);
        let name = format!("{operation}.{}", node.0);
        let mut add = |specs: &[Spec], source: Source, flows: bool, tail: &str| -> Vec<ValueId> {
            let one = specs.len() == 1;
            let each = specs.iter().enumerate().map(|(i, &spec)| {
                let slot = if one { String::new() } else { format!(".{i}") };
                self.value(format!("{name}{tail}{slot}"), spec, source, flows)
            });
            each.collect()
        };
        let y = add(&outputs.y, Source::Node(node), flows, "");
        let kept = add(&outputs.kept, Source::Kept(node), false, ".kept");
        self.nodes.push(Node {
            op,
            x: x.to_vec(),
            y: y.clone(),
            kept,
        });
        Ok(y)
    }

    /// Appends a node whose output is a cache of the store.
    pub(crate) fn push_into(&mut self, op: Op, x: &[ValueId], cache: ValueId) -> Result<()> {
        self.push(op, x)?;
        if let Some(node) = self.nodes.last_mut() {
            node.y = vec![cache];
        }
        Ok(())
    }

    /// Every value, in the order of the list.
    pub fn value_ids(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..self.values.len()).map(ValueId)
    }

    /// Shapes of a node's inputs.
    pub fn inputs(&self, node: NodeId) -> Vec<Spec> {
        self.nodes[node.0].x.iter().map(|&v| self.spec(v)).collect()
    }

    /// Number of parameters (numbers, caches not counted).
    pub fn parameters(&self) -> u64 {
        let learnt = self.rows.iter().filter(|r| r.kind == RowKind::Parameter);
        learnt.map(|r| r.len() as u64).sum()
    }
}
