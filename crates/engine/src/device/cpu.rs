//! The processor: f32, one arena a plan, and a team of threads that walks the list of steps.

use super::{Device, Host, HostMut, Part, Ready, Scalars, fits};
use crate::arena::{Arena, Out, Read};
use crate::error::{Error, Result};
use crate::gemm::Precision;
use crate::graph::{Graph, NodeId, Row, RowKind, Source, ValueId};
use crate::machine::Isa;
use crate::measure::products;
use crate::op::{Backward, Forward, Write};
use crate::plan::{ALIGN, Place, Plan};
use crate::schedule::{Item, Purpose, Step};
use crate::team::{Order, Team, Workers};
use crate::update::{Optimiser, blocks, norm};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How the processor is used. Tests force what users never need to.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Threads of the team.
    pub threads: usize,
    /// Instruction set of the kernels.
    pub isa: Isa,
    /// In which order tiles are taken.
    pub order: Order,
}

impl Settings {
    /// The best instruction set there is, with this many threads.
    pub fn with_threads(threads: usize) -> Settings {
        Settings {
            threads,
            isa: Isa::detect(),
            order: Order::Rising,
        }
    }
}

/// Parameters lie flat, those that decay first; gradients and state lie alike.
struct Store {
    rows: Vec<(Row, usize)>,
    groups: [Range<usize>; 2],
    weights: Arena,
    gradients: Arena,
    states: Vec<Arena>,
    caches: Vec<(String, Arena)>,
    /// One number a block of the gradient, then the norm itself.
    norms: Arena,
}

/// One entry of the list, with every place found.
enum Task {
    Forward(NodeId, usize, Forward),
    Backward(NodeId, usize, Backward),
    Norm(Read, Vec<Read>, Out, Out),
    Update(Optimiser, usize, Out, Read, Vec<Out>),
}

impl Task {
    /// What it does, as `linear backward`.
    fn kind(&self, graph: &Graph) -> String {
        let name = |node: &NodeId| graph.nodes[node.0].op.get().name();
        match self {
            Task::Forward(node, ..) => format!("{} forward", name(node)),
            Task::Backward(node, ..) => format!("{} backward", name(node)),
            Task::Norm(..) => "gradient norm".into(),
            Task::Update(..) => "update".into(),
        }
    }
}

struct Prepared {
    graph: Arc<Graph>,
    plan: Plan,
    arena: Arena,
    tasks: Vec<Task>,
}

/// The processor.
pub struct Cpu {
    workers: Workers,
    isa: Isa,
    store: Option<Store>,
    prepared: Vec<Prepared>,
}

impl Cpu {
    /// A team and an empty store.
    pub fn new(settings: Settings) -> Cpu {
        Cpu {
            workers: Workers::new(settings.threads, settings.isa, settings.order),
            isa: settings.isa,
            store: None,
            prepared: Vec::new(),
        }
    }

    fn store(&self) -> Result<&Store> {
        self.store
            .as_ref()
            .ok_or_else(|| Error::Parameter("(no store yet)".into()))
    }

    /// Runs the whole list of steps and tells how long each entry of it took, from barrier to
    /// barrier, as the caller's thread saw it.
    ///
    /// # Errors
    /// Where a thread failed, or `times` is not as long as the plan's list.
    pub fn run_timed(
        &mut self,
        ready: Ready,
        scalars: &Scalars,
        times: &mut [Duration],
    ) -> Result<()> {
        let entries = self.prepared[ready.0].tasks.len();
        fits("times of a plan's steps", entries, times.len())?;
        self.walk(ready, scalars, Some(&Mutex::new(times)))
    }

    /// All threads walk the list; the first keeps the clock, where one is wanted.
    fn walk(
        &mut self,
        ready: Ready,
        scalars: &Scalars,
        clock: Option<&Mutex<&mut [Duration]>>,
    ) -> Result<()> {
        let norm_value = self.store()?.norm_places().1;
        let p = &self.prepared[ready.0];
        self.workers.run(&|team: &Team| {
            let clock = clock.filter(|_| team.worker() == 0);
            let mut clock = clock.map(|c| (c.lock(), Instant::now()));
            for (entry, task) in p.tasks.iter().enumerate() {
                run_task(p, task, scalars, norm_value, team);
                if let Some((Ok(times), from)) = &mut clock {
                    let now = Instant::now();
                    times[entry] = now - *from;
                    *from = now;
                }
            }
        })
    }
}

impl Store {
    fn new(rows: &[Row], optimiser: Option<Optimiser>) -> Result<Store> {
        let mut placed = Vec::new();
        let mut end = 0usize;
        let mut groups = [0..0, 0..0];
        for (group, range) in groups.iter_mut().enumerate() {
            let from = end;
            let learnt = rows.iter().filter(|r| r.kind == RowKind::Parameter);
            for row in learnt.filter(|r| r.decay == (group == 0)) {
                placed.push((row.clone(), end));
                end += row.len().next_multiple_of(ALIGN);
            }
            *range = from..end;
        }
        let trained = if optimiser.is_some() { end } else { 0 };
        let states = optimiser.map_or(0, |o| o.states());
        Ok(Store {
            rows: placed,
            groups,
            weights: Arena::new(end)?,
            gradients: Arena::new(trained)?,
            states: (0..states)
                .map(|_| Arena::new(end))
                .collect::<Result<_>>()?,
            caches: Vec::new(),
            norms: Arena::new(blocks(trained).next_multiple_of(ALIGN) + 1)?,
        })
    }

    fn row(&self, name: &str) -> Result<(usize, usize)> {
        let found = self.rows.iter().find(|(r, _)| r.name == name);
        let (row, offset) = found.ok_or_else(|| Error::Parameter(name.to_owned()))?;
        Ok((*offset, row.len()))
    }

    fn part(&self, part: Part) -> Option<&Arena> {
        match part {
            Part::Weight => Some(&self.weights),
            Part::Gradient => Some(&self.gradients).filter(|a| a.len() == self.weights.len()),
            Part::State(i) => self.states.get(i),
        }
    }

    fn part_mut(&mut self, part: Part) -> Option<&mut Arena> {
        match part {
            Part::Weight => Some(&mut self.weights),
            Part::Gradient => Some(&mut self.gradients),
            Part::State(i) => self.states.get_mut(i),
        }
        .filter(|a| a.len() > 0)
    }

    /// Makes sure that what a graph wants is there.
    fn admit(&mut self, graph: &Graph) -> Result<()> {
        for row in &graph.rows {
            match row.kind {
                RowKind::Parameter => fits(&row.name, self.row(&row.name)?.1, row.len())?,
                RowKind::Cache => {
                    if !self.caches.iter().any(|(name, _)| *name == row.name) {
                        self.caches.push((row.name.clone(), Arena::new(row.len())?));
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&self, row: &Row) -> Result<Read> {
        let cache = self.caches.iter().find(|(name, _)| *name == row.name);
        match cache {
            Some((_, arena)) => Ok(arena.read(0, row.len())),
            None => {
                let (offset, len) = self.row(&row.name)?;
                Ok(self.weights.read(offset, len))
            }
        }
    }

    fn cache(&self, row: &Row) -> Result<Out> {
        let cache = self.caches.iter().find(|(name, _)| *name == row.name);
        let (_, arena) = cache.ok_or_else(|| Error::Parameter(row.name.clone()))?;
        Ok(arena.out(0, row.len()))
    }

    fn norm_places(&self) -> (Out, Read, Out) {
        let blocks = blocks(self.gradients.len());
        let at = blocks.next_multiple_of(ALIGN);
        (
            self.norms.out(0, blocks),
            self.norms.read(at, 1),
            self.norms.out(at, 1),
        )
    }
}

/// Finds the places of a plan's tasks.
struct Resolver<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    arena: &'a Arena,
    store: &'a Store,
}

impl Resolver<'_> {
    fn read(&self, v: ValueId, micro: usize) -> Result<Read> {
        match (self.graph.values[v.0].source, &self.plan.values[v.0]) {
            (Source::Stored(r), _) => self.store.read(&self.graph.rows[r]),
            (_, Some(place)) => Ok(self.arena.read(place.at(micro), place.len)),
            (_, None) => Ok(Read::NONE),
        }
    }

    fn out(&self, v: ValueId, micro: usize) -> Result<Out> {
        match (self.graph.values[v.0].source, &self.plan.values[v.0]) {
            (Source::Stored(r), _) => self.store.cache(&self.graph.rows[r]),
            (_, Some(place)) => Ok(self.arena.out(place.at(micro), place.len)),
            (_, None) => Ok(self.arena.out(0, 0)),
        }
    }

    fn gradient(&self, v: ValueId, write: Write) -> Result<Option<(Write, Out)>> {
        let value = &self.graph.values[v.0];
        let out = match (value.source, &self.plan.gradients[v.0]) {
            _ if !value.needs_gradient => return Ok(None),
            (Source::Stored(r), _) => {
                let (offset, len) = self.store.row(&self.graph.rows[r].name)?;
                self.store.gradients.out(offset, len)
            }
            (_, Some(place)) => self.arena.out(place.at(0), place.len),
            (_, None) => return Ok(None),
        };
        Ok(Some((write, out)))
    }

    fn forward(&self, id: NodeId, micro: usize) -> Result<Task> {
        let node = &self.graph.nodes[id.0];
        let f = Forward {
            x: node
                .x
                .iter()
                .map(|&v| self.read(v, micro))
                .collect::<Result<_>>()?,
            y: node
                .y
                .iter()
                .map(|&v| self.out(v, micro))
                .collect::<Result<_>>()?,
            kept: node
                .kept
                .iter()
                .map(|&v| self.out(v, micro))
                .collect::<Result<_>>()?,
        };
        Ok(Task::Forward(id, micro, f))
    }

    fn backward(&self, id: NodeId, item: &Item) -> Result<Task> {
        let node = &self.graph.nodes[id.0];
        let reads = node.op.get().reads();
        // Where a gradient is written over an input, the input is found there.
        let over = |slot: usize| self.plan.overwrites(self.graph, id, slot);
        let some = |all: &[ValueId], slots: &[usize]| -> Result<Vec<Read>> {
            let each = all
                .iter()
                .enumerate()
                .map(|(slot, &v)| match slots.contains(&slot) {
                    true => self.read(v, item.micro),
                    false => Ok(Read::NONE),
                });
            each.collect()
        };
        let dy = |v: &ValueId| match &self.plan.gradients[v.0] {
            Some(place) => self.arena.read(place.at(0), place.len),
            None => Read::NONE,
        };
        let dx = node.x.iter().zip(item.write).enumerate();
        let dx = dx.map(
            |(slot, (&v, write))| match self.plan.hands_on(self.graph, id, slot) {
                true => Ok(None),
                false if over(slot) => self.gradient(v, Write::Over),
                false => self.gradient(v, write),
            },
        );
        let x: Vec<usize> = reads
            .x
            .iter()
            .copied()
            .filter(|&slot| !over(slot))
            .collect();
        let b = Backward {
            x: some(&node.x, &x)?,
            y: some(&node.y, reads.y)?,
            kept: node
                .kept
                .iter()
                .map(|&v| self.read(v, item.micro))
                .collect::<Result<_>>()?,
            dy: node.y.iter().map(dy).collect(),
            dx: dx.collect::<Result<_>>()?,
        };
        Ok(Task::Backward(id, item.micro, b))
    }

    fn task(&self, item: &Item) -> Result<Task> {
        let gradients = |range: &Range<usize>| self.store.gradients.read(range.start, range.len());
        match (item.step, self.plan.purpose) {
            (Step::Forward(node), _) => self.forward(node, item.micro),
            (Step::Backward(node), _) => self.backward(node, item),
            (Step::Update(group), Purpose::Train(optimiser)) => {
                let range = &self.store.groups[group];
                let out = |arena: &Arena| arena.out(range.start, range.len());
                let states = self.store.states.iter().map(out).collect();
                let weights = out(&self.store.weights);
                Ok(Task::Update(
                    optimiser,
                    group,
                    weights,
                    gradients(range),
                    states,
                ))
            }
            _ => {
                let costs = self.graph.nodes.iter().filter(|n| n.op.get().is_cost());
                let costs = costs.filter_map(|n| self.plan.values[n.y[0].0].as_ref());
                let each =
                    |p: &'_ Place| (0..p.copies).map(|m| (p.at(m), p.len)).collect::<Vec<_>>();
                let costs = costs.flat_map(each);
                let costs = costs.map(|(at, len)| self.arena.read(at, len)).collect();
                let (partial, _, norm) = self.store.norm_places();
                let all = gradients(&(0..self.store.gradients.len()));
                Ok(Task::Norm(all, costs, partial, norm))
            }
        }
    }
}

fn run_task(p: &Prepared, task: &Task, scalars: &Scalars, norm_value: Read, team: &Team) {
    let op = |node: &NodeId| p.graph.nodes[node.0].op.get();
    match task {
        Task::Forward(node, micro, f) => {
            op(node).forward(f, &scalars.at(*micro, p.plan.precision), team)
        }
        Task::Backward(node, micro, b) => {
            op(node).backward(b, &scalars.at(*micro, p.plan.precision), team)
        }
        Task::Norm(gradient, costs, partial, out) => norm(*gradient, costs, partial, out, team),
        Task::Update(optimiser, group, w, g, states) => {
            let norm = f64::from(norm_value.real()[0]);
            let setting = optimiser.setting(*group, scalars.step, scalars.rate, norm);
            if let Some(setting) = setting {
                optimiser.update(&setting, w, *g, states, team);
            }
        }
    }
}

impl Device for Cpu {
    fn create(&mut self, rows: &[Row], optimiser: Option<Optimiser>) -> Result<()> {
        self.prepared.clear();
        self.store = Some(Store::new(rows, optimiser)?);
        Ok(())
    }

    fn prepare(&mut self, graph: Arc<Graph>, plan: Plan) -> Result<Ready> {
        let missing = || Error::Parameter("(no store yet)".into());
        let store = self.store.as_mut().ok_or_else(missing)?;
        store.admit(&graph)?;
        let arena = Arena::new(plan.arena)?;
        let resolver = Resolver {
            graph: &graph,
            plan: &plan,
            arena: &arena,
            store,
        };
        let tasks = plan
            .items
            .iter()
            .map(|i| resolver.task(i))
            .collect::<Result<_>>()?;
        self.prepared.push(Prepared {
            graph,
            plan,
            arena,
            tasks,
        });
        Ok(Ready(self.prepared.len() - 1))
    }

    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()> {
        let p = &mut self.prepared[ready.0];
        let name = &p.graph.values[value.0].name;
        let Some(place) = &p.plan.values[value.0] else {
            return Ok(()); // nobody reads this input
        };
        fits(name, place.len * place.copies, host.len())?;
        for micro in 0..place.copies {
            let (offset, part) = (place.at(micro), micro * place.len..(micro + 1) * place.len);
            match host {
                Host::Tokens(x) => {
                    p.arena
                        .tokens_mut(offset, place.len)
                        .copy_from_slice(&x[part]);
                }
                _ => copy(p.arena.slice_mut(offset, place.len), host, part.start),
            }
        }
        Ok(())
    }

    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()> {
        self.walk(ready, scalars, None)
    }

    fn peak(&mut self, precision: Precision) -> Result<Option<f64>> {
        products(&mut self.workers, self.isa, precision).map(Some)
    }

    fn run_profiled(&mut self, ready: Ready, scalars: &Scalars) -> Result<Vec<(String, f64)>> {
        let mut times = vec![Duration::ZERO; self.prepared[ready.0].tasks.len()];
        self.run_timed(ready, scalars, &mut times)?;
        let p = &self.prepared[ready.0];
        let mut kinds: Vec<(String, f64)> = Vec::new();
        for (task, time) in p.tasks.iter().zip(times) {
            let name = task.kind(&p.graph);
            match kinds.iter_mut().find(|(kind, _)| *kind == name) {
                Some((_, sum)) => *sum += time.as_secs_f64(),
                None => kinds.push((name, time.as_secs_f64())),
            }
        }
        Ok(kinds)
    }

    fn read(&self, ready: Ready, value: ValueId, mut host: HostMut) -> Result<()> {
        let p = &self.prepared[ready.0];
        let name = &p.graph.values[value.0].name;
        let Some(place) = &p.plan.values[value.0] else {
            return fits(name, 0, host.len());
        };
        fits(name, place.len * place.copies, host.len())?;
        let micros = (0..place.copies).map(|m| p.arena.slice(place.at(m), place.len));
        host.fill_f32(micros.flatten());
        Ok(())
    }

    fn norm(&self) -> f64 {
        match &self.store {
            Some(store) => f64::from(store.norm_places().1.real()[0]),
            None => f64::NAN,
        }
    }

    fn write_row(&mut self, name: &str, part: Part, host: Host) -> Result<()> {
        let missing = || Error::Parameter(name.to_owned());
        let store = self.store.as_mut().ok_or_else(missing)?;
        let (offset, len) = store.row(name)?;
        fits(name, len, host.len())?;
        let arena = store.part_mut(part).ok_or_else(missing)?;
        copy(arena.slice_mut(offset, len), host, 0);
        Ok(())
    }

    fn read_row(&self, name: &str, part: Part, mut host: HostMut) -> Result<()> {
        let store = self.store()?;
        let (offset, len) = store.row(name)?;
        fits(name, len, host.len())?;
        let arena = store
            .part(part)
            .ok_or_else(|| Error::Parameter(name.to_owned()))?;
        host.fill_f32(arena.slice(offset, len).iter());
        Ok(())
    }
}

/// Copies the host's numbers from `from` on.
fn copy(to: &mut [f32], host: Host, from: usize) {
    let all = to.iter_mut();
    match host {
        Host::Real(x) => all.zip(&x[from..]).for_each(|(t, x)| *t = *x),
        Host::Double(x) => all.zip(&x[from..]).for_each(|(t, x)| *t = *x as f32),
        Host::Tokens(x) => all.zip(&x[from..]).for_each(|(t, x)| *t = *x as f32),
    }
}
