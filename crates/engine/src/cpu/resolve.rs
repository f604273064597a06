//! Resolves the entries of a plan to kernels and memory places, once, before the plan runs.

use super::arena::{Arena, Out, Read};
use super::flat::norm;
use super::gemm::WeightForm;
use super::kernel::{Backward, FindKernel, FindRule, Forward, Kernel, RuleKernel, Update};
use super::store::Store;
use super::team::Team;
use crate::at::Scalars;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Origin, ValueId};
use crate::plan::{Place, Plan};
use crate::schedule::{Item, Work};
use crate::update::Optimizer;
use crate::write::Write;
use std::sync::Arc;

/// One entry of the list, with its kernel and every place resolved.
pub enum Resolved {
    Forward(Arc<dyn Kernel>, usize, Forward),
    Backward(Arc<dyn Kernel>, usize, Backward),
    Norm {
        gradient: Read,
        costs: Vec<Read>,
        partial: Out,
        norm: Out,
    },
    Update {
        rule: Arc<dyn RuleKernel>,
        assignment: usize,
        norm: Read,
        update: Update,
    },
}

impl Resolved {
    /// What it does, such as `linear backward`.
    pub fn kind(&self) -> String {
        match self {
            Resolved::Forward(kernel, ..) => format!("{} forward", kernel.name()),
            Resolved::Backward(kernel, ..) => format!("{} backward", kernel.name()),
            Resolved::Norm { .. } => "gradient norm".into(),
            Resolved::Update { .. } => "update".into(),
        }
    }

    /// Runs it; called by every thread of the team.
    pub fn run(&self, plan: &Plan, scalars: &Scalars, team: &Team) {
        let at = |micro: &usize| scalars.at(*micro, plan.precision());
        match self {
            Resolved::Forward(kernel, micro, a) => kernel.forward(a, &at(micro), team),
            Resolved::Backward(kernel, micro, a) => kernel.backward(a, &at(micro), team),
            Resolved::Norm {
                gradient,
                costs,
                partial,
                norm: to,
            } => {
                norm(gradient, costs, partial, to, team);
            }
            Resolved::Update {
                rule,
                assignment,
                norm,
                update,
            } => {
                let norm = f64::from(norm.real()[0]);
                let setting = plan
                    .optimizer()
                    .and_then(|o| o.setting(*assignment, scalars, norm, plan.precision()));
                if let Some(setting) = setting {
                    rule.update(&setting, update, team);
                }
            }
        }
    }
}

/// Resolves kernels and places.
pub struct Resolver<'a> {
    pub plan: &'a Plan,
    pub arena: &'a Arena,
    pub store: &'a Store,
    pub kernels: &'a [FindKernel],
    pub rules: &'a [FindRule],
}

impl Resolver<'_> {
    /// Every entry of the list.
    pub fn tasks(&self) -> Result<Vec<Resolved>> {
        self.plan.items().iter().map(|i| self.task(i)).collect()
    }

    fn graph(&self) -> &Graph {
        self.plan.graph()
    }

    fn read(&self, v: ValueId, micro: usize) -> Result<Read> {
        match (self.graph().value(v).origin, self.plan.value(v)) {
            (Origin::Stored(at), _) => self.store.read(&self.graph().variables[at]),
            (_, Some(place)) => Ok(self.arena.read(place.at(micro), place.len)),
            (_, None) => Ok(Read::none()),
        }
    }

    fn out(&self, v: ValueId, micro: usize) -> Result<Out> {
        match (self.graph().value(v).origin, self.plan.value(v)) {
            (Origin::Stored(at), _) => self.store.write_cache(&self.graph().variables[at]),
            (_, Some(place)) => Ok(self.arena.out(place.at(micro), place.len)),
            (_, None) => Ok(self.arena.out(0, 0)),
        }
    }

    fn gradient(&self, v: ValueId, write: Write) -> Result<Option<(Write, Out)>> {
        let value = self.graph().value(v);
        let out = match (value.origin, self.plan.gradient(v)) {
            _ if !value.needs_gradient => return Ok(None),
            (Origin::Stored(at), _) => self.store.gradient(&self.graph().variables[at])?,
            (_, Some(place)) => self.arena.out(place.at(0), place.len),
            (_, None) => return Ok(None),
        };
        Ok(Some((write, out)))
    }

    fn kernel(&self, node: NodeId) -> Result<Arc<dyn Kernel>> {
        let op = &self.graph().node(node).op;
        let found = self.kernels.iter().find_map(|find| find(op));
        found.ok_or_else(|| Error::NoKernel(op.name()))
    }

    fn forward(&self, id: NodeId, micro: usize) -> Result<Resolved> {
        let node = self.graph().node(id);
        let outs = |all: &[ValueId]| -> Result<Vec<Out>> {
            all.iter().map(|&v| self.out(v, micro)).collect()
        };
        let kernel = self.kernel(id)?;
        let x = node.x.iter().map(|&v| self.read(v, micro));
        let x = x.collect::<Result<Vec<_>>>()?;
        let packed =
            |(slot, x): (usize, &Read)| x.form() != WeightForm::Rows && !kernel.reads_packed(slot);
        if x.iter().enumerate().any(packed) {
            return Err(Error::Packed(kernel.name()));
        }
        let a = Forward {
            x,
            y: outs(&node.y)?,
            kept: outs(&node.kept)?,
        };
        Ok(Resolved::Forward(kernel, micro, a))
    }

    fn backward(&self, id: NodeId, item: &Item) -> Result<Resolved> {
        let (node, plan) = (self.graph().node(id), self.plan);
        // If a gradient overwrites an input, the kernel reads the input from the gradient's place.
        let over = |slot: usize| plan.overwrites(id, slot);
        let some = |all: &[ValueId], wanted: &dyn Fn(usize) -> bool| -> Result<Vec<Read>> {
            let each = all.iter().enumerate().map(|(slot, &v)| match wanted(slot) {
                true => self.read(v, item.micro),
                false => Ok(Read::none()),
            });
            each.collect()
        };
        let dy = |v: &ValueId| match plan.gradient(*v) {
            Some(place) => self.arena.read(place.at(0), place.len),
            None => Read::none(),
        };
        let dx = node.x.iter().zip(item.write).enumerate();
        let dx = dx.map(|(slot, (&v, write))| match plan.hands_on(id, slot) {
            true => Ok(None),
            false if over(slot) => self.gradient(v, Write::Over),
            false => self.gradient(v, write),
        });
        let a = Backward {
            x: some(&node.x, &|slot| node.reads.x.contains(&slot) && !over(slot))?,
            y: some(&node.y, &|slot| node.reads.y.contains(&slot))?,
            kept: some(&node.kept, &|_| true)?,
            dy: node.y.iter().map(dy).collect(),
            dx: dx.collect::<Result<_>>()?,
        };
        Ok(Resolved::Backward(self.kernel(id)?, item.micro, a))
    }

    fn norm(&self) -> Resolved {
        let costs = self.graph().nodes.iter().filter(|n| n.is_cost);
        let costs = costs.filter_map(|n| self.plan.value(*n.y.first()?));
        let each = |p: &Place| (0..p.copies).map(|m| (p.at(m), p.len)).collect::<Vec<_>>();
        let costs = costs.flat_map(each);
        let (gradient, partial, norm) = self.store.norm();
        Resolved::Norm {
            gradient,
            costs: costs.map(|(at, len)| self.arena.read(at, len)).collect(),
            partial,
            norm,
        }
    }

    fn update(&self, optimizer: &Optimizer, update: usize) -> Result<Resolved> {
        let updates = &self.plan.updates()[update];
        let variables = &self.graph().variables;
        let named = updates
            .variables
            .iter()
            .map(|&v| variables[v].name.as_str());
        let together = self.store.together(&named.collect::<Vec<_>>())?;
        let assignment = &optimizer.assignments[updates.assignment];
        let found = self.rules.iter().find_map(|find| find(&assignment.rule));
        let shape = match updates.variables[..] {
            [one] => variables[one].matrix(),
            _ => [1, together.g.real().len()],
        };
        let scratch = match self.plan.scratch() {
            Some(place) => self.arena.out(place.offset, assignment.rule.scratch(shape)),
            None => self.arena.out(0, 0),
        };
        Ok(Resolved::Update {
            rule: found.ok_or_else(|| Error::NoKernel(assignment.rule.name()))?,
            assignment: updates.assignment,
            norm: self.store.norm_read(),
            update: Update {
                shape,
                w: together.w,
                g: together.g,
                states: together.states,
                scratch,
            },
        })
    }

    fn task(&self, item: &Item) -> Result<Resolved> {
        match (item.work, self.plan.optimizer()) {
            (Work::Forward(node), _) => self.forward(node, item.micro),
            (Work::Backward(node), _) => self.backward(node, item),
            (Work::Update(update), Some(optimizer)) => self.update(optimizer, update),
            _ => Ok(self.norm()),
        }
    }
}
