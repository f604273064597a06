//! The processor: f32, one arena that all plans share, and a team of threads that walks the list of
//! steps.
//!
//! Begin with `kernel` (what the processor runs), then `team` and `arena` (threads and memory),
//! `lanes` and `gemm` (fast arithmetic with the same bits everywhere), `resolve` and `store` (from
//! a plan to memory places).

use crate::at::Scalars;
use crate::device::{Device, Field, Host, HostMut, Ready, fits};
use crate::error::{Error, Result};
use crate::graph::{Origin, ValueId};
use crate::ops::KERNELS;
use crate::plan::Plan;
use crate::precision::Precision;
use crate::update::{Optimizer, RULE_KERNELS};
use crate::variable::Variable;
use arena::Arena;
use gemm::WeightForm;
use kernel::{FindKernel, FindRule, Kernel, RuleKernel};
use machine::Isa;
use resolve::{Resolved, Resolver};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use store::Store;
use team::{Order, Team, Workers};

pub mod arena;
pub(crate) mod flat;
pub mod functions;
pub mod gemm;
pub mod kernel;
pub(crate) mod lanes;
pub mod machine;
pub mod measure;
mod resolve;
pub mod rungs;
mod store;
pub mod team;

/// How the processor is used. Tests and benchmarks vary instruction set and order.
#[derive(Debug, Clone, Copy)]
pub struct CpuSettings {
    /// Number of threads.
    pub threads: usize,
    /// Instruction set of the kernels.
    pub isa: Isa,
    /// The order in which tiles are taken.
    pub order: Order,
    /// How the matrices of layers are stored where nothing is trained.
    pub weights: WeightForm,
}

impl CpuSettings {
    /// The best instruction set available, with this many threads.
    pub fn with_threads(threads: usize) -> CpuSettings {
        CpuSettings {
            threads,
            isa: Isa::detect(),
            order: Order::Rising,
            weights: WeightForm::Rows,
        }
    }
}

/// A plan with its places. They point into the device's store and arena, so it is dropped first.
struct Prepared {
    plan: Plan,
    tasks: Vec<Resolved>,
}

/// The processor.
pub struct Cpu {
    workers: Workers,
    isa: Isa,
    weights: WeightForm,
    kernels: Vec<FindKernel>,
    rules: Vec<FindRule>,
    /// By plan number; `None` if the plan was released.
    prepared: Vec<Option<Prepared>>,
    store: Option<Store>,
    /// As large as the largest plan needs.
    arena: Arena,
    /// The plan whose values the arena holds.
    owner: Option<Ready>,
}

impl Cpu {
    /// A team and an empty store. If a thread can't be started, `create` returns the error.
    pub fn new(settings: CpuSettings) -> Cpu {
        Cpu {
            workers: Workers::new(settings.threads, settings.isa, settings.order),
            isa: settings.isa,
            weights: settings.weights,
            kernels: KERNELS.to_vec(),
            rules: RULE_KERNELS.to_vec(),
            prepared: Vec::new(),
            store: None,
            arena: Arena::empty(),
            owner: None,
        }
    }

    /// Adds an operation from outside this crate.
    #[must_use]
    pub fn with_kernel<K: Kernel>(mut self) -> Cpu {
        self.kernels.push(kernel::kernel::<K>);
        self
    }

    /// Adds an optimizer's rule from outside this crate.
    #[must_use]
    pub fn with_rule<R: RuleKernel>(mut self) -> Cpu {
        self.rules.push(kernel::rule_kernel::<R>);
        self
    }

    /// Bytes of the matrices that layers multiply by.
    pub fn multiplied_bytes(&self) -> u64 {
        self.store.as_ref().map_or(0, Store::multiplied_bytes)
    }

    fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(no_store)
    }

    fn prepared(&self, ready: Ready) -> Result<&Prepared> {
        let found = self.prepared.get(ready.0).and_then(Option::as_ref);
        found.ok_or_else(|| Error::Gone(format!("plan {}", ready.0)))
    }

    /// Runs the whole list of steps and reports how long each entry took, from barrier to barrier,
    /// as measured by the caller's thread.
    ///
    /// # Errors
    /// If a thread panicked, or `times` is not as long as the plan's list.
    pub fn run_timed(
        &mut self,
        ready: Ready,
        scalars: &Scalars,
        times: &mut [Duration],
    ) -> Result<()> {
        let entries = self.prepared(ready)?.tasks.len();
        fits("times of a plan's steps", entries, times.len())?;
        self.walk(ready, scalars, Some(&Mutex::new(times)))
    }

    /// All threads walk the list; the first one measures the time if that is wanted.
    fn walk(
        &mut self,
        ready: Ready,
        scalars: &Scalars,
        clock: Option<&Mutex<&mut [Duration]>>,
    ) -> Result<()> {
        self.own(ready)?;
        let p = self.prepared.get(ready.0).and_then(Option::as_ref);
        let p = p.ok_or_else(|| Error::Gone(format!("plan {}", ready.0)))?;
        self.workers.run(&|team: &Team| {
            let clock = clock.filter(|_| team.worker() == 0);
            let mut clock = clock.map(|c| (c.lock(), Instant::now()));
            for (entry, task) in p.tasks.iter().enumerate() {
                task.run(&p.plan, scalars, team);
                if let Some((Ok(times), from)) = &mut clock {
                    let now = Instant::now();
                    times[entry] = now - *from;
                    *from = now;
                }
            }
        })
    }

    /// Makes a plan the arena's owner. A plan with inputs must own it already, or they are lost.
    fn own(&mut self, ready: Ready) -> Result<()> {
        if self.owner == Some(ready) {
            return Ok(());
        }
        let graph = self.prepared(ready)?.plan.graph();
        let input = graph.values().iter().find(|v| v.origin == Origin::Input);
        if let Some(input) = input {
            return Err(Error::Gone(input.name.clone()));
        }
        self.owner = Some(ready);
        Ok(())
    }

    /// Resolves every place of a plan in an arena.
    fn resolve(&self, plan: &Plan, arena: &Arena) -> Result<Vec<Resolved>> {
        let resolver = Resolver {
            plan,
            arena,
            store: self.store()?,
            kernels: &self.kernels,
            rules: &self.rules,
        };
        resolver.tasks()
    }
}

fn no_store() -> Error {
    Error::Parameter("(no store has been created)".into())
}

impl Device for Cpu {
    fn create(&mut self, variables: &[Variable], optimizer: Option<&Optimizer>) -> Result<()> {
        self.workers.check()?;
        self.prepared.iter_mut().for_each(|p| *p = None);
        self.store = None;
        let form = match optimizer {
            Some(_) => WeightForm::Rows,
            None => self.weights,
        };
        self.store = Some(Store::new(variables, optimizer, (self.isa, form))?);
        Ok(())
    }

    fn prepare(&mut self, plan: Plan) -> Result<Ready> {
        self.store
            .as_mut()
            .ok_or_else(no_store)?
            .admit(plan.graph())?;
        if plan.arena() > self.arena.len() {
            // A larger arena for all plans: resolve every place again.
            let arena = Arena::new(plan.arena())?;
            let mut moved = Vec::new();
            for p in self.prepared.iter().flatten() {
                moved.push(self.resolve(&p.plan, &arena)?);
            }
            for (p, tasks) in self.prepared.iter_mut().flatten().zip(moved) {
                p.tasks = tasks;
            }
            (self.arena, self.owner) = (arena, None);
        }
        let tasks = self.resolve(&plan, &self.arena)?;
        self.prepared.push(Some(Prepared { plan, tasks }));
        Ok(Ready(self.prepared.len() - 1))
    }

    fn release(&mut self, ready: Ready) {
        if let Some(p) = self.prepared.get_mut(ready.0) {
            *p = None;
        }
    }

    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()> {
        let plan = &self.prepared(ready)?.plan;
        let Some(place) = plan.value(value).cloned() else {
            return Ok(()); // nothing reads this input
        };
        let name = &plan.graph().value(value).name;
        fits(name, place.len * place.copies, host.len())?;
        self.owner = Some(ready);
        for micro in 0..place.copies {
            let (offset, part) = (place.at(micro), micro * place.len..(micro + 1) * place.len);
            match host {
                Host::Tokens(x) => {
                    let to = self.arena.tokens_mut(offset, place.len);
                    to.copy_from_slice(&x[part]);
                }
                _ => copy(self.arena.slice_mut(offset, place.len), host, part.start),
            }
        }
        Ok(())
    }

    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()> {
        self.walk(ready, scalars, None)
    }

    fn peak(&mut self, precision: Precision) -> Result<Option<f64>> {
        measure::products(&mut self.workers, self.isa, precision).map(Some)
    }

    fn run_profiled(&mut self, ready: Ready, scalars: &Scalars) -> Result<Vec<(String, f64)>> {
        let mut times = vec![Duration::ZERO; self.prepared(ready)?.tasks.len()];
        self.run_timed(ready, scalars, &mut times)?;
        let mut kinds: Vec<(String, f64)> = Vec::new();
        for (task, time) in self.prepared(ready)?.tasks.iter().zip(times) {
            let name = task.kind();
            match kinds.iter_mut().find(|(kind, _)| *kind == name) {
                Some((_, sum)) => *sum += time.as_secs_f64(),
                None => kinds.push((name, time.as_secs_f64())),
            }
        }
        Ok(kinds)
    }

    fn read(&self, ready: Ready, value: ValueId, mut host: HostMut) -> Result<()> {
        let plan = &self.prepared(ready)?.plan;
        let name = &plan.graph().value(value).name;
        let Some(place) = plan.value(value) else {
            return fits(name, 0, host.len());
        };
        if self.owner != Some(ready) {
            return Err(Error::Gone(name.clone()));
        }
        fits(name, place.len * place.copies, host.len())?;
        let micros = (0..place.copies).map(|m| self.arena.slice(place.at(m), place.len));
        host.fill_f32(micros.flatten());
        Ok(())
    }

    fn norm(&self) -> f64 {
        match &self.store {
            Some(store) => f64::from(store.norm_read().real()[0]),
            None => f64::NAN,
        }
    }

    fn write_variable(&mut self, name: &str, field: Field, host: Host) -> Result<()> {
        let store = self.store.as_mut().ok_or_else(no_store)?;
        store.write(name, field, host)
    }

    fn read_variable(&self, name: &str, field: Field, mut host: HostMut) -> Result<()> {
        let numbers = self.store()?.numbers(name, field)?;
        fits(name, numbers.len(), host.len())?;
        host.fill_f32(numbers.iter());
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let store = self.store.as_ref().map_or(0, Store::bytes);
        store + 4 * self.arena.len() as u64
    }
}

/// Copies the host's numbers, starting at `from`.
pub(crate) fn copy(to: &mut [f32], host: Host, from: usize) {
    let all = to.iter_mut();
    match host {
        Host::Real(x) => all.zip(&x[from..]).for_each(|(t, x)| *t = *x),
        Host::Double(x) => all.zip(&x[from..]).for_each(|(t, x)| *t = *x as f32),
        Host::Tokens(x) => all.zip(&x[from..]).for_each(|(t, x)| *t = *x as f32),
    }
}
