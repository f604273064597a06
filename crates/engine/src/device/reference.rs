//! The reference device: f64, one thread, every value in its own buffer. It runs the same list of
//! steps as the fast device, so an error in lifetimes or offsets shows up as a difference.

use super::{Device, Field, Host, HostMut, Ready, fits};
use crate::at::{At, Scalars};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, Origin, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, In};
use crate::plan::Plan;
use crate::precision::Precision;
use crate::rule::UpdateF64;
use crate::schedule::{Item, Work};
use crate::update::Optimizer;
use crate::variable::Variable;
use crate::write::Write;

/// Called with the gradients of a node's inputs after its backward pass; may change them. Tests use
/// it to inject faults.
pub type Observer = Box<dyn FnMut(&Graph, NodeId, &mut [Option<Vec<f64>>])>;

struct Stored {
    variable: Variable,
    weight: Vec<f64>,
    gradient: Vec<f64>,
    state: Vec<Vec<f64>>,
}

struct Prepared {
    plan: Plan,
    /// Content of each value: of one micro-batch, or of all if it is held.
    values: Vec<Vec<f64>>,
    tokens: Vec<Vec<u32>>,
    gradients: Vec<Vec<f64>>,
    /// Index in the store of each variable of the graph.
    stored: Vec<usize>,
}

/// The reference device.
#[derive(Default)]
pub struct Reference {
    store: Vec<Stored>,
    /// By plan number; `None` if the plan was released.
    prepared: Vec<Option<Prepared>>,
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

    fn prepared(&self, ready: Ready) -> Result<&Prepared> {
        let found = self.prepared.get(ready.0).and_then(Option::as_ref);
        found.ok_or_else(|| Error::Gone(format!("plan {}", ready.0)))
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.store.iter().position(|s| s.variable.name == name);
        found.ok_or_else(|| Error::Parameter(name.to_owned()))
    }

    fn forward(&mut self, p: &mut Prepared, node: NodeId, at: At) {
        let graph = p.plan.graph().clone();
        let node = graph.node(node);
        let mut take = |v: &ValueId| match graph.values[v.0].origin {
            Origin::Stored(r) => std::mem::take(&mut self.store[p.stored[r]].weight),
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
        node.op.forward_f64(args);
        for (v, buffer) in node
            .y
            .iter()
            .chain(&node.kept)
            .zip(y.into_iter().chain(kept))
        {
            match graph.values[v.0].origin {
                Origin::Stored(r) => self.store[p.stored[r]].weight = buffer,
                _ => p.values[v.0] = buffer,
            }
        }
    }

    fn backward(&mut self, p: &mut Prepared, id: NodeId, item: &Item, at: At) {
        let graph = p.plan.graph().clone();
        let node: &Node = graph.node(id);
        let mut dx: Vec<Option<Vec<f64>>> = Vec::new();
        for (slot, v) in node.x.iter().enumerate() {
            let value = &graph.values[v.0];
            if !value.needs_gradient {
                dx.push(None);
                continue;
            }
            let mut buffer = match value.origin {
                Origin::Stored(r) => std::mem::take(&mut self.store[p.stored[r]].gradient),
                _ => std::mem::take(&mut p.gradients[v.0]),
            };
            if item.write[slot] == Write::Set {
                buffer.fill(0.0);
            }
            dx.push(Some(buffer));
        }
        let reads = node.reads;
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
        let dy = node.y.iter().map(|&v| match p.plan.gradient(v) {
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
        node.op.backward_f64(args);
        if let Some(observer) = &mut self.observer {
            observer(&graph, id, &mut dx);
        }
        for (v, buffer) in node.x.iter().zip(dx) {
            let Some(buffer) = buffer else { continue };
            match graph.values[v.0].origin {
                Origin::Stored(r) => self.store[p.stored[r]].gradient = buffer,
                _ => p.gradients[v.0] = buffer,
            }
        }
    }

    fn take_norm(&mut self, p: &Prepared) {
        let all = self.store.iter().flat_map(|s| &s.gradient);
        self.norm = all.map(|g| g * g).sum::<f64>().sqrt();
        let costs = p.plan.graph().nodes.iter().filter(|n| n.is_cost);
        if !costs
            .flat_map(|n| &p.values[n.y[0].0])
            .all(|c| c.is_finite())
        {
            self.norm = f64::NAN;
        }
    }

    fn update(&mut self, p: &Prepared, update: usize, scalars: &Scalars) {
        let (Some(optimizer), updates) = (p.plan.optimizer(), &p.plan.updates()[update]) else {
            return;
        };
        let number = updates.assignment;
        let setting = optimizer.setting(number, scalars, self.norm, Precision::F32);
        let Some(setting) = setting else { return };
        for &variable in &updates.variables {
            let s = &mut self.store[p.stored[variable]];
            let a = UpdateF64 {
                shape: s.variable.matrix(),
                w: &mut s.weight,
                g: &s.gradient,
                states: &mut s.state,
            };
            optimizer.assignments[number].rule.update_f64(&setting, a);
        }
    }

    /// Runs one entry of the list.
    fn work(&mut self, p: &mut Prepared, item: &Item, scalars: &Scalars) {
        let at = scalars.at(item.micro, Precision::F32);
        match item.work {
            Work::Forward(node) => self.forward(p, node, at),
            Work::Backward(node) => self.backward(p, node, item, at),
            Work::Norm => self.take_norm(p),
            Work::Update(update) => self.update(p, update, scalars),
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
        let value = self.plan.graph().value(v);
        let len = value.spec.len();
        let from = if value.held { micro * len } else { 0 };
        match (value.origin, value.spec.element) {
            (Origin::Stored(r), _) => In::Real(&store[self.stored[r]].weight),
            (_, Element::Tokens) => In::Tokens(&self.tokens[v.0][from..from + len]),
            _ => In::Real(&self.values[v.0][from..from + len]),
        }
    }
}

impl Device for Reference {
    fn create(&mut self, variables: &[Variable], optimizer: Option<&Optimizer>) -> Result<()> {
        let states = |v: &Variable| optimizer.map_or(Vec::new(), |o| o.states(v));
        let stored = variables.iter().map(|variable| Stored {
            weight: vec![0.0; variable.len()],
            gradient: vec![
                0.0;
                if variable.is_parameter() {
                    variable.len()
                } else {
                    0
                }
            ],
            state: states(variable).iter().map(|&len| vec![0.0; len]).collect(),
            variable: variable.clone(),
        });
        self.store = stored.collect();
        self.prepared.iter_mut().for_each(|p| *p = None);
        Ok(())
    }

    fn prepare(&mut self, plan: Plan) -> Result<Ready> {
        let mut stored = Vec::new();
        let graph = plan.graph().clone();
        for variable in &graph.variables {
            if !variable.is_weight() && self.find(&variable.name).is_err() {
                self.store.push(Stored {
                    variable: variable.clone(),
                    weight: vec![0.0; variable.len()],
                    gradient: Vec::new(),
                    state: Vec::new(),
                });
            }
            let at = self.find(&variable.name)?;
            fits(&variable.name, self.store[at].weight.len(), variable.len())?;
            stored.push(at);
        }
        let room = |v: ValueId, element: Element| {
            let value = graph.value(v);
            let copies = if value.held { plan.micros() } else { 1 };
            match value.origin {
                Origin::Stored(_) => 0,
                _ if value.spec.element != element => 0,
                _ => value.spec.len() * copies,
            }
        };
        let reals = |v| vec![0.0; room(v, Element::Real)];
        let tokens = |v| vec![0; room(v, Element::Tokens)];
        let gradient = |v| vec![0.0; plan.gradient(v).map_or(0, |p| p.len)];
        let prepared = Prepared {
            values: graph.value_ids().map(reals).collect(),
            tokens: graph.value_ids().map(tokens).collect(),
            gradients: graph.value_ids().map(gradient).collect(),
            stored,
            plan,
        };
        self.prepared.push(Some(prepared));
        Ok(Ready(self.prepared.len() - 1))
    }

    fn release(&mut self, ready: Ready) {
        if let Some(p) = self.prepared.get_mut(ready.0) {
            *p = None;
        }
    }

    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()> {
        let p = self.prepared.get_mut(ready.0).and_then(Option::as_mut);
        let p = p.ok_or_else(|| Error::Gone(format!("plan {}", ready.0)))?;
        let name = p.plan.graph().value(value).name.clone();
        match host {
            Host::Tokens(from) => {
                fits(&name, p.tokens[value.0].len(), from.len())?;
                p.tokens[value.0].copy_from_slice(from);
                Ok(())
            }
            _ => copy(&name, &mut p.values[value.0], host),
        }
    }

    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()> {
        self.prepared(ready)?;
        let taken = self.prepared.get_mut(ready.0).and_then(Option::take);
        let Some(mut p) = taken else { return Ok(()) };
        for i in 0..p.plan.items().len() {
            let item = p.plan.items()[i];
            self.work(&mut p, &item, scalars);
        }
        self.prepared[ready.0] = Some(p);
        Ok(())
    }

    fn read(&self, ready: Ready, value: ValueId, mut host: HostMut) -> Result<()> {
        let p = self.prepared(ready)?;
        let name = &p.plan.graph().value(value).name;
        fits(name, p.values[value.0].len(), host.len())?;
        host.fill_f64(p.values[value.0].iter());
        Ok(())
    }

    fn norm(&self) -> f64 {
        self.norm
    }

    fn write_variable(&mut self, name: &str, field: Field, host: Host) -> Result<()> {
        let at = self.find(name)?;
        let s = &mut self.store[at];
        let to = match field {
            Field::Weight => &mut s.weight,
            Field::Gradient => &mut s.gradient,
            Field::State(i) => s
                .state
                .get_mut(i)
                .ok_or(Error::Parameter(name.to_owned()))?,
        };
        copy(name, to, host)
    }

    fn read_variable(&self, name: &str, field: Field, mut host: HostMut) -> Result<()> {
        let s = &self.store[self.find(name)?];
        let from = match field {
            Field::Weight => &s.weight,
            Field::Gradient => &s.gradient,
            Field::State(i) => s.state.get(i).ok_or(Error::Parameter(name.to_owned()))?,
        };
        fits(name, from.len(), host.len())?;
        host.fill_f64(from.iter());
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let stored = |s: &Stored| {
            let states: usize = s.state.iter().map(Vec::len).sum();
            s.weight.len() + s.gradient.len() + states
        };
        let plan = |p: &Prepared| {
            let all = p.values.iter().chain(&p.gradients);
            all.map(Vec::len).sum::<usize>()
        };
        let plans = self.prepared.iter().flatten().map(plan);
        8 * self.store.iter().map(stored).chain(plans).sum::<usize>() as u64
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
