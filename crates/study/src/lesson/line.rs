//! Lessons 3 and 4: a line with one weight, y = w·x, through four points; how its cost changes with
//! w, and one step down.

use super::error::Result;
use super::small::Small;
use engine::{Field, Graph, Host, Init, Variable};
use serde::Serialize;

/// The points. The mean of x² is 5, so the cost is 1 + 5·(w − 2)² and its slope 10·(w − 2): numbers
/// that can be checked in one's head.
const X: [f64; 4] = [1.0, 1.0, 3.0, 3.0];
const Y: [f64; 4] = [1.0, 3.0, 5.0, 7.0];
/// The weight with the lowest cost.
pub(super) const BEST: f64 = 2.0;
/// The weight from which lesson 4 takes its step.
const START: f64 = 5.0;
/// The weights over which the cost is drawn, and how many of them.
const DRAWN: (f64, f64) = (-2.0, 6.0);
const PLACES: usize = 65;

const WEIGHT: &str = "weight";

/// What the engine computes at a weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LineLook {
    /// The weight.
    pub weight: f64,
    /// The mean squared error.
    pub cost: f64,
    /// Its derivative by the weight, from the backward pass.
    pub slope: f64,
}

/// How much the cost rises over a short run to the right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rise {
    /// The length of the run.
    pub run: f64,
    /// How much higher the cost is there.
    pub rise: f64,
    /// Rise over run.
    pub ratio: f64,
}

/// Lesson 3.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlopeLesson {
    /// The points: x and y.
    pub points: (Vec<f64>, Vec<f64>),
    /// The chosen weight.
    pub here: LineLook,
    /// The slope measured by walking: over shorter and shorter ways.
    pub walked: Vec<Rise>,
    /// Weights and their costs.
    pub curve: (Vec<f64>, Vec<f64>),
}

/// Lesson 4.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepLesson {
    /// The points: x and y.
    pub points: (Vec<f64>, Vec<f64>),
    /// The learning rate.
    pub rate: f64,
    /// Before the step.
    pub before: LineLook,
    /// After it.
    pub after: LineLook,
    /// Weights and their costs.
    pub curve: (Vec<f64>, Vec<f64>),
}

/// The line in the engine.
struct OneWeight(Small);

impl OneWeight {
    fn new() -> Result<OneWeight> {
        let mut graph = Graph::new();
        let x = graph.input("x", X.len(), 1);
        let target = graph.input("y", X.len(), 1);
        let w = graph.variable(Variable::parameter(WEIGHT, &[1, 1], Init::Zeros));
        let y = graph.linear(x, w, None)?;
        let (cost, _) = graph.mse(y, target)?;
        let mut line = Small::new(graph, cost, X.len())?;
        line.write(x, Host::Double(&X))?;
        line.write(target, Host::Double(&Y))?;
        Ok(OneWeight(line))
    }

    /// The cost and its slope at a weight, and the weight after one step with this rate.
    fn step(&mut self, weight: f64, rate: f64) -> Result<(LineLook, f64)> {
        self.0.set(WEIGHT, &[weight])?;
        let cost = self.0.step(rate)?;
        let slope = self.0.variable(WEIGHT, Field::Gradient, 1)?[0];
        let after = self.0.variable(WEIGHT, Field::Weight, 1)?[0];
        let look = LineLook {
            weight,
            cost,
            slope,
        };
        Ok((look, after))
    }

    fn look(&mut self, weight: f64) -> Result<LineLook> {
        Ok(self.step(weight, 0.0)?.0)
    }

    fn curve(&mut self) -> Result<(Vec<f64>, Vec<f64>)> {
        let place = |i: usize| DRAWN.0 + (DRAWN.1 - DRAWN.0) * i as f64 / (PLACES - 1) as f64;
        let weights: Vec<f64> = (0..PLACES).map(place).collect();
        let costs = weights.iter().map(|&w| Ok(self.look(w)?.cost));
        let costs = costs.collect::<Result<_>>()?;
        Ok((weights, costs))
    }
}

fn points() -> (Vec<f64>, Vec<f64>) {
    (X.to_vec(), Y.to_vec())
}

/// Lesson 3 at a weight.
pub(super) fn slope(weight: f64) -> Result<SlopeLesson> {
    let mut line = OneWeight::new()?;
    let here = line.look(weight)?;
    let mut walked = Vec::new();
    for run in [1.0, 0.1, 0.01, 0.001] {
        let rise = line.look(weight + run)?.cost - here.cost;
        walked.push(Rise {
            run,
            rise,
            ratio: rise / run,
        });
    }
    Ok(SlopeLesson {
        points: points(),
        here,
        walked,
        curve: line.curve()?,
    })
}

/// Lesson 4 with a learning rate.
pub(super) fn step(rate: f64) -> Result<StepLesson> {
    let mut line = OneWeight::new()?;
    let (before, weight) = line.step(START, rate)?;
    Ok(StepLesson {
        points: points(),
        rate,
        before,
        after: line.look(weight)?,
        curve: line.curve()?,
    })
}

/// The second derivative of the cost: how fast the slope changes.
pub(super) fn curvature() -> Result<f64> {
    let mut line = OneWeight::new()?;
    Ok(line.look(BEST + 1.0)?.slope - line.look(BEST)?.slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_its_slope_and_a_step_are_those_of_the_closed_form() {
        for weight in [-2.0, 0.0, 1.3, 2.0, 6.0] {
            let lesson = slope(weight).unwrap();
            let off = weight - BEST;
            assert!((lesson.here.cost - (1.0 + 5.0 * off * off)).abs() < 1e-12);
            assert!((lesson.here.slope - 10.0 * off).abs() < 1e-12);
            // A parabola's rise over a run h is h·slope + 5·h².
            for rise in lesson.walked {
                let expected = lesson.here.slope + 5.0 * rise.run;
                assert!((rise.ratio - expected).abs() < 1e-9, "{rise:?}");
            }
        }
        let lesson = step(0.1).unwrap();
        assert_eq!((lesson.before.cost, lesson.before.slope), (46.0, 30.0));
        assert_eq!((lesson.after.weight, lesson.after.cost), (2.0, 1.0));
        assert_eq!(step(1.0).unwrap().after.weight, -25.0);
        assert!((curvature().unwrap() - 10.0).abs() < 1e-12);
        let (weights, costs) = lesson.curve;
        assert_eq!((weights.len(), costs.len()), (PLACES, PLACES));
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(least, 1.0);
    }
}
