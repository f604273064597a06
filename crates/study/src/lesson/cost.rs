//! Lesson 2: what a mistake costs. Squares for a line; for the next token, squares beside
//! cross-entropy.

use super::error::Result;
use super::small::Small;
use engine::{Field, Graph, Host, Init, Variable};
use serde::Serialize;

/// Tokens to choose from; the first is right, and the others are equally likely.
const TOKENS: usize = 4;
/// Probabilities over which both costs are drawn.
const PLACES: usize = 60;
const LEAST: f64 = 0.001;

const NUMBERS: &str = "numbers";

/// What a line's error costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Miss {
    /// How far the line is from the point.
    pub error: f64,
    /// Its squared error.
    pub cost: f64,
    /// The derivative by the line's height: how strongly the point pulls.
    pub slope: f64,
}

/// What the same mistake costs in both ways.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pull {
    /// The probability that the model gives to the right token.
    pub probability: f64,
    /// Cross-entropy in nats.
    pub cross_entropy: f64,
    /// Mean squared error between the probabilities and those of a perfect model.
    pub squared: f64,
    /// The derivative of the cross-entropy by the right token's logit.
    pub cross_entropy_slope: f64,
    /// The derivative of the mean squared error by it.
    pub squared_slope: f64,
}

/// Lesson 2.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostLesson {
    /// A line that is off by 1, 2 and 4.
    pub line: Vec<Miss>,
    /// The probabilities of all tokens, the right one first.
    pub probabilities: Vec<f64>,
    /// What they cost.
    pub here: Pull,
    /// The same over all probabilities of the right token.
    pub curve: Vec<Pull>,
}

/// Lesson 2 at a probability of the right token.
pub(super) fn cost(probability: f64) -> Result<CostLesson> {
    let mut costs = Costs::new()?;
    // More of them where the cost is steep.
    let share = |i: usize| (i as f64 / (PLACES - 1) as f64).powi(2);
    let at = |i: usize| LEAST + (1.0 - 2.0 * LEAST) * share(i);
    let curve = (0..PLACES).map(|i| costs.at(at(i)));
    let curve = curve.collect::<Result<_>>()?;
    Ok(CostLesson {
        line: [1.0, 2.0, 4.0]
            .map(miss)
            .into_iter()
            .collect::<Result<_>>()?,
        probabilities: probabilities(probability),
        here: costs.at(probability)?,
        curve,
    })
}

fn probabilities(right: f64) -> Vec<f64> {
    let mut all = vec![(1.0 - right) / (TOKENS - 1) as f64; TOKENS];
    all[0] = right;
    all
}

/// A line that is so far above a point.
fn miss(error: f64) -> Result<Miss> {
    let (cost, slope) = squares(1)?.of(&[error], &[0.0])?;
    Ok(Miss {
        error,
        cost,
        slope: slope[0],
    })
}

/// Both costs in the engine.
struct Costs {
    squares: Squares,
    entropy: Small,
}

impl Costs {
    fn new() -> Result<Costs> {
        let mut graph = Graph::new();
        let logits = Variable::parameter(NUMBERS, &[1, TOKENS], Init::Zeros);
        let logits = graph.variable(logits);
        let target = graph.tokens("target", 1);
        let (cost, _) = graph.cross_entropy(logits, target)?;
        let mut entropy = Small::new(graph, cost, 1)?;
        entropy.write(target, Host::Tokens(&[0]))?;
        Ok(Costs {
            squares: squares(TOKENS)?,
            entropy,
        })
    }

    fn at(&mut self, probability: f64) -> Result<Pull> {
        let p = probabilities(probability);
        let logits: Vec<f64> = p.iter().map(|&p| libm::log(p)).collect();
        self.entropy.set(NUMBERS, &logits)?;
        let cross_entropy = self.entropy.step(0.0)?;
        let by_logit = self.entropy.variable(NUMBERS, Field::Gradient, TOKENS)?;
        let mut perfect = [0.0; TOKENS];
        perfect[0] = 1.0;
        let (squared, by_probability) = self.squares.of(&p, &perfect)?;
        // Through the softmax: dp_i/dz_0 = p_i·(1[i = 0] − p_0).
        let mean: f64 = p.iter().zip(&by_probability).map(|(p, d)| p * d).sum();
        Ok(Pull {
            probability,
            cross_entropy,
            squared,
            cross_entropy_slope: by_logit[0],
            squared_slope: p[0] * (by_probability[0] - mean),
        })
    }
}

/// Mean squared error of one row.
struct Squares {
    small: Small,
    target: engine::ValueId,
}

fn squares(width: usize) -> Result<Squares> {
    let mut graph = Graph::new();
    let numbers = graph.variable(Variable::parameter(NUMBERS, &[1, width], Init::Zeros));
    let target = graph.input("target", 1, width);
    let (cost, _) = graph.mse(numbers, target)?;
    let small = Small::new(graph, cost, 1)?;
    Ok(Squares { small, target })
}

impl Squares {
    /// The cost of these numbers, and its derivative by each.
    fn of(&mut self, numbers: &[f64], target: &[f64]) -> Result<(f64, Vec<f64>)> {
        self.small.set(NUMBERS, numbers)?;
        self.small.write(self.target, Host::Double(target))?;
        let cost = self.small.step(0.0)?;
        let slope = self
            .small
            .variable(NUMBERS, Field::Gradient, numbers.len())?;
        Ok((cost, slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_costs_and_their_pulls_are_those_of_the_closed_forms() {
        for p in [0.001, 0.02, 0.25, 0.5, 0.999] {
            let lesson = cost(p).unwrap();
            let sum: f64 = lesson.probabilities.iter().sum();
            let here = lesson.here;
            let (miss, near) = (1.0 - p, |a: f64, b: f64| (a - b).abs() < 1e-12);
            assert!(near(sum, 1.0));
            assert!(near(here.cross_entropy, -libm::log(p)), "{here:?}");
            assert!(near(here.squared, miss * miss / 3.0), "{here:?}");
            assert!(near(here.cross_entropy_slope, -miss), "{here:?}");
            let squared = -2.0 / 3.0 * p * miss * miss;
            assert!(near(here.squared_slope, squared), "{here:?}");
        }
        let line = cost(0.5).unwrap().line;
        let found: Vec<_> = line.iter().map(|m| (m.error, m.cost, m.slope)).collect();
        assert_eq!(found, [(1.0, 1.0, 2.0), (2.0, 4.0, 4.0), (4.0, 16.0, 8.0)]);
    }

    #[test]
    fn only_cross_entropy_pulls_at_a_grave_mistake() {
        let Pull {
            cross_entropy_slope,
            squared_slope,
            ..
        } = cost(0.001).unwrap().here;
        assert!(cross_entropy_slope < -0.99 && squared_slope > -0.001);
    }
}
