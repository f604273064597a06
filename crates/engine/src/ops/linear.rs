//! What is a layer? A matrix product with learned weights; it is nearly all of a model's work.
//!
//! y = x·wᵀ + b + r with x [N, in], w [out, in], b [out], r [N, out] → y [N, out].
//! Backward: dx = dy·w, dw = dyᵀ·x, db = Σ over rows of dy, dr = dy.
//!
//! Layers that read the same x (queries, keys, values; gate, up) are one operation with several
//! weights: x is packed once. r is the residual stream that the layer writes to: the sum starts
//! from it, which saves a pass over memory; its gradient is dy itself.

mod fast;

use crate::at::At;
use crate::cost::{Cost, Pass};
use crate::cpu::gemm::TOGETHER;
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, ForwardF64, Operation, Outputs, Reads, Spec};

/// The operation; x [N, in], each w [out, in], optionally a b [out] for each, optionally (with a
/// single weight) r [N, out] → each y [N, out].
#[derive(Debug)]
pub struct Linear {
    /// Width of x.
    inner: usize,
    /// Width of each y.
    outs: Vec<usize>,
    /// Whether there are biases.
    bias: bool,
    /// Whether there is a residual stream.
    stream: bool,
}

impl Graph {
    /// y = x·wᵀ (+ b).
    ///
    /// # Errors
    /// If the widths of `x` and `w`, or the length of `b` and the rows of `w`, differ.
    pub fn linear(&mut self, x: ValueId, w: ValueId, b: Option<ValueId>) -> Result<ValueId> {
        Ok(self.record_linear(x, &[(w, b)], None)?[0])
    }

    /// r + x·wᵀ (+ b): a layer that writes to the residual stream r.
    ///
    /// # Errors
    /// As [`Graph::linear`], and if the shape of `r` is not that of the result.
    pub fn linear_onto(
        &mut self,
        r: ValueId,
        x: ValueId,
        w: ValueId,
        b: Option<ValueId>,
    ) -> Result<ValueId> {
        Ok(self.record_linear(x, &[(w, b)], Some(r))?[0])
    }

    /// Several layers that read the same x: x·wᵀ (+ b) for each of one to three pairs of w and b.
    ///
    /// # Errors
    /// As [`Graph::linear`], and if some layers have biases and others don't.
    pub fn linears(
        &mut self,
        x: ValueId,
        layers: &[(ValueId, Option<ValueId>)],
    ) -> Result<Vec<ValueId>> {
        self.record_linear(x, layers, None)
    }

    fn record_linear(
        &mut self,
        x: ValueId,
        layers: &[(ValueId, Option<ValueId>)],
        r: Option<ValueId>,
    ) -> Result<Vec<ValueId>> {
        let weights = layers.iter().map(|layer| layer.0);
        let biases: Vec<ValueId> = layers.iter().filter_map(|layer| layer.1).collect();
        let counts = layers.len() <= TOGETHER && [0, layers.len()].contains(&biases.len());
        if layers.is_empty() || !counts {
            return shape(
                "linear",
                "need one to three layers, all or none with a bias",
            );
        }
        let operation = Linear {
            inner: self.spec(x).width,
            outs: weights.clone().map(|w| self.spec(w).rows).collect(),
            bias: !biases.is_empty(),
            stream: r.is_some(),
        };
        for w in weights.clone() {
            self.mark_multiplied(w);
        }
        let inputs = [x].into_iter().chain(weights).chain(biases).chain(r);
        let inputs: Vec<ValueId> = inputs.collect();
        self.push(operation, &inputs)
    }
}

impl Linear {
    /// Slot of a layer's bias.
    fn bias_slot(&self, layer: usize) -> Option<usize> {
        self.bias.then_some(1 + self.outs.len() + layer)
    }

    /// Slot of the residual stream.
    fn stream_slot(&self) -> Option<usize> {
        let before = 1 + self.outs.len() * if self.bias { 2 } else { 1 };
        self.stream.then_some(before)
    }
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        let y: Vec<Spec> = self
            .outs
            .iter()
            .map(|&out| Spec::real(x[0].rows, out))
            .collect();
        let weights = (0..y.len()).all(|i| x[1 + i].width == self.inner);
        let fits = |i| {
            self.bias_slot(i)
                .is_none_or(|slot| x[slot].len() == self.outs[i])
        };
        let biases = (0..y.len()).all(fits);
        if !weights || !biases || self.stream_slot().is_some_and(|slot| x[slot] != y[0]) {
            return shape(self.name(), format!("inputs {x:?} don't match"));
        }
        Ok(Outputs { y, kept: vec![] })
    }

    fn reads(&self) -> Reads {
        let x: &[usize] = &[0, 1, 2, 3];
        Reads {
            x: &x[..=self.outs.len()],
            y: &[],
        }
    }

    fn passes_on(&self) -> Option<usize> {
        self.stream_slot()
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        let (n, inner) = (x[0].rows as u64, x[0].width as u64);
        let out: u64 = self.outs.iter().map(|&out| out as u64).sum();
        let added = n * out * (u64::from(self.bias) + u64::from(self.stream));
        let operands = 4 * (n * inner + inner * out + n * out);
        match pass {
            Pass::Forward => Cost {
                flops: 2 * n * inner * out + added,
                bytes: operands + if self.stream { 4 * n * out } else { 0 },
            },
            Pass::Backward => Cost {
                flops: 4 * n * inner * out + if self.bias { n * out } else { 0 },
                bytes: 2 * operands,
            },
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, inner) = (a.x[0].real(), self.inner);
        for (layer, &out) in self.outs.iter().enumerate() {
            let w = a.x[1 + layer].real();
            for (row, o) in (0..x.len() / inner).flat_map(|row| (0..out).map(move |o| (row, o))) {
                let bias = self
                    .bias_slot(layer)
                    .map_or(0.0, |slot| a.x[slot].real()[o]);
                let stream = self
                    .stream_slot()
                    .map(|slot| a.x[slot].real()[row * out + o]);
                let start = bias + stream.unwrap_or(0.0);
                let pairs = x[row * inner..][..inner].iter().zip(&w[o * inner..]);
                a.y[layer][row * out + o] = pairs.fold(start, |sum, (x, w)| sum + x * w);
            }
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let (x, inner) = (a.x[0].real(), self.inner);
        for (layer, &out) in self.outs.iter().enumerate() {
            let (w, dy) = (a.x[1 + layer].real(), a.dy[layer]);
            // A layer on which nothing depends has no gradient.
            for (at, d) in dy.iter().enumerate() {
                let (row, o) = (at / out, at % out);
                if let Some(dx) = &mut a.dx[0] {
                    let pairs = dx[row * inner..][..inner].iter_mut().zip(&w[o * inner..]);
                    pairs.for_each(|(dx, w)| *dx += d * w);
                }
                if let Some(dw) = &mut a.dx[1 + layer] {
                    let pairs = dw[o * inner..][..inner].iter_mut().zip(&x[row * inner..]);
                    pairs.for_each(|(dw, x)| *dw += d * x);
                }
                let slots = [
                    self.bias_slot(layer).map(|s| (s, o)),
                    self.stream_slot().map(|s| (s, at)),
                ];
                for (slot, at) in slots.into_iter().flatten() {
                    if let Some(d_slot) = &mut a.dx[slot] {
                        d_slot[at] += d;
                    }
                }
            }
        }
    }
}

impl Kernel for Linear {
    fn reads_packed(&self, slot: usize) -> bool {
        (1..=self.outs.len()).contains(&slot)
    }

    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        self.fast_forward(a, at, team);
    }

    fn backward(&self, a: &Backward, at: &At, team: &Team) {
        self.fast_backward(a, at, team);
    }
}

/// Random shapes: one layer with or without bias and residual stream, or several, of which one may
/// be unused; sometimes weights are used twice, so that one gradient is added to while others are
/// set.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, inner, out) = (d.size(14), d.size(35), d.size(35));
    let (x, w) = (d.parameter(g, rows, inner), d.parameter(g, out, inner));
    let bias = d.size(2) == 1;
    let b = bias.then(|| d.vector(g, out));
    match d.size(3) {
        1 => g.linear(x, w, b),
        2 => {
            // The stream comes from a layer, so that its gradient is passed on.
            let other = d.parameter(g, out, inner);
            let r = g.linear(x, other, None)?;
            g.linear_onto(r, x, w, b)
        }
        _ => {
            let (second, third) = (d.parameter(g, out, inner), d.parameter(g, 3, inner));
            let (b2, b3) = (bias.then(|| d.vector(g, out)), bias.then(|| d.vector(g, 3)));
            let y = g.linears(x, &[(w, b), (second, b2), (third, b3)])?;
            let sum = g.swiglu(y[0], y[1])?;
            let again = g.linear(x, second, None)?;
            g.residual(again, sum)
        }
    }
}
