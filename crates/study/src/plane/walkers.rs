//! Walkers that can't leave the plane: they start anywhere on it and descend by an optimizer's
//! rule.
//!
//! SGD, momentum and Adam train two numbers, x and y, by the exact derivatives of the cost by them.
//! Muon needs matrices, and a plane has none: its step is computed for all weights, and then its
//! part in the plane is taken.

use super::axes::Plane;
use super::cost::ModelCost;
use super::error::Result;
use engine::{Adam, Descent, Precision, Rule, Setting, UpdateF64};
use run::Walker;
use std::sync::Arc;

/// An optimizer of walkers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkerRule {
    /// Plain gradient descent.
    Sgd,
    /// With momentum.
    Momentum,
    /// Adam.
    Adam,
    /// Muon, projected.
    Muon,
}

/// The share of the velocity that momentum keeps.
const KEPT: f64 = 0.8;
/// Adam's and Muon's steps are first this share of the plane's larger half side.
const STRIDE: f64 = 1.0 / 12.0;
/// A walker that is further outside than this many sides is lost.
const LOST: f64 = 2.0;
/// The rate at which Muon's step is measured: so small that it is proportional to the rate.
const PROBE: f64 = 1e-3;

impl WalkerRule {
    /// All of them.
    pub const ALL: [WalkerRule; 4] = [
        WalkerRule::Sgd,
        WalkerRule::Momentum,
        WalkerRule::Adam,
        WalkerRule::Muon,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WalkerRule::Sgd => "sgd",
            WalkerRule::Momentum => "momentum",
            WalkerRule::Adam => "adam",
            WalkerRule::Muon => "muon",
        }
    }

    /// The rule for x and y; Muon has none.
    fn rule(self) -> Option<Arc<dyn Rule>> {
        let momentum = Descent {
            momentum: Some(KEPT),
            nesterov: false,
        };
        match self {
            WalkerRule::Sgd => Some(Arc::new(Descent::PLAIN)),
            WalkerRule::Momentum => Some(Arc::new(momentum)),
            WalkerRule::Adam => Some(Arc::new(Adam {
                beta1: 0.9,
                beta2: 0.95,
                epsilon: 1e-8,
                decoupled: false,
            })),
            WalkerRule::Muon => None,
        }
    }
}

/// Where walkers go.
pub struct Terrain<'a> {
    /// The plane.
    pub plane: &'a Plane,
    /// The cost on it.
    pub cost: &'a mut ModelCost,
    /// From the lowest to the highest coordinate of each axis.
    pub sides: &'a [[f64; 2]],
}

impl Terrain<'_> {
    /// A rate that suits a surface with this strongest curvature: plain descent is stable in its
    /// direction, and steps of Adam and Muon are a twelfth of half the plane's larger side.
    ///
    /// # Errors
    /// If the device fails.
    pub fn rate(&mut self, rule: WalkerRule, start: &[f64], curvature: f64) -> Result<f64> {
        let stride = STRIDE
            * self
                .sides
                .iter()
                .map(|s| (s[1] - s[0]) / 2.0)
                .fold(0.0, f64::max);
        Ok(match rule {
            WalkerRule::Sgd | WalkerRule::Momentum => 1.0 / curvature,
            WalkerRule::Adam => stride,
            WalkerRule::Muon => {
                let (_, step) = self.muon(start, PROBE, 0)?;
                let length = step.iter().fold(0.0, |a, b| libm::hypot(a, *b));
                PROBE * stride / length.max(f64::MIN_POSITIVE)
            }
        })
    }

    /// The cost at a point, and its derivatives by the coordinates.
    ///
    /// # Errors
    /// If the device fails.
    pub fn slope(&mut self, at: &[f64]) -> Result<(f64, Vec<f64>)> {
        let (cost, gradient) = self.cost.gradient(&self.plane.weights(at))?;
        Ok((cost, self.plane.slope(&gradient)))
    }

    /// The cost at a point, and the part of Muon's step that lies in the plane.
    fn muon(&mut self, at: &[f64], rate: f64, step: u64) -> Result<(f64, Vec<f64>)> {
        let before = self.plane.weights(at);
        let (cost, mut after) = self.cost.update(&before, rate, step)?;
        after.iter_mut().zip(&before).for_each(|(w, b)| *w -= b);
        Ok((cost, self.plane.along(&after)))
    }

    /// Walks `steps` steps from a point. The walk ends early where the cost isn't finite or the
    /// walker is lost. `None` if it was stopped.
    ///
    /// # Errors
    /// If the device fails.
    pub fn walk(
        &mut self,
        rule: WalkerRule,
        start: &[f64],
        rate: f64,
        steps: u64,
        stopped: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Walker>> {
        let by = rule.rule();
        let states = by.iter().flat_map(|by| by.states([1, start.len()]));
        let mut states: Vec<Vec<f64>> = states.map(|len| vec![0.0; len]).collect();
        let mut walker = Walker {
            optimizer: rule.name().to_owned(),
            rate,
            ..Walker::default()
        };
        let mut at = start.to_vec();
        for step in 0..=steps {
            if stopped() {
                return Ok(None);
            }
            let before = at.clone();
            let last = step == steps;
            let cost = match &by {
                _ if last => self.cost.at(&self.plane.weights(&at))?,
                Some(by) => {
                    let (cost, slope) = self.slope(&at)?;
                    let setting = Setting {
                        rate,
                        scale: 1.0,
                        decay: 0.0,
                        updates: step + 1,
                        precision: Precision::F32,
                    };
                    by.update_f64(
                        &setting,
                        UpdateF64 {
                            shape: [1, start.len()],
                            w: &mut at,
                            g: &slope,
                            states: &mut states,
                        },
                    );
                    cost
                }
                None => {
                    let (cost, by) = self.muon(&at, rate, step)?;
                    at.iter_mut().zip(by).for_each(|(at, by)| *at += by);
                    cost
                }
            };
            if !cost.is_finite() {
                break;
            }
            walker.x.push(before[0]);
            walker.y.push(before.get(1).copied().unwrap_or(0.0));
            walker.cost.push(cost);
            let lost = |(at, [low, high]): (&f64, &[f64; 2])| {
                let away = (at - f64::midpoint(*low, *high)).abs();
                away.is_nan() || away > (LOST + 0.5) * (high - low)
            };
            if at.iter().zip(self.sides).any(lost) {
                break;
            }
        }
        Ok(Some(walker))
    }
}
