//! Compares the gradient of whole models, for three families, with finite differences of the cost;
//! and the fast path with the reference.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{FAMILIES, Recorded, shape, shared, tokens};
use engine::{
    Cpu, CpuSettings, Device, Field, Host, Purpose, RandomPurpose, Ready, Reference, Stream,
    tolerance, verify::relative_error,
};
use model::Mode;

const VOCABULARY: usize = 7;

/// A small model of a family in two micro-batches; one of the families with dropout, one with
/// teachers.
fn model(family: &str) -> (Recorded, Vec<u32>, Vec<u32>) {
    let dropout = if family == "llama" { 0.1 } else { 0.0 };
    let sets = format!(
        "layers=2,heads=4,kv_heads={},width=8,hidden=12,context=6,dropout={dropout}",
        shared(family)
    );
    let mode = match family {
        "qwen3" => Mode::Distill(2),
        _ => Mode::Train,
    };
    let model = Recorded::new(&shape(family, &sets), VOCABULARY, (2, 2, 5), mode);
    let batch = |seed| tokens(model.rows(), VOCABULARY, seed);
    let (inputs, targets) = (batch(1), batch(2));
    (model, inputs, targets)
}

fn gradient(family: &str, device: &mut dyn Device) -> Vec<f64> {
    let (model, inputs, targets) = model(family);
    model.fill(device, &model.weights(3));
    let ready = model.prepare(device, Purpose::Gradients);
    model.feed(device, ready, &inputs, &targets);
    device.run(ready, &model.scalars(4, 0.0)).unwrap();
    model.stored(device, Field::Gradient)
}

/// Derivative of the cost with respect to element `i` of a row of the store, from four costs.
fn difference(
    (model, device, ready): (&Recorded, &mut Reference, Ready),
    (name, numbers): (&str, &[f32]),
    i: usize,
) -> f64 {
    const H: f64 = 1e-4;
    let exact: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
    let mut cost = |by: f64| {
        let mut moved = exact.clone();
        moved[i] += by;
        let host = Host::Double(&moved);
        device.write_variable(name, Field::Weight, host).unwrap();
        device.run(ready, &model.scalars(4, 0.0)).unwrap();
        model.cost(device, ready)
    };
    let near = cost(H) - cost(-H);
    let far = cost(2.0 * H) - cost(-2.0 * H);
    device
        .write_variable(name, Field::Weight, Host::Double(&exact))
        .unwrap();
    (8.0 * near - far) / (12.0 * H)
}

#[test]
fn gradients_of_whole_models_agree_with_differences() {
    for family in FAMILIES {
        let all = gradient(family, &mut Reference::new());
        let (model, inputs, targets) = model(family);
        let mut device = Reference::new();
        let weights = model.weights(3);
        model.fill(&mut device, &weights);
        let ready = model.prepare(&mut device, Purpose::Infer);
        model.feed(&mut device, ready, &inputs, &targets);
        let mut random = Stream::new(1, RandomPurpose::Check, 7);
        let (mut found, mut expected, mut from) = (Vec::new(), Vec::new(), 0);
        let learned = model.graph.variables().iter().zip(&weights);
        for (v, (name, numbers)) in learned.filter(|(v, _)| v.is_parameter()) {
            // Two elements of every row of a matrix; all of a vector.
            let part = if v.shape.len() == 1 {
                1
            } else {
                v.shape[1] / 2
            };
            for first in (0..v.len()).step_by(part) {
                let i = first + random.below(part);
                found.push(all[from + i]);
                let at = (&model, &mut device, ready);
                expected.push(difference(at, (name, numbers), i));
            }
            from += v.len();
        }
        assert!(found.len() >= 200, "{family}: only {} numbers", found.len());
        let error = relative_error(&found, &expected);
        assert!(error <= tolerance::MODEL_DIFFERENCES, "{family}: {error}");
    }
}

#[test]
fn the_fast_path_gives_the_gradients_of_the_reference() {
    for family in FAMILIES {
        let expected = gradient(family, &mut Reference::new());
        let found = gradient(family, &mut Cpu::new(CpuSettings::with_threads(2)));
        let error = relative_error(&found, &expected);
        assert!(error <= tolerance::FAST, "{family}: {error}");
    }
}
