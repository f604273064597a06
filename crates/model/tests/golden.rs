//! Gradients, logits and losses of 100 AdamW steps, compared with PyTorch's in float64
//! (`scripts/golden.py` generates the files).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Recorded, adamw, shape};
use engine::{
    Adam, Angles, Cpu, CpuSettings, Device, Field, Graph, Heads, Host, HostMut, Init, Isa,
    Optimizer, Plan, Purpose, Reference, Scalars, ValueId, Variable, tolerance,
    verify::relative_error,
};
use model::{Mode, ModelConfig};
use safetensors::SafeTensors;
use serde_json::Value;
use std::sync::Arc;

/// The families, and two of them with an explicit head size.
const MODELS: [&str; 5] = [
    "gpt2",
    "llama",
    "qwen3",
    "llama-head-size",
    "qwen3-head-size",
];

/// The file of a model, or of the operations.
struct Golden {
    bytes: Vec<u8>,
    about: Value,
}

impl Golden {
    fn open(name: &str) -> Golden {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        let bytes = std::fs::read(format!("{folder}/{name}.safetensors")).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let about = header.metadata().clone().unwrap()["about"].clone();
        Golden {
            about: serde_json::from_str(&about).unwrap(),
            bytes,
        }
    }

    fn numbers<const N: usize, T>(&self, name: &str, number: fn([u8; N]) -> T) -> Vec<T> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(name).unwrap();
        let chunks = tensor.data().as_chunks::<N>().0.iter();
        chunks.map(|&bytes| number(bytes)).collect()
    }

    fn doubles(&self, name: &str) -> Vec<f64> {
        self.numbers(name, f64::from_le_bytes)
    }

    fn size(&self, key: &str) -> usize {
        self.about[key].as_u64().unwrap() as usize
    }

    fn shape(&self) -> ModelConfig {
        let mut sets = vec![format!("norm_epsilon={}", self.about["norm_eps"])];
        for key in ["layers", "context", "heads", "kv_heads", "width", "hidden"] {
            sets.push(format!("{key}={}", self.about[key]));
        }
        for key in ["tied", "bias", "rope_theta", "head_size"] {
            let value = self.about.get(key).map(|value| format!("{key}={value}"));
            sets.extend(value);
        }
        shape(self.about["family"].as_str().unwrap(), &sets.join(","))
    }

    fn optimizer(&self) -> (Optimizer, f64) {
        let about = &self.about["optimiser"];
        let number = |value: &Value| value.as_f64().unwrap();
        let adam = Adam {
            beta1: number(&about["betas"][0]),
            beta2: number(&about["betas"][1]),
            epsilon: number(&about["eps"]),
            decoupled: about["name"] == "adamw",
        };
        let (decay, clip) = (number(&about["weight_decay"]), number(&about["clip"]));
        let optimizer = Optimizer::uniform(adam, decay, Some(clip));
        (optimizer, number(&about["lr"]))
    }

    /// Inputs and targets of each batch.
    fn batches(&self, time: usize, sequences: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        let all = self.numbers("batches", |b| i64::from_le_bytes(b) as u32);
        let part = |batch: &[u32], from: usize| -> Vec<u32> {
            let rows = batch.chunks(time + 1);
            rows.flat_map(|row| row[from..][..time].to_vec()).collect()
        };
        let batches = all.chunks((time + 1) * sequences);
        batches.map(|b| (part(b, 0), part(b, 1))).collect()
    }
}

/// Trains as PyTorch did, and compares everything with it.
fn check(name: &str, device: &mut dyn Device, micros: usize, bound: f64) {
    let golden = Golden::open(name);
    let time = golden.size("context");
    let (shape, vocabulary) = (golden.shape(), golden.size("vocabulary"));
    let model = Recorded::new(&shape, vocabulary, (micros, 3 / micros, time), Mode::Train);
    let read = |row: &str| golden.numbers(&format!("weights/{row}"), f32::from_le_bytes);
    let variables = model.graph.variables();
    let weights = variables.iter().map(|v| (v.name.clone(), read(&v.name)));
    let weights: Vec<_> = weights.collect();
    model.fill(device, &weights);
    let (optimizer, rate) = golden.optimizer();
    let ready = model.prepare(device, Purpose::Train(optimizer));

    let batches = golden.batches(time, 3);
    let mut losses = Vec::new();
    for step in 0..100 {
        let (inputs, targets) = &batches[step % batches.len()];
        model.feed(device, ready, inputs, targets);
        device
            .run(ready, &model.scalars(step as u64, rate))
            .unwrap();
        losses.push(model.cost(device, ready));
        if step == 0 {
            let logits = relative_error(&model.logits(device, ready), &golden.doubles("logits"));
            assert!(logits <= bound, "{name}: logits {logits}");
            let expected: Vec<f64> = variables
                .iter()
                .flat_map(|r| golden.doubles(&format!("gradients/{}", r.name)))
                .collect();
            let gradient = relative_error(&model.stored(device, Field::Gradient), &expected);
            assert!(gradient <= bound, "{name}: gradient {gradient}");
        }
    }
    let expected = golden.doubles("losses");
    for (step, (found, expected)) in losses.iter().zip(&expected).enumerate() {
        let error = (found - expected).abs() / expected;
        assert!(error <= bound, "{name}: step {step}, {found}, {expected}");
    }
}

#[test]
fn the_reference_trains_as_pytorch_does() {
    for model in MODELS {
        check(model, &mut Reference::new(), 1, tolerance::GOLDEN);
        check(model, &mut Reference::new(), 3, tolerance::GOLDEN);
    }
}

/// The fast path with the given kernels: the best for this processor or others.
fn cpu(isa: Isa) -> Cpu {
    Cpu::new(CpuSettings {
        isa,
        ..CpuSettings::with_threads(2)
    })
}

#[test]
fn the_fast_path_trains_as_pytorch_does() {
    for isa in Isa::available() {
        for model in MODELS {
            check(model, &mut cpu(isa), 3, tolerance::GOLDEN_FAST);
        }
    }
}

/// Records one operation on its inputs, which are parameters; returns the output.
type Build = fn(&mut Graph, &[ValueId]) -> ValueId;

/// Inputs with their widths; 0 for a vector.
type Inputs = &'static [(&'static str, usize)];

/// Operation, its inputs, and how to record it.
const OPERATIONS: &[(&str, Inputs, Build)] = &[
    ("rms_norm", &[("x", 7), ("weight", 0)], |g, x| {
        g.rms_norm(x[0], x[1], 1e-5).unwrap()
    }),
    (
        "layer_norm",
        &[("x", 7), ("weight", 0), ("bias", 0)],
        |g, x| g.layer_norm(x[0], x[1], Some(x[2]), 1e-5).unwrap(),
    ),
    ("gelu", &[("x", 9)], |g, x| g.gelu(x[0]).unwrap()),
    ("swiglu", &[("gate", 9), ("up", 9)], |g, x| {
        g.swiglu(x[0], x[1]).unwrap()
    }),
    ("rope", &[("x", 8)], |g, x| {
        g.rope(x[0], 3, &Angles::new(3, 4, 10_000.0), None).unwrap()
    }),
    ("attention", &[("q", 8), ("k", 4), ("v", 4)], |g, x| {
        let heads = Heads {
            heads: 4,
            kv_heads: 2,
            head_size: 2,
        };
        g.attention(x[0], x[1], x[2], heads, 3).unwrap()
    }),
];

/// Output and gradients of one operation, each relative to its own norm.
fn check_operation(device: &mut dyn Device, at: usize, bound: f64) {
    let (name, inputs, build) = OPERATIONS[at];
    let golden = Golden::open("operations");
    let read = |part: &str| golden.doubles(&format!("{name}/{part}"));
    let mut g = Graph::new();
    let variable = |&(part, width): &(&str, usize)| match (read(part).len(), width) {
        (len, 0) => Variable::parameter(part, &[len], Init::Zeros),
        (len, width) => Variable::parameter(part, &[len / width, width], Init::Zeros),
    };
    let x: Vec<_> = inputs.iter().map(|i| g.variable(variable(i))).collect();
    let y = build(&mut g, &x);
    g.keep(y);
    let spec = g.spec(y);
    let target = g.input("target", spec.rows, spec.width);
    g.mse(y, target).unwrap();
    device.create(g.variables(), Some(&adamw())).unwrap();
    let plan = Plan::new(Arc::new(g), 1, Purpose::Gradients).unwrap();
    for (part, _) in inputs {
        let host = read(part);
        device
            .write_variable(part, Field::Weight, Host::Double(&host))
            .unwrap();
    }
    let ready = device.prepare(plan).unwrap();
    // The cost's gradient is 2·loss_weight/width·(y − target): here the file's dy.
    let target_numbers: Vec<f64> = read("y")
        .iter()
        .zip(read("dy"))
        .map(|(y, d)| y - d)
        .collect();
    device
        .write(ready, target, Host::Double(&target_numbers))
        .unwrap();
    let scalars = Scalars {
        seed: 0,
        step: 0,
        rate: 0.0,
        loss_weight: spec.width as f64 / 2.0,
    };
    device.run(ready, &scalars).unwrap();
    let check = |what: &str, found: &[f64], expected: &[f64]| {
        let error = relative_error(found, expected);
        assert!(error <= bound, "{name} {what}: {error}");
    };
    let mut found = vec![0.0; spec.len()];
    device.read(ready, y, HostMut::Double(&mut found)).unwrap();
    check("y", &found, &read("y"));
    for (part, _) in inputs {
        let expected = read(&format!("d{part}"));
        let mut found = vec![0.0; expected.len()];
        let host = HostMut::Double(&mut found);
        device.read_variable(part, Field::Gradient, host).unwrap();
        check(part, &found, &expected);
    }
}

#[test]
fn operations_give_what_pytorch_gives() {
    for at in 0..OPERATIONS.len() {
        check_operation(&mut Reference::new(), at, tolerance::GOLDEN);
        for isa in Isa::available() {
            check_operation(&mut cpu(isa), at, tolerance::GOLDEN_FAST);
        }
    }
}
