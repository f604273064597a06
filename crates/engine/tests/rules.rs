//! Every rule by which weights move: its fast form against its f64 form, and the same bits for any
//! number of threads and any instruction set.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Case, scalars, stored};
use engine::{
    Adam, Cpu, CpuSettings, Descent, Device, Field, Graph, HostMut, Init, Isa, Muon, Optimizer,
    Order, Purpose, Reference, Rule, Scalars, ValueId, Variable, tolerance, verify::relative_error,
};
use std::sync::Arc;

/// Two layers, one taller than wide and one wider than tall; heads of 16 rows.
fn layers() -> (Graph, ValueId) {
    let mut g = Graph::new();
    let (rows, width, hidden) = (24, 32, 96);
    let x = g.input("x", rows, width);
    let matrix = |g: &mut Graph, name: &str, out: usize, inner: usize| {
        g.variable(Variable::parameter(name, &[out, inner], Init::Zeros))
    };
    let (up, down) = (
        matrix(&mut g, "up", hidden, width),
        matrix(&mut g, "down", width, hidden),
    );
    let target = g.input("target", rows, width);
    let y = g.linear(x, up, None).unwrap();
    let y = g.gelu(y).unwrap();
    let y = g.linear(y, down, None).unwrap();
    let cost = g.mse(y, target).unwrap().0;
    (g, cost)
}

/// Eight steps; everything that was learned and kept.
fn train(device: &mut dyn Device, optimizer: &Optimizer) -> Vec<f64> {
    let (graph, cost) = layers();
    let case = Case::new(graph, cost, 2, 5);
    let ready = case.prepare(device, Purpose::Train(optimizer.clone()));
    for step in 0..8 {
        let scalars = Scalars {
            step,
            ..scalars(48)
        };
        device.run(ready, &scalars).unwrap();
    }
    let mut all = stored(device, &case.graph, Field::Weight);
    for variable in case.graph.variables() {
        for (state, len) in optimizer.states(variable).into_iter().enumerate() {
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
fn every_rule_moves_weights_as_its_f64_form_does() {
    let adam = |decoupled| Adam {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        decoupled,
    };
    let momentum = |nesterov| Descent {
        momentum: Some(0.9),
        nesterov,
    };
    let muon = |second, block, cautious| Muon {
        momentum: 0.9,
        second,
        block,
        cautious,
    };
    let rules: [Arc<dyn Rule>; 9] = [
        Arc::new(Descent::PLAIN),
        Arc::new(momentum(false)),
        Arc::new(momentum(true)),
        Arc::new(adam(false)),
        Arc::new(adam(true)),
        Arc::new(muon(None, 0, false)),
        Arc::new(muon(Some(0.9), 0, true)),
        Arc::new(muon(None, 16, true)),
        Arc::new(muon(Some(0.9), 48, false)),
    ];
    for rule in rules {
        let mut optimizer = Optimizer::uniform(Descent::PLAIN, 0.1, Some(1.0));
        optimizer
            .assignments
            .iter_mut()
            .for_each(|a| a.rule = rule.clone());
        let expected = train(&mut Reference::new(), &optimizer);
        let mut first: Option<Vec<f64>> = None;
        for (threads, isa) in [(1, Isa::detect()), (3, Isa::detect()), (2, Isa::PORTABLE)] {
            let settings = CpuSettings {
                threads,
                isa,
                order: Order::Rising,
                ..CpuSettings::with_threads(threads)
            };
            let found = train(&mut Cpu::new(settings), &optimizer);
            let error = relative_error(&found, &expected);
            assert!(error <= tolerance::GRAPH_FAST, "{rule:?}: {error}");
            let first = first.get_or_insert_with(|| found.clone());
            assert_eq!(*first, found, "{rule:?}: bits differ on {threads} threads");
        }
    }
}
