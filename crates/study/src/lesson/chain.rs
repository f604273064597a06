//! Lesson 7: backpropagation through two weights, h = w₁·x, y = w₂·h, cost = (y − target)², each
//! number beside what finite differences give.

use super::error::Result;
use super::small::Small;
use engine::{Field, Graph, Host, Init, Variable};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// The input, the second weight and the target.
const X: f64 = 2.0;
const SECOND: f64 = 0.5;
const TARGET: f64 = 1.0;
/// The first weight at which neither weight has a reason to move: y is the target.
pub(super) const STILL: f64 = TARGET / (X * SECOND);
/// Half the distance of the two places whose costs are compared.
const NEAR: f64 = 1e-3;

const NAMES: [&str; 2] = ["w1", "w2"];

/// A number of the computation: its value, and how the cost changes with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// Its name: `x`, `w1`, `h`, `w2`, `y` or `cost`.
    pub name: &'static str,
    /// From the forward pass.
    pub value: f64,
    /// The derivative of the cost by it, from the backward pass; none for the input.
    pub slope: Option<f64>,
    /// The same by changing it a little and computing the cost anew: weights only.
    pub walked: Option<f64>,
}

/// Lesson 7.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChainLesson {
    /// What y should be.
    pub target: f64,
    /// How far each weight is moved for the finite difference, to either side.
    pub near: f64,
    /// In the order of the forward pass.
    pub links: Vec<Link>,
}

struct Chain {
    small: Small,
    kept: [engine::ValueId; 2],
    /// The derivatives of the inputs of the last operations that ran backward, the last first.
    seen: Arc<Mutex<Vec<f64>>>,
}

impl Chain {
    fn new() -> Result<Chain> {
        let mut graph = Graph::new();
        let x = graph.input("x", 1, 1);
        let target = graph.input("target", 1, 1);
        let weight = |name| Variable::parameter(name, &[1, 1], Init::Zeros);
        let (first, second) = (weight(NAMES[0]), weight(NAMES[1]));
        let first = graph.variable(first);
        let h = graph.linear(x, first, None)?;
        let second = graph.variable(second);
        let y = graph.linear(h, second, None)?;
        let (cost, _) = graph.mse(y, target)?;
        graph.keep(h);
        graph.keep(y);
        let mut small = Small::new(graph, cost, 1)?;
        small.write(x, Host::Double(&[X]))?;
        small.write(target, Host::Double(&[TARGET]))?;
        let seen: Arc<Mutex<Vec<f64>>> = Arc::default();
        let into = seen.clone();
        // The first input of each operation is what the one before it computed.
        small.observe(Box::new(move |_, _, inputs| {
            let slope = inputs.first().and_then(Option::as_ref);
            let slope = slope.and_then(|all| all.first().copied());
            into.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(slope);
        }));
        Ok(Chain {
            small,
            kept: [h, y],
            seen,
        })
    }

    fn cost(&mut self, weights: [f64; 2]) -> Result<f64> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        for (name, weight) in NAMES.iter().zip(weights) {
            self.small.set(name, &[weight])?;
        }
        Ok(self.small.step(0.0)?)
    }

    /// The derivative by a weight, by central differences.
    fn walked(&mut self, weights: [f64; 2], which: usize) -> Result<f64> {
        let mut at = |by: f64| {
            let mut moved = weights;
            moved[which] += by;
            self.cost(moved)
        };
        Ok((at(NEAR)? - at(-NEAR)?) / (2.0 * NEAR))
    }
}

/// Lesson 7 with a first weight.
pub(super) fn chain(weight: f64) -> Result<ChainLesson> {
    let mut chain = Chain::new()?;
    let weights = [weight, SECOND];
    let walked = [chain.walked(weights, 0)?, chain.walked(weights, 1)?];
    let cost = chain.cost(weights)?;
    let gradient = |name| chain.small.variable(name, Field::Gradient, 1);
    let by_weight = [gradient(NAMES[0])?[0], gradient(NAMES[1])?[0]];
    let value = |at: usize| chain.small.read(chain.kept[at], 1);
    let (h, y) = (value(0)?[0], value(1)?[0]);
    let seen = chain.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (by_y, by_h) = (seen.first().copied(), seen.get(1).copied());
    let link = |name, value, slope, walked| Link {
        name,
        value,
        slope,
        walked,
    };
    Ok(ChainLesson {
        target: TARGET,
        near: NEAR,
        links: vec![
            link("x", X, None, None),
            link(NAMES[0], weight, Some(by_weight[0]), Some(walked[0])),
            link("h", h, by_h, None),
            link(NAMES[1], SECOND, Some(by_weight[1]), Some(walked[1])),
            link("y", y, by_y, None),
            link("cost", cost, Some(1.0), None),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backpropagation_is_the_chain_rule_and_agrees_with_finite_differences() {
        for weight in [-4.0, -0.7, 0.0, 1.0, 3.0, 4.0] {
            let lesson = chain(weight).unwrap();
            let by = |name: &str| {
                let link = lesson.links.iter().find(|l| l.name == name).unwrap();
                (link.value, link.slope)
            };
            let (h, y) = (weight * X, weight * X * SECOND);
            let dy = 2.0 * (y - TARGET);
            let near = |found: (f64, Option<f64>), value: f64, slope: f64| {
                let slope = (found.1.unwrap() - slope).abs();
                assert!(
                    (found.0 - value).abs() < 1e-12 && slope < 1e-12,
                    "{lesson:?}"
                );
            };
            near(by("y"), y, dy);
            near(by("h"), h, dy * SECOND);
            near(by("w1"), weight, dy * SECOND * X);
            near(by("w2"), SECOND, dy * h);
            near(by("cost"), (y - TARGET).powi(2), 1.0);
            for link in lesson.links.iter().filter(|l| l.walked.is_some()) {
                let off = (link.walked.unwrap() - link.slope.unwrap()).abs();
                assert!(off < 1e-9, "{link:?}");
            }
        }
        let still = chain(STILL).unwrap();
        let slopes: Vec<_> = still.links[1..5].iter().map(|l| l.slope).collect();
        assert_eq!(slopes, [Some(0.0); 4]);
    }
}
