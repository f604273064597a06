//! An operation defined outside the engine: y = max(x, 0)². So, Mańke, Liu et al., "Primer:
//! searching for efficient transformers for language modeling", 2021, section 4.2.
//!
//! Backward: dx = 2·max(x, 0)·dy. The tests check it as `downhill verify` checks the engine's
//! own operations, and train with it.
#![forbid(unsafe_code)]

use engine::cpu::kernel::{Backward, Forward, Kernel};
use engine::cpu::team::Team;
use engine::{
    At, BackwardF64, Cost, Draw, ForwardF64, Graph, Operation, Outputs, Pass, Reads, Result, Spec,
    ValueId, Write, elementwise,
};

/// Numbers per tile: a constant, so that results don't depend on the machine.
const TILE: usize = 16_384;

/// The operation; x [N, C] → y [N, C].
#[derive(Debug)]
pub struct SquaredRelu;

/// Records y = max(x, 0)².
///
/// # Errors
/// If `x` holds no numbers.
pub fn squared_relu(g: &mut Graph, x: ValueId) -> Result<ValueId> {
    Ok(g.push(SquaredRelu, &[x])?[0])
}

impl Operation for SquaredRelu {
    fn name(&self) -> &'static str {
        "squared_relu"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        Ok(Outputs {
            y: vec![x[0]],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        match pass {
            Pass::Forward => elementwise(x[0].len(), 2, 2),
            Pass::Backward => elementwise(x[0].len(), 3, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let pairs = a.y[0].iter_mut().zip(a.x[0].real());
        pairs.for_each(|(y, x)| *y = x.max(0.0).powi(2));
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let Some(dx) = &mut a.dx[0] else { return };
        let triples = dx.iter_mut().zip(a.x[0].real()).zip(a.dy[0]);
        triples.for_each(|((dx, x), dy)| *dx += 2.0 * x.max(0.0) * dy);
    }
}

impl Kernel for SquaredRelu {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        team.each(a.y[0].bands(1, TILE), |_, mut y, _| {
            let x = &a.x[0].real()[y.first_row..];
            let pairs = y.slice().iter_mut().zip(x);
            pairs.for_each(|(y, x)| *y = x.max(0.0) * x.max(0.0));
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let Some((write, dx)) = &a.dx[0] else { return };
        team.each(dx.bands(1, TILE), |_, mut dx, _| {
            let from = dx.first_row;
            let (x, dy) = (&a.x[0].real()[from..], &a.dy[0].real()[from..]);
            for ((dx, x), dy) in dx.slice().iter_mut().zip(x).zip(dy) {
                let d = 2.0 * x.max(0.0) * dy;
                *dx = if *write == Write::Add { *dx + d } else { d };
            }
        });
    }
}

/// A random example for `verify`.
///
/// # Errors
/// Never: every shape is valid.
pub fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(9), d.size(40));
    let x = d.parameter(g, rows, width);
    squared_relu(g, x)
}
