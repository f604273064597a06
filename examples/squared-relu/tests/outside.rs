//! The operation passes `verify` and trains like one of the engine's own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use engine::{
    Adam, Cpu, CpuSettings, Device, Error, Field, Graph, Host, HostMut, Init, Optimizer, Plan,
    Purpose, RandomPurpose, Scalars, Stream, Variable, verify,
};
use squared_relu::{SquaredRelu, example, squared_relu};
use std::sync::Arc;

fn cpu() -> Cpu {
    Cpu::new(CpuSettings::with_threads(2)).with_kernel::<SquaredRelu>()
}

#[test]
fn it_verifies() {
    let checks = verify::operation(&mut cpu(), ("squared_relu", example), 20, 0).unwrap();
    assert_eq!(checks.len(), 60);
    let failed: Vec<_> = checks.iter().filter(|c| !c.ok).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A network with one hidden layer learns a parabola.
#[test]
fn it_trains() {
    const POINTS: usize = 64;
    let mut g = Graph::new();
    let x = g.input("x", POINTS, 1);
    let layer = |g: &mut Graph, name: &str, out: usize, inner: usize| {
        let w = Variable::parameter(name, &[out, inner], Init::Normal(0.5));
        let b = Variable::parameter(format!("{name}.bias"), &[out], Init::Zeros);
        (g.variable(w), g.variable(b))
    };
    let (up, down) = (layer(&mut g, "up", 8, 1), layer(&mut g, "down", 1, 8));
    let h = g.linear(x, up.0, Some(up.1)).unwrap();
    let h = squared_relu(&mut g, h).unwrap();
    let y = g.linear(h, down.0, Some(down.1)).unwrap();
    let target = g.input("target", POINTS, 1);
    let (cost, _) = g.mse(y, target).unwrap();

    let adam = Adam {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        decoupled: false,
    };
    let optimizer = Optimizer::uniform(adam, 0.0, None);
    let plan = Plan::new(Arc::new(g), 1, Purpose::Train(optimizer.clone())).unwrap();
    let graph = plan.graph().clone();
    let mut plain = Cpu::new(CpuSettings::with_threads(1));
    plain.create(graph.variables(), Some(&optimizer)).unwrap();
    let refused = plain.prepare(plan.clone());
    assert_eq!(refused, Err(Error::NoKernel("squared_relu")));

    let mut cpu = cpu();
    cpu.create(graph.variables(), Some(&optimizer)).unwrap();
    let mut random = Stream::new(1, RandomPurpose::Check, 0);
    for v in graph.variables().iter().filter(|v| v.shape.len() == 2) {
        let numbers: Vec<f64> = (0..v.len()).map(|_| random.normal()).collect();
        let host = Host::Double(&numbers);
        cpu.write_variable(&v.name, Field::Weight, host).unwrap();
    }
    let ready = cpu.prepare(plan).unwrap();
    let points: Vec<f64> = (0..POINTS).map(|i| i as f64 / 16.0 - 2.0).collect();
    let squares: Vec<f64> = points.iter().map(|x| x * x - 1.0).collect();
    cpu.write(ready, x, Host::Double(&points)).unwrap();
    cpu.write(ready, target, Host::Double(&squares)).unwrap();
    let mut costs = Vec::new();
    for step in 0..400 {
        let scalars = Scalars {
            step,
            rate: 0.02,
            loss_weight: 1.0 / POINTS as f64,
            ..Scalars::default()
        };
        cpu.run(ready, &scalars).unwrap();
        let mut now = [0.0];
        cpu.read(ready, cost, HostMut::Double(&mut now)).unwrap();
        costs.push(now[0]);
    }
    assert!(
        costs[399] < 0.01 * costs[0],
        "{} to {}",
        costs[0],
        costs[399]
    );
}
