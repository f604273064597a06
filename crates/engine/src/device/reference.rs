//! The reference device: f64, one thread, every value in a buffer of its own. It follows the same
//! list of steps as the fast device, so an error in lifetimes or offsets shows as a difference.

use super::{Device, Host, HostMut, Part, Ready, Scalars, fits};
use crate::error::{Error, Result};
use crate::gemm::Precision;
use crate::graph::{Graph, Node, NodeId, Row, RowKind, Source, ValueId};
use crate::op::{At, BackwardF64, ForwardF64, In, Kind, Write};
use crate::plan::Plan;
use crate::schedule::{Item, Step};
use crate::update::Optimiser;
use std::sync::Arc;

/// Sees the gradients of a node's inputs after its backward pass, and may change them: tests
/// plant faults here.
pub type Observer = Box<dyn FnMut(&Graph, NodeId, &mut [Option<Vec<f64>>])>;

struct Stored {
    row: Row,
    weight: Vec<f64>,
    gradient: Vec<f64>,
    state: Vec<Vec<f64>>,
}

struct Prepared {
    graph: Arc<Graph>,
    plan: Plan,
    /// Content of each value: of one micro-batch, or of all where it is held.
    values: Vec<Vec<f64>>,
    tokens: Vec<Vec<u32>>,
    gradients: Vec<Vec<f64>>,
    /// Index in the store of each row of the graph.
    rows: Vec<usize>,
}

/// The reference device.
#[derive(Default)]
pub struct Reference {
    store: Vec<Stored>,
    prepared: Vec<Prepared>,
    norm: f64,
    observer: Option<Observer>,
}

impl Reference {
    /// A device with an empty store.
    pub fn new() -> Reference {
        Reference::default()
    }

    /// Attaches an observer of backward passes.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.store.iter().position(|s| s.row.name == name);
        found.ok_or_else(|| Error::Parameter(name.to_owned()))
    }

    fn forward(&mut self, ready: usize, node: NodeId, at: At) {
        let p = &mut self.prepared[ready];
        let graph = p.graph.clone();
        let node = &graph.nodes[node.0];
        let mut take = |v: &ValueId| match graph.values[v.0].source {
            Source::Stored(r) => std::mem::take(&mut self.store[p.rows[r]].weight),
            _ => std::mem::take(&mut p.values[v.0]),
        };
        let mut y: Vec<Vec<f64>> = node.y.iter().map(&mut take).collect();
        let mut kept: Vec<Vec<f64>> = node.kept.iter().map(&mut take).collect();
        let part = |v: &ValueId, buffer| micro_mut(&graph, *v, buffer, at.micro);
        let args = ForwardF64 {
            x: node
                .x
                .iter()
                .map(|v| p.input(&self.store, *v, at.micro))
                .collect(),
            y: node.y.iter().zip(&mut y).map(|(v, b)| part(v, b)).collect(),
            kept: node
                .kept
                .iter()
                .zip(&mut kept)
                .map(|(v, b)| part(v, b))
                .collect(),
            at,
        };
        node.op.get().forward_f64(args);
        for (v, buffer) in node
            .y
            .iter()
            .chain(&node.kept)
            .zip(y.into_iter().chain(kept))
        {
            match graph.values[v.0].source {
                Source::Stored(r) => self.store[p.rows[r]].weight = buffer,
                _ => p.values[v.0] = buffer,
            }
        }
    }

    fn backward(&mut self, ready: usize, id: NodeId, item: &Item, at: At) {
        let p = &mut self.prepared[ready];
        let graph = p.graph.clone();
        let node: &Node = &graph.nodes[id.0];
        let mut dx: Vec<Option<Vec<f64>>> = Vec::new();
        for (slot, v) in node.x.iter().enumerate() {
            let value = &graph.values[v.0];
            if !value.needs_gradient {
                dx.push(None);
                continue;
            }
            let mut buffer = match value.source {
                Source::Stored(r) => std::mem::take(&mut self.store[p.rows[r]].gradient),
                _ => std::mem::take(&mut p.gradients[v.0]),
            };
            if item.write[slot] == Write::Set {
                buffer.fill(0.0);
            }
            dx.push(Some(buffer));
        }
        let reads = node.op.get().reads();
        let real = |v: &ValueId| p.input(&self.store, *v, at.micro).real();
        let x = node
            .x
            .iter()
            .enumerate()
            .map(|(slot, v)| match reads.x.contains(&slot) {
                true => p.input(&self.store, *v, at.micro),
                false => In::Real(&[]),
            });
        let y = node
            .y
            .iter()
            .enumerate()
            .map(|(slot, v)| match reads.y.contains(&slot) {
                true => real(v),
                false => &[],
            });
        let dy = node.y.iter().map(|v| match p.plan.gradients[v.0] {
            Some(_) => p.gradients[v.0].as_slice(),
            None => &[],
        });
        let args = BackwardF64 {
            x: x.collect(),
            y: y.collect(),
            kept: node.kept.iter().map(real).collect(),
            dy: dy.collect(),
            dx: dx.iter_mut().map(|d| d.as_deref_mut()).collect(),
            at,
        };
        node.op.get().backward_f64(args);
        if let Some(observer) = &mut self.observer {
            observer(&graph, id, &mut dx);
        }
        for (v, buffer) in node.x.iter().zip(dx) {
            let Some(buffer) = buffer else { continue };
            match graph.values[v.0].source {
                Source::Stored(r) => self.store[p.rows[r]].gradient = buffer,
                _ => p.gradients[v.0] = buffer,
            }
        }
    }

    fn take_norm(&mut self, ready: usize) {
        let p = &self.prepared[ready];
        let all = self.store.iter().flat_map(|s| &s.gradient);
        self.norm = all.map(|g| g * g).sum::<f64>().sqrt();
        let costs = p.graph.nodes.iter().filter(|n| n.op.get().is_cost());
        if !costs
            .flat_map(|n| &p.values[n.y[0].0])
            .all(|c| c.is_finite())
        {
            self.norm = f64::NAN;
        }
    }

    fn update(&mut self, optimiser: Optimiser, group: usize, scalars: &Scalars) {
        let setting = optimiser.setting(group, scalars.step, scalars.rate, self.norm);
        let Some(setting) = setting else { return };
        for s in self
            .store
            .iter_mut()
            .filter(|s| s.row.kind == RowKind::Parameter)
        {
            if s.row.decay == (group == 0) {
                optimiser.update_f64(&setting, &mut s.weight, &s.gradient, &mut s.state);
            }
        }
    }
}

/// The content of one micro-batch of a buffer.
fn micro_mut<'a>(g: &Graph, v: ValueId, buffer: &'a mut [f64], micro: usize) -> &'a mut [f64] {
    let value = &g.values[v.0];
    let len = value.spec.len();
    let from = if value.held { micro * len } else { 0 };
    &mut buffer[from..from + len]
}

impl Prepared {
    fn input<'a>(&'a self, store: &'a [Stored], v: ValueId, micro: usize) -> In<'a> {
        let value = &self.graph.values[v.0];
        let len = value.spec.len();
        let from = if value.held { micro * len } else { 0 };
        match (value.source, value.spec.kind) {
            (Source::Stored(r), _) => In::Real(&store[self.rows[r]].weight),
            (_, Kind::Tokens) => In::Tokens(&self.tokens[v.0][from..from + len]),
            _ => In::Real(&self.values[v.0][from..from + len]),
        }
    }
}

impl Device for Reference {
    fn create(&mut self, rows: &[Row], optimiser: Option<Optimiser>) -> Result<()> {
        let states = optimiser.map_or(0, |o| o.states());
        let stored = rows.iter().map(|row| Stored {
            weight: vec![0.0; row.len()],
            gradient: match row.kind {
                RowKind::Parameter => vec![0.0; row.len()],
                RowKind::Cache => Vec::new(),
            },
            state: vec![vec![0.0; row.len()]; states],
            row: row.clone(),
        });
        self.store = stored.collect();
        self.prepared.clear();
        Ok(())
    }

    fn prepare(&mut self, graph: Arc<Graph>, plan: Plan) -> Result<Ready> {
        let mut rows = Vec::new();
        for row in &graph.rows {
            if row.kind == RowKind::Cache && self.find(&row.name).is_err() {
                self.store.push(Stored {
                    row: row.clone(),
                    weight: vec![0.0; row.len()],
                    gradient: Vec::new(),
                    state: Vec::new(),
                });
            }
            let at = self.find(&row.name)?;
            fits(&row.name, self.store[at].weight.len(), row.len())?;
            rows.push(at);
        }
        let room = |v: usize, kind: Kind| {
            let value = &graph.values[v];
            let stored = matches!(value.source, Source::Stored(_));
            let copies = if value.held { plan.micros } else { 1 };
            if stored || value.spec.kind != kind {
                0
            } else {
                value.spec.len() * copies
            }
        };
        let all = 0..graph.values.len();
        let gradient = |v: usize| plan.gradients[v].as_ref().map_or(0, |p| p.len);
        self.prepared.push(Prepared {
            values: all
                .clone()
                .map(|v| vec![0.0; room(v, Kind::Real)])
                .collect(),
            tokens: all
                .clone()
                .map(|v| vec![0; room(v, Kind::Tokens)])
                .collect(),
            gradients: all.map(|v| vec![0.0; gradient(v)]).collect(),
            graph,
            plan,
            rows,
        });
        Ok(Ready(self.prepared.len() - 1))
    }

    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()> {
        let p = &mut self.prepared[ready.0];
        let name = &p.graph.values[value.0].name;
        match host {
            Host::Tokens(from) => {
                fits(name, p.tokens[value.0].len(), from.len())?;
                p.tokens[value.0].copy_from_slice(from);
                Ok(())
            }
            _ => copy(name, &mut p.values[value.0], host),
        }
    }

    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()> {
        for i in 0..self.prepared[ready.0].plan.items.len() {
            let plan = &self.prepared[ready.0].plan;
            let (item, purpose) = (plan.items[i], plan.purpose);
            let at = scalars.at(item.micro, Precision::F32);
            match item.step {
                Step::Forward(node) => self.forward(ready.0, node, at),
                Step::Backward(node) => self.backward(ready.0, node, &item, at),
                Step::Norm => self.take_norm(ready.0),
                Step::Update(group) => {
                    if let crate::schedule::Purpose::Train(optimiser) = purpose {
                        self.update(optimiser, group, scalars);
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&self, ready: Ready, value: ValueId, mut host: HostMut) -> Result<()> {
        let p = &self.prepared[ready.0];
        fits(
            &p.graph.values[value.0].name,
            p.values[value.0].len(),
            host.len(),
        )?;
        host.fill_f64(p.values[value.0].iter());
        Ok(())
    }

    fn norm(&self) -> f64 {
        self.norm
    }

    fn write_row(&mut self, name: &str, part: Part, host: Host) -> Result<()> {
        let at = self.find(name)?;
        let s = &mut self.store[at];
        let to = match part {
            Part::Weight => &mut s.weight,
            Part::Gradient => &mut s.gradient,
            Part::State(i) => s
                .state
                .get_mut(i)
                .ok_or(Error::Parameter(name.to_owned()))?,
        };
        copy(name, to, host)
    }

    fn read_row(&self, name: &str, part: Part, mut host: HostMut) -> Result<()> {
        let s = &self.store[self.find(name)?];
        let from = match part {
            Part::Weight => &s.weight,
            Part::Gradient => &s.gradient,
            Part::State(i) => s.state.get(i).ok_or(Error::Parameter(name.to_owned()))?,
        };
        fits(name, from.len(), host.len())?;
        host.fill_f64(from.iter());
        Ok(())
    }
}

fn copy(name: &str, to: &mut [f64], host: Host) -> Result<()> {
    fits(name, to.len(), host.len())?;
    match host {
        Host::Real(from) => to
            .iter_mut()
            .zip(from)
            .for_each(|(t, f)| *t = f64::from(*f)),
        Host::Double(from) => to.copy_from_slice(from),
        Host::Tokens(from) => to
            .iter_mut()
            .zip(from)
            .for_each(|(t, f)| *t = f64::from(*f)),
    }
    Ok(())
}
