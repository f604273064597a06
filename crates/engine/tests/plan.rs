//! Plans of random graphs: nothing is read before it is written or after it was overwritten;
//! micro-batches sum to the batch; a step that isn't finite changes nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Case, VOCABULARY, adamw, block, scalars, stored};
use engine::{
    Angles, Cpu, CpuSettings, Device, Error, Field, Graph, Heads, Host, HostMut, Init, NodeId,
    Origin, Place, Plan, Purpose, RandomPurpose, Reference, Scalars, Stream, ValueId, Variable,
    Work, Write, micro_batch, tolerance, verify::relative_error,
};
use std::collections::HashSet;
use std::sync::Arc;

const WIDTH: usize = 4;
const TIME: usize = 3;

/// Records a random graph over sequences of `TIME` rows.
fn random_graph(seed: u64, sequences: usize) -> (Graph, ValueId) {
    let mut random = Stream::new(seed, RandomPurpose::Check, 2);
    let mut g = Graph::new();
    let rows = sequences * TIME;
    let tokens = g.tokens("tokens", rows);
    let table = Variable::parameter("table", &[VOCABULARY, WIDTH], Init::Zeros);
    let table = g.variable(table);
    let mut pool = vec![
        g.embedding(tokens, table).unwrap(),
        g.input("x", rows, WIDTH),
    ];
    for _ in 0..random.below(25) {
        let value = random_node(&mut g, &mut random, &pool);
        pool.push(value);
    }
    // Some branches lead to the cost, the others nowhere.
    let mut h = pool[0];
    for &other in &pool[1..] {
        if random.below(3) == 0 {
            h = g.residual(h, other).unwrap();
        }
    }
    pool.iter()
        .filter(|_| random.below(8) == 0)
        .for_each(|&v| g.keep(v));
    let cost = match random.below(2) {
        0 => {
            let logits = g.linear(h, table, None).unwrap();
            let targets = g.tokens("targets", rows);
            g.cross_entropy(logits, targets).unwrap().0
        }
        _ => {
            let target = g.input("target", rows, WIDTH);
            g.mse(h, target).unwrap().0
        }
    };
    (g, cost)
}

fn random_node(g: &mut Graph, random: &mut Stream, pool: &[ValueId]) -> ValueId {
    let a = pool[random.below(pool.len())];
    // A value can't be used for two inputs of one node.
    let other = |not: &[ValueId]| pool.iter().rev().copied().find(|v| !not.contains(v));
    let (b, c) = (other(&[a]), b_and_c(pool, a));
    // Few names, so that weights are sometimes tied.
    let w = format!("w{}", random.below(4));
    let w = g.variable(Variable::parameter(w, &[WIDTH, WIDTH], Init::Zeros));
    let scale = format!("s{}", random.below(4));
    let scale = g.variable(Variable::parameter(scale, &[WIDTH], Init::Zeros));
    let result = match (random.below(11), b, c) {
        (0, ..) => g.linear(a, w, Some(scale)),
        (1, ..) => g.rms_norm(a, scale, 1e-5),
        (2, ..) => g.layer_norm(a, scale, None, 1e-5),
        (3, ..) => g.gelu(a),
        (4, ..) => g.rope(a, TIME, &Angles::new(TIME, WIDTH, 100.0), None),
        (5, Some(b), _) => g.swiglu(a, b),
        (6, Some(b), _) => g.residual(a, b),
        (8, Some(b), _) => g.linear_onto(b, a, w, None),
        (9, ..) => g.linears(a, &[(w, None)]).map(|y| y[0]),
        (7, _, Some((b, c))) => {
            let heads = Heads {
                heads: 2,
                kv_heads: 2,
                head_size: WIDTH / 2,
            };
            g.attention(a, b, c, heads, TIME)
        }
        _ => g.linear(a, w, None),
    };
    result.unwrap()
}

fn b_and_c(pool: &[ValueId], a: ValueId) -> Option<(ValueId, ValueId)> {
    let mut others = pool.iter().copied().filter(|v| *v != a);
    others.next().zip(others.next())
}

/// What a place holds: content (or gradient) of a value, of one micro-batch.
type Content = (bool, usize, usize);

/// An arena that tracks what was written where.
struct Memory<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    cells: Vec<Option<Content>>,
}

impl Memory<'_> {
    fn place(&self, gradient: bool, v: usize) -> Option<&Place> {
        let v = self.graph.value_ids().nth(v).unwrap();
        match gradient {
            true => self.plan.gradient(v),
            false => self.plan.value(v),
        }
    }

    fn write(&mut self, gradient: bool, v: ValueId, micro: usize) {
        let Some(place) = self.place(gradient, v.index()) else {
            return;
        };
        let from = place.at(micro);
        let len = place.len;
        self.cells[from..from + len].fill(Some((gradient, v.index(), micro)));
    }

    fn holds(&self, gradient: bool, v: usize, micro: usize) -> bool {
        let Some(place) = self.place(gradient, v) else {
            return true;
        };
        let from = place.at(micro);
        let content = Some((gradient, v, micro));
        self.cells[from..from + place.len]
            .iter()
            .all(|c| *c == content)
    }

    fn check(&self, gradient: bool, v: ValueId, micro: usize, when: &str) {
        let name = &self.graph.value(v).name;
        assert!(
            self.holds(gradient, v.index(), micro),
            "{name} is gone {when}"
        );
    }

    fn forward(&mut self, node: NodeId, micro: usize) {
        let graph = self.graph;
        let node = graph.node(node);
        for &v in &node.x {
            self.check(false, v, micro, "before a forward pass reads it");
        }
        for &v in node.y.iter().chain(&node.kept) {
            self.write(false, v, micro);
        }
        for &v in node.x.iter().chain(&node.y) {
            self.check(false, v, micro, "while a forward pass writes");
        }
    }

    fn backward(&mut self, id: NodeId, micro: usize, write: &[Write]) {
        let graph = self.graph;
        let node = graph.node(id);
        let reads = node.reads;
        let x = reads.x.iter().map(|&slot| node.x[slot]);
        let y = reads.y.iter().map(|&slot| node.y[slot]);
        let read: Vec<ValueId> = x.chain(y).chain(node.kept.iter().copied()).collect();
        for &v in &read {
            self.check(false, v, micro, "before a backward pass reads it");
        }
        for &v in &node.y {
            self.check(true, v, micro, "before its gradient is read");
        }
        let handed_on = |slot: usize| self.plan.hands_on(id, slot);
        let (handed_on, written): (Vec<_>, Vec<_>) = (node.x.iter().zip(write).enumerate())
            .filter(|(_, (v, _))| graph.value(**v).needs_gradient)
            .partition(|(slot, _)| handed_on(*slot));
        for (_, (&v, write)) in written {
            match write {
                Write::Add => self.check(true, v, micro, "before its gradient grows"),
                Write::Set | Write::Over => self.write(true, v, micro),
            }
        }
        let over = (0..node.x.len()).filter(|&slot| self.plan.overwrites(id, slot));
        let over: Vec<ValueId> = over.map(|slot| node.x[slot]).collect();
        for &v in read.iter().filter(|v| !over.contains(v)) {
            self.check(false, v, micro, "while a backward pass writes");
        }
        for &v in &node.y {
            self.check(true, v, micro, "while a backward pass writes gradients");
        }
        for (_, (&v, write)) in handed_on {
            assert_eq!(
                *write,
                Write::Set,
                "a gradient that others wrote is handed on"
            );
            self.write(true, v, micro);
        }
    }
}

fn play(graph: &Graph, plan: &Plan) {
    let mut memory = Memory {
        graph,
        plan,
        cells: vec![None; plan.arena()],
    };
    let inputs = graph.nodes().iter().flat_map(|n| &n.x);
    for &v in inputs.filter(|v| graph.value(**v).origin == Origin::Input) {
        (0..plan.micros()).for_each(|micro| memory.write(false, v, micro));
    }
    for item in plan.items() {
        match item.work {
            Work::Forward(node) => memory.forward(node, item.micro),
            Work::Backward(node) => memory.backward(node, item.micro, &item.write),
            Work::Norm | Work::Update(_) => {}
        }
    }
    let used = graph.nodes().iter().flat_map(|n| n.x.iter().chain(&n.y));
    for &v in used.filter(|v| graph.value(**v).held) {
        for micro in 0..plan.micros() {
            memory.check(false, v, micro, "before the host reads it");
        }
    }
}

#[test]
fn every_value_is_there_while_it_is_needed() {
    for seed in 0..300 {
        let (graph, _) = random_graph(seed, 1 + seed as usize % 3);
        let graph = Arc::new(graph);
        for purpose in [Purpose::Infer, Purpose::Gradients, Purpose::Train(adamw())] {
            let plan = Plan::new(graph.clone(), 1 + seed as usize % 4, purpose).unwrap();
            play(&graph, &plan);
            // Gradients that are passed on share one place, with one lifetime.
            let both = |v| [plan.value(v), plan.gradient(v)];
            let places: HashSet<&Place> = graph.value_ids().flat_map(both).flatten().collect();
            let places: Vec<&Place> = places.into_iter().collect();
            assert!(plan.arena() <= places.iter().map(|p| p.size()).sum());
            assert!(places.iter().all(|p| p.offset + p.size() <= plan.arena()));
            for (i, p) in places.iter().enumerate() {
                for q in &places[..i] {
                    let times = p.alive.start < q.alive.end && q.alive.start < p.alive.end;
                    let room = p.offset < q.offset + q.size() && q.offset < p.offset + p.size();
                    assert!(!(times && room), "seed {seed}: {p:?} overlaps {q:?}");
                }
            }
        }
    }
}

#[test]
fn places_are_shared() {
    let (graph, _) = block(2, 8, 0.1);
    let plan = Plan::new(Arc::new(graph), 1, Purpose::Infer).unwrap();
    let places = plan.graph().value_ids().filter_map(|v| plan.value(v));
    assert!(2 * plan.arena() < places.map(Place::size).sum::<usize>());
}

#[test]
fn random_graphs_give_the_same_gradients_in_one_arena_as_with_a_buffer_each() {
    let mut cpu = Cpu::new(CpuSettings::with_threads(2));
    for seed in 0..40 {
        let (graph, cost) = random_graph(seed, 2);
        let case = Case::new(graph, cost, 2, seed);
        let expected = case.gradient(&mut Reference::new(), &scalars(12));
        let found = case.gradient(&mut cpu, &scalars(12));
        let error = relative_error(&found, &expected);
        assert!(error <= tolerance::GRAPH_FAST, "seed {seed}: {error}");
    }
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let gradient = |micros: usize| {
        let (graph, cost) = block(4 / micros, 5, 0.0);
        Case::new(graph, cost, micros, 3).gradient(&mut Reference::new(), &scalars(20))
    };
    let whole = gradient(1);
    for micros in [2, 4] {
        let error = relative_error(&gradient(micros), &whole);
        assert!(
            error <= tolerance::MICRO_BATCHES,
            "{micros} micro-batches: {error}"
        );
    }
}

#[test]
fn a_micro_batch_keeps_to_the_limit_and_none_is_nearly_empty() {
    for (batch, time) in (1..40).flat_map(|b| (1..20).map(move |t| (b, t))) {
        for tokens in [1, 7, 64, 1000] {
            let found = micro_batch(batch, time, tokens);
            assert!(
                found * time <= tokens || found == 1,
                "{batch} {time} {tokens}"
            );
            let micros = batch.div_ceil(found);
            assert!(micros * found < batch + micros, "{batch} {time} {tokens}");
            let least = batch.div_ceil((tokens / time).clamp(1, batch));
            assert_eq!(micros, least, "{batch} {time} {tokens}");
        }
    }
    assert_eq!(micro_batch(37, 64, 2048), 19);
    assert_eq!(micro_batch(1021, 64, 2048), 32);
}

/// A line y = w·x, in two micro-batches, of which the second makes the step non-finite.
fn spoilt(device: &mut dyn Device, x: f64, target: f64, loss_weight: f64) {
    let mut g = Graph::new();
    let from = g.input("x", 1, 1);
    let w = g.variable(Variable::parameter("w", &[1, 1], Init::Zeros));
    let y = g.linear(from, w, None).unwrap();
    let to = g.input("target", 1, 1);
    g.mse(y, to).unwrap();
    let graph = Arc::new(g);
    device.create(graph.variables(), Some(&adamw())).unwrap();
    let plan = Plan::new(graph.clone(), 2, Purpose::Train(adamw())).unwrap();
    let ready = device.prepare(plan).unwrap();
    let now = Scalars {
        loss_weight,
        ..scalars(1)
    };
    let mut run = |second: [f64; 2]| {
        device
            .write(ready, from, Host::Double(&[1.0, second[0]]))
            .unwrap();
        device
            .write(ready, to, Host::Double(&[1.0, second[1]]))
            .unwrap();
        device.run(ready, &now).unwrap();
        let mut w = [0.0];
        device
            .read_variable("w", Field::Weight, HostMut::Double(&mut w))
            .unwrap();
        (w[0], device.norm(), stored(device, &graph, Field::State(0)))
    };
    let (w, norm, state) = run([x, target]);
    assert!(!norm.is_finite(), "{norm}");
    assert_eq!((w, state), (0.0, vec![0.0]));
    let (w, norm, _) = run([1.0, 1.0]);
    assert!(norm.is_finite() && w != 0.0, "a sound step is applied");
}

#[test]
fn a_step_that_is_not_finite_is_not_applied() {
    let devices: [&dyn Fn() -> Box<dyn Device>; 2] = [&|| Box::new(Reference::new()), &|| {
        Box::new(Cpu::new(CpuSettings::with_threads(2)))
    }];
    for device in devices {
        spoilt(&mut *device(), f64::NAN, 1.0, 1.0);
        spoilt(&mut *device(), f64::INFINITY, 1.0, 1.0);
        spoilt(&mut *device(), 1.0, f64::NAN, 1.0);
    }
    // Only the cost overflows, in the second micro-batch only.
    spoilt(&mut Reference::new(), 1.0, 1e160, 1e-155);
    spoilt(
        &mut Cpu::new(CpuSettings::with_threads(2)),
        1.0,
        1e20,
        1e-15,
    );
    // Only the gradient overflows.
    spoilt(&mut Reference::new(), 1e300, 1e10, 1.0);
    spoilt(&mut Cpu::new(CpuSettings::with_threads(2)), 1e30, 1e10, 1.0);
}

#[test]
fn plans_share_an_arena_that_grows_with_the_largest() {
    let (small, _) = block(1, 4, 0.0);
    let (large, large_cost) = block(3, 16, 0.0);
    let mut alone = Cpu::new(CpuSettings::with_threads(2));
    let expected = Case::new(large, large_cost, 1, 4).gradient(&mut alone, &scalars(48));

    // The same plan after a smaller one, and again after the smaller one has run.
    let (large, large_cost) = block(3, 16, 0.0);
    let case = Case::new(large, large_cost, 1, 4);
    let mut cpu = Cpu::new(CpuSettings::with_threads(2));
    let ready = case.prepare(&mut cpu, Purpose::Gradients);
    let bytes = cpu.bytes();
    let small = Plan::new(Arc::new(small), 1, Purpose::Infer).unwrap();
    let tokens = small.graph().nodes()[0].x[0];
    let second = cpu.prepare(small).unwrap();
    assert_eq!(cpu.bytes(), bytes, "the smaller plan fits into the arena");
    cpu.write(second, tokens, Host::Tokens(&[1, 2, 3, 4]))
        .unwrap();
    let gone = cpu.run(ready, &scalars(48)).unwrap_err();
    assert!(
        matches!(gone, Error::Gone(_)),
        "inputs of the first plan are gone: {gone:?}"
    );
    let mut cost = [0.0];
    let read = cpu.read(ready, case.cost, HostMut::Double(&mut cost));
    assert!(matches!(read, Err(Error::Gone(_))), "so is its result");
    cpu.release(second);
    case.write(&mut cpu, ready);
    cpu.run(ready, &scalars(48)).unwrap();
    assert_eq!(stored(&cpu, &case.graph, Field::Gradient), expected);
    assert!(cpu.run(second, &scalars(48)).is_err(), "a released plan");
}
