//! Extensions outside this crate: a rule that needs shapes, scratch space and products; a device.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Case, block, scalars, stored};
use engine::cpu::gemm::{ChainStart, View, cut, product};
use engine::cpu::kernel::{RuleKernel, Update};
use engine::cpu::team::Team;
use engine::{
    Adam, Assignment, Cost, Cpu, CpuSettings, Device, Error, Field, Group, Host, HostMut,
    Optimizer, Plan, Purpose, Ready, Reference, Result, Rule, Scalars, Setting, UpdateF64, ValueId,
    Variable, tolerance, verify::relative_error,
};
use std::sync::Arc;

/// M ← ½M + G; W ← W − rate·((M·Mᵀ)·M / (1 + ‖M‖²)): a step along M with its large directions
/// stretched, which needs the whole matrix. The state is M and the norm of each row.
#[derive(Debug)]
struct Stretched;

impl Rule for Stretched {
    fn name(&self) -> &'static str {
        "stretched"
    }

    fn flat(&self) -> bool {
        false
    }

    fn states(&self, [rows, columns]: [usize; 2]) -> Vec<usize> {
        vec![rows * columns, rows]
    }

    fn is_square(&self, _: usize) -> bool {
        false
    }

    fn scratch(&self, [rows, _]: [usize; 2]) -> usize {
        rows * rows
    }

    fn cost(&self, [rows, columns]: [usize; 2]) -> Cost {
        Cost {
            flops: 4 * (rows * rows * columns) as u64,
            bytes: 16 * (rows * columns) as u64,
        }
    }

    fn update_f64(&self, s: &Setting, a: UpdateF64) {
        let [rows, columns] = a.shape;
        let [m, norms] = a.states else {
            panic!("two states")
        };
        for (m, g) in m.iter_mut().zip(a.g) {
            *m = 0.5 * *m + s.scale * g;
        }
        for (norm, m) in norms.iter_mut().zip(m.chunks(columns)) {
            *norm = m.iter().map(|m| m * m).sum();
        }
        let size = 1.0 + norms.iter().sum::<f64>();
        for i in 0..rows {
            for j in 0..rows {
                let row = |i: usize| &m[i * columns..][..columns];
                let dot: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                for c in 0..columns {
                    a.w[i * columns + c] -= s.rate * dot * m[j * columns + c] / size;
                }
            }
        }
    }
}

impl RuleKernel for Stretched {
    fn update(&self, s: &Setting, a: &Update, team: &Team) {
        let [rows, columns] = a.shape;
        let (scale, rate) = (s.scale as f32, -s.rate as f32);
        let (m, norms) = (&a.states[0], &a.states[1]);
        let cuts = (m.bands(columns, 2), norms.bands(1, 2));
        team.each(cuts, |_, (mut m, mut norms), _| {
            let from = m.first_row * columns;
            let g = &a.g.real()[from..];
            m.slice()
                .iter_mut()
                .zip(g)
                .for_each(|(m, g)| *m = 0.5 * *m + scale * g);
            let rows = m
                .slice()
                .chunks(columns)
                .map(|m| m.iter().map(|m| m * m).sum());
            let rows: Vec<f32> = rows.collect();
            norms.slice().copy_from_slice(&rows);
        });
        let arithmetic = team.arithmetic(s.precision);
        team.each_from(
            [m],
            cut(&a.scratch, rows, rows, team),
            |_, mut to, [m], room| {
                let m = View::new(m, rows, columns, columns);
                let left = m.rows(to.first_row, to.rows);
                let right = m.rows(to.first_column, to.columns).transposed();
                product(arithmetic, left, right, &mut to, ChainStart::Zero, room);
            },
        );
        let reads = [m, norms, &a.scratch];
        team.each_from(
            reads,
            a.w.bands(columns, 3),
            |_, mut w, [m, norms, square], _| {
                let size = 1.0 + norms.iter().sum::<f32>();
                for r in 0..w.rows {
                    let square = &square[(w.first_row + r) * rows..][..rows];
                    for (dot, m) in square.iter().zip(m.chunks(columns)) {
                        let by = rate * dot / size;
                        w.row(r).iter_mut().zip(m).for_each(|(w, m)| *w += by * m);
                    }
                }
            },
        );
    }
}

/// A custom rule for matrices, half the rate for the embedding, the usual rule for vectors.
fn optimizer() -> Optimizer {
    let adam = || {
        Arc::new(Adam {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            decoupled: true,
        })
    };
    let assignment = |groups: &[Group], rule: Arc<dyn Rule>, rate: f64| Assignment {
        groups: groups.to_vec(),
        rule,
        rate,
        decay: 0.01,
    };
    Optimizer {
        assignments: vec![
            assignment(&[Group::Matrices], Arc::new(Stretched), 20.0),
            assignment(&[Group::Embeddings, Group::OutputHead], adam(), 0.5),
            assignment(&[Group::Vectors], adam(), 1.0),
        ],
        clip: Some(1.0),
    }
}

/// Trains ten steps; returns weights and optimizer state.
fn train(device: &mut dyn Device) -> Vec<f64> {
    let (graph, cost) = block(2, 5, 0.0);
    let case = Case::new(graph, cost, 2, 5);
    let ready = case.prepare(device, Purpose::Train(optimizer()));
    for step in 0..10 {
        device
            .run(
                ready,
                &Scalars {
                    step,
                    ..scalars(20)
                },
            )
            .unwrap();
    }
    let mut all = stored(device, &case.graph, Field::Weight);
    for variable in case.graph.variables() {
        for (state, len) in optimizer().states(variable).into_iter().enumerate() {
            let mut numbers = vec![0.0; len];
            let host = HostMut::Double(&mut numbers);
            let field = Field::State(state);
            device.read_variable(&variable.name, field, host).unwrap();
            all.extend(numbers);
        }
    }
    all
}

#[test]
fn groups_move_by_rules_of_their_own_that_see_shapes_and_multiply_matrices() {
    let expected = train(&mut Reference::new());
    for threads in [1, 3] {
        let settings = CpuSettings::with_threads(threads);
        let found = train(&mut Cpu::new(settings).with_rule::<Stretched>());
        let error = relative_error(&found, &expected);
        assert!(error <= tolerance::GRAPH_FAST, "{threads} threads: {error}");
    }
    // One entry per matrix, one for everything under a flat rule.
    let (graph, _) = block(2, 5, 0.0);
    let matrices = graph
        .variables()
        .iter()
        .filter(|v| v.group == Group::Matrices)
        .count();
    let plan = Plan::new(Arc::new(graph), 1, Purpose::Train(optimizer())).unwrap();
    assert_eq!(plan.updates().len(), matrices + 1);
    assert!(plan.scratch().is_some_and(|room| room.len == 9 * 9));
}

#[test]
fn a_rule_without_a_kernel_is_an_error() {
    let (graph, cost) = block(1, 3, 0.0);
    let case = Case::new(graph, cost, 1, 5);
    let mut cpu = Cpu::new(CpuSettings::with_threads(1));
    cpu.create(case.graph.variables(), Some(&optimizer()))
        .unwrap();
    let plan = Plan::new(case.graph.clone(), 1, Purpose::Train(optimizer())).unwrap();
    assert_eq!(cpu.prepare(plan), Err(Error::NoKernel("stretched")));
}

/// A device that delegates everything and records the calls.
struct Noting {
    inner: Reference,
    notes: Vec<String>,
}

impl Device for Noting {
    fn create(&mut self, variables: &[Variable], optimizer: Option<&Optimizer>) -> Result<()> {
        self.notes.push(format!("create {}", variables.len()));
        self.inner.create(variables, optimizer)
    }

    fn prepare(&mut self, plan: Plan) -> Result<Ready> {
        self.notes.push(format!("prepare {}", plan.items().len()));
        // A device may number its plans freely.
        Ok(Ready(self.inner.prepare(plan)?.0 + 100))
    }

    fn release(&mut self, ready: Ready) {
        self.inner.release(Ready(ready.0 - 100));
    }

    fn write(&mut self, ready: Ready, value: ValueId, host: Host) -> Result<()> {
        self.inner.write(Ready(ready.0 - 100), value, host)
    }

    fn run(&mut self, ready: Ready, scalars: &Scalars) -> Result<()> {
        self.notes.push(format!("run at step {}", scalars.step));
        self.inner.run(Ready(ready.0 - 100), scalars)
    }

    fn read(&self, ready: Ready, value: ValueId, host: HostMut) -> Result<()> {
        self.inner.read(Ready(ready.0 - 100), value, host)
    }

    fn norm(&self) -> f64 {
        self.inner.norm()
    }

    fn write_variable(&mut self, name: &str, field: Field, host: Host) -> Result<()> {
        self.inner.write_variable(name, field, host)
    }

    fn read_variable(&self, name: &str, field: Field, host: HostMut) -> Result<()> {
        self.inner.read_variable(name, field, host)
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }
}

#[test]
fn a_device_of_others_runs_a_plan() {
    let mut device = Noting {
        inner: Reference::new(),
        notes: Vec::new(),
    };
    let found = train(&mut device);
    assert_eq!(found, train(&mut Reference::new()));
    let (last, first) = (device.notes.last().unwrap(), &device.notes[0]);
    assert!(first.starts_with("create ") && device.notes[1].starts_with("prepare "));
    assert_eq!((last.as_str(), device.notes.len()), ("run at step 9", 12));
}
