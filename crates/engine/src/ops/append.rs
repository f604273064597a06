//! Appends keys or values to a cache, so that generation computes each position once.
//!
//! cache[position + t] = x[t] for one sequence of T positions. Nothing flows back: caches are for
//! generation only.

use crate::error::{Result, shape};
use crate::graph::{Graph, Row, ValueId};
use crate::op::{
    At, Backward, BackwardF64, Cost, Forward, ForwardF64, Operation, Outputs, Pass, Reads, Spec,
    elementwise,
};
use crate::ops::Op;
use crate::team::Team;
use crate::verify::Draw;

/// The operation; x [T, K·D] → cache [capacity, K·D], from row `position` on.
#[derive(Debug)]
pub struct Append {
    /// K·D.
    width: usize,
}

impl Graph {
    /// Appends `x` at the run's position to a cache of `capacity` rows, and gives the cache. The
    /// caller must keep position + T within the capacity.
    ///
    /// # Errors
    /// Where `x` has more rows than the cache.
    pub fn append(&mut self, x: ValueId, name: &str, capacity: usize) -> Result<ValueId> {
        let Spec { rows, width, .. } = self.spec(x);
        if rows > capacity {
            return shape(
                "append",
                format!("{rows} rows do not fit a cache of {capacity}"),
            );
        }
        let cache = self.parameter(Row::cache(name, capacity, width));
        self.push_into(Op::Append(Append { width }), &[x], cache)?;
        Ok(cache)
    }
}

impl Operation for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn is_cost(&self) -> bool {
        false
    }

    fn infer(&self, _: &[Spec]) -> Result<Outputs> {
        Ok(Outputs {
            y: vec![],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[], y: &[] }
    }

    fn passes_on(&self) -> Option<usize> {
        None
    }

    fn overwrites(&self) -> Option<usize> {
        None
    }

    fn cost(&self, x: &[Spec], _: Pass) -> Cost {
        elementwise(x[0].len(), 0, 2)
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let x = a.x[0].real();
        let from = a.at.position * self.width;
        a.y[0][from..from + x.len()].copy_from_slice(x);
    }

    fn backward_f64(&self, _: BackwardF64) {}

    fn forward(&self, a: &Forward, at: &At, team: &Team) {
        let x = a.x[0].real();
        team.each(a.y[0].bands(a.y[0].len, 1), |_, mut cache, _| {
            let cache = cache.slice();
            let from = at.position * self.width;
            cache[from..from + x.len()].copy_from_slice(x);
        });
    }

    fn backward(&self, _: &Backward, _: &At, _: &Team) {}
}

/// An append has no gradient to check; the example lets a value pass a cache to nobody and checks
/// the value itself.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(5), d.size(20));
    let (x, w) = (d.parameter(g, rows, width), d.parameter(g, width, width));
    let y = g.linear(x, w, None)?;
    g.append(y, "cache", rows)?;
    Ok(y)
}
