//! Lessons 5 and 6: a crowd on the mountain of `fit`'s built-in line, and what the learning rate
//! does to it.

use super::error::Result;
use crate::fit::Points;
use crate::landscape::{Landscape, curvatures};
use engine::{Descent, Optimizer};
use serde::Serialize;

/// A walker has arrived when its cost is at most this share above the lowest.
const ARRIVED: f64 = 0.01;

/// Lesson 5.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrowdLesson {
    /// The mountain, with one crowd and its paths so far.
    pub land: Landscape,
    /// Steps that each walker has taken.
    pub steps: usize,
    /// How many walkers there are.
    pub walkers: usize,
    /// How many are at most 1% above the lowest cost.
    pub arrived: usize,
    /// Their mean cost.
    pub mean_cost: f64,
}

/// Lesson 6.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatesLesson {
    /// The mountain, with one crowd and its paths.
    pub land: Landscape,
    /// The learning rate.
    pub rate: f64,
    /// How many walkers there are.
    pub walkers: usize,
    /// How many are at most 1% above the lowest cost after all steps.
    pub arrived: usize,
    /// The mean cost after each step; none once a walker has diverged.
    pub costs: Vec<Option<f64>>,
}

/// A crowd that walks by plain gradient descent, with a rate chosen for the two curvatures.
fn walk(rate: impl FnOnce([f64; 2]) -> f64) -> Result<Landscape> {
    let plain = Optimizer::uniform(Descent::PLAIN, 0.0, None);
    let rules = |curve| vec![("SGD", plain, rate(curvatures(curve)))];
    Ok(Landscape::of(&Points::line(), rules)?)
}

/// The rate at which the slowest direction and the fastest one shrink alike.
fn good([most, least]: [f64; 2]) -> f64 {
    2.0 / (most + least)
}

impl Landscape {
    /// The costs of all walkers after these steps.
    fn costs(&self, step: usize) -> impl Iterator<Item = f64> {
        let walkers = self.descents.iter().flat_map(|crowd| &crowd.walkers);
        walkers.map(move |path| self.cost(path.w[step], path.b[step]))
    }

    fn walkers(&self) -> usize {
        self.costs(0).count()
    }

    fn arrived(&self, step: usize) -> usize {
        let near = (1.0 + ARRIVED) * self.best.cost;
        self.costs(step).filter(|cost| *cost <= near).count()
    }

    fn mean(&self, step: usize) -> f64 {
        self.costs(step).sum::<f64>() / self.walkers() as f64
    }

    fn steps(&self) -> usize {
        let first = self.descents.first().and_then(|c| c.walkers.first());
        first.map_or(0, |path| path.w.len() - 1)
    }
}

/// Lesson 5 after this many steps.
pub(super) fn crowd(steps: usize) -> Result<CrowdLesson> {
    let mut land = walk(good)?;
    let steps = steps.min(land.steps());
    let (walkers, arrived, mean_cost) = (land.walkers(), land.arrived(steps), land.mean(steps));
    for path in land.descents.iter_mut().flat_map(|c| &mut c.walkers) {
        path.w.truncate(steps + 1);
        path.b.truncate(steps + 1);
    }
    Ok(CrowdLesson {
        land,
        steps,
        walkers,
        arrived,
        mean_cost,
    })
}

/// The first step after which every walker has arrived.
pub(super) fn arrival() -> Result<usize> {
    let land = walk(good)?;
    let all = |step: &usize| land.arrived(*step) == land.walkers();
    Ok((0..=land.steps()).find(all).unwrap_or(land.steps()))
}

/// Lesson 6 with a learning rate.
pub(super) fn rates(rate: f64) -> Result<RatesLesson> {
    let land = walk(|_| rate)?;
    let costs = (0..=land.steps()).map(|step| Some(land.mean(step)).filter(|c| c.is_finite()));
    Ok(RatesLesson {
        rate,
        walkers: land.walkers(),
        arrived: land.arrived(land.steps()),
        costs: costs.collect(),
        land,
    })
}

/// The largest curvature of the mountain.
pub(super) fn steepest() -> Result<f64> {
    let mut steepest = 0.0;
    walk(|[most, _]| {
        steepest = most;
        0.0
    })?;
    Ok(steepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crowd_arrives_and_its_question_has_an_answer() {
        let first = arrival().unwrap();
        let after = |steps| crowd(steps).unwrap();
        let (early, late) = (after(first - 1), after(first));
        assert!(early.arrived < early.walkers && late.arrived == late.walkers);
        assert!((5..55).contains(&first), "{first}");
        assert_eq!(late.land.descents[0].walkers[7].w.len(), first + 1);
        assert!(after(0).arrived < 5 && after(0).mean_cost > 10.0 * late.mean_cost);
    }

    #[test]
    fn rates_above_two_over_the_curvature_diverge_and_those_below_do_not() {
        let limit = 2.0 / steepest().unwrap();
        let ends = |rate| {
            let lesson = rates(rate).unwrap();
            let at = |step: usize| lesson.costs[step].unwrap_or(f64::INFINITY);
            (at(0), at(lesson.costs.len() - 1), lesson.arrived)
        };
        let (from, to, arrived) = ends(1.02 * limit);
        assert!(to > from && arrived == 0, "{from} {to}");
        let (from, to, _) = ends(0.98 * limit);
        assert!(to < 0.2 * from, "{from} {to}");
        let (from, to, arrived) = ends(0.01 * limit);
        assert!(to < from && to > 0.1 * from && arrived == 0, "{from} {to}");
        assert_eq!(ends(2.0 * limit).1, f64::INFINITY);
    }
}
