//! Would the check by differences notice a wrong derivative? Faults of many kinds are injected into
//! the backward pass of every operation; all must be detected.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Case, block, scalars};
use engine::{Graph, Reference, tolerance, verify::relative_error};
use std::cell::RefCell;

const ROWS: usize = 10;

/// Corrupts the gradients of a node's inputs; may remember those of earlier nodes.
type Fault = fn(&mut [Option<Vec<f64>>], &mut Vec<Vec<f64>>);

fn some(dx: &mut [Option<Vec<f64>>], slot: usize) -> &mut [f64] {
    dx[slot].as_deref_mut().unwrap()
}

/// Operation, what is wrong with its backward pass, and how.
const FAULTS: &[(&str, &str, Fault)] = &[
    ("linear", "weights scaled", |dx, _| {
        some(dx, 1).iter_mut().for_each(|d| *d *= 1.001);
    }),
    ("linear", "sign of the input's", |dx, _| {
        some(dx, 0).iter_mut().for_each(|d| *d = -*d);
    }),
    ("linear", "a column of the input's is 0", |dx, _| {
        let width = some(dx, 0).len() / ROWS;
        let column = some(dx, 0).iter_mut().skip(width - 1).step_by(width);
        column.for_each(|d| *d = 0.0);
    }),
    ("linear", "weights transposed", |dx, _| {
        // 8 × 8 matrices are transposed; the others are left unchanged.
        let w = some(dx, 1);
        for (i, j) in (0..8).flat_map(|i| (0..i).map(move |j| (i, j))) {
            if w.len() == 64 {
                w.swap(i * 8 + j, j * 8 + i);
            }
        }
    }),
    ("linear", "the last row of the bias forgotten", |dx, _| {
        if let Some(Some(bias)) = dx.get_mut(2) {
            *bias.last_mut().unwrap() = 0.0;
        }
    }),
    ("embedding", "the last token dropped", |dx, _| {
        let table = some(dx, 1);
        let from = table.len() - 8;
        table[from..].fill(0.0);
    }),
    ("rms_norm", "shifted by one", |dx, _| {
        some(dx, 0).rotate_right(1);
    }),
    ("rms_norm", "one number of the weights", |dx, _| {
        some(dx, 1)[3] *= 1.01;
    }),
    ("layer_norm", "the mean's part missing", |dx, _| {
        some(dx, 0).iter_mut().for_each(|d| *d += 1e-3);
    }),
    ("layer_norm", "weights too small", |dx, _| {
        some(dx, 1).iter_mut().for_each(|d| *d *= 0.9);
    }),
    ("attention", "keys and values swapped", |dx, _| {
        dx.swap(1, 2);
    }),
    ("attention", "scale of the queries forgotten", |dx, _| {
        some(dx, 0).iter_mut().for_each(|d| *d *= 2.0);
    }),
    ("attention", "the last position of the keys", |dx, _| {
        let k = some(dx, 1);
        let from = k.len() - 4;
        k[from..].fill(1e-3);
    }),
    ("rope", "halves swapped", |dx, _| {
        for head in some(dx, 0).chunks_mut(4) {
            head.rotate_left(2);
        }
    }),
    ("swiglu", "gate and up swapped", |dx, _| dx.swap(0, 1)),
    ("gelu", "one number", |dx, _| some(dx, 0)[5] += 1e-4),
    ("dropout", "the mask forgotten", |dx, _| {
        let x = some(dx, 0);
        let kept = x.iter().copied().find(|d| *d != 0.0).unwrap();
        let dropped = x.iter_mut().filter(|d| **d == 0.0);
        dropped.for_each(|d| *d = kept);
    }),
    ("linear", "overwritten instead of added", |dx, seen| {
        // In backward order the layers are logits, up and gate; gate adds to up's gradient.
        seen.push(some(dx, 0).to_vec());
        if let [_, first, _] = seen.as_slice() {
            let both = some(dx, 0).iter_mut().zip(first);
            both.for_each(|(d, first)| *d -= first);
        }
    }),
    ("residual", "the second branch halved", |dx, _| {
        some(dx, 1).iter_mut().for_each(|d| *d *= 0.5);
    }),
    ("cross_entropy", "rows not centered", |dx, _| {
        some(dx, 0)[0] += 1e-3;
    }),
    ("cross_entropy", "not a number", |dx, _| {
        some(dx, 0)[1] = f64::NAN;
    }),
];

fn gradient(case: &Case, fault: Option<(&'static str, Fault)>) -> Vec<f64> {
    let mut device = Reference::new();
    if let Some((operation, fault)) = fault {
        let memory = RefCell::new(Vec::new());
        device.observe(Box::new(move |g: &Graph, node, dx| {
            if g.node(node).op.name() == operation {
                fault(dx, &mut memory.borrow_mut());
            }
        }));
    }
    case.gradient(&mut device, &scalars(ROWS))
}

#[test]
fn every_planted_fault_is_found() {
    let (graph, cost) = block(2, ROWS / 2, 0.3);
    let case = Case::new(graph, cost, 1, 8);
    let expected = case.differences(&scalars(ROWS));
    let sound = relative_error(&gradient(&case, None), &expected);
    assert!(sound <= tolerance::DIFFERENCES, "without a fault: {sound}");
    for (operation, what, fault) in FAULTS {
        let error = relative_error(&gradient(&case, Some((operation, *fault))), &expected);
        let found = error.is_nan() || error > tolerance::DIFFERENCES;
        assert!(found, "{operation}, {what}: not found, error {error}");
    }
}
