//! The smoothed training loss.

use serde::{Deserialize, Serialize};

/// Decay per step: it looks back about 20 steps.
const FORGET: f64 = 0.05;

/// An exponential moving mean with Adam's bias correction (Kingma & Ba 2015).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    /// The mean after `steps` values, whose mean is known: what a resumed run goes on from.
    pub fn after(steps: u64, mean: Option<f64>) -> Smoothed {
        let weight = 1.0 - (1.0 - FORGET).powi(steps.min(10_000) as i32);
        mean.map_or(Smoothed::default(), |mean| Smoothed {
            sum: mean * weight,
            weight,
        })
    }

    /// Adds a value; one that isn't finite changes nothing.
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.sum += FORGET * (value - self.sum);
            self.weight += FORGET * (1.0 - self.weight);
        }
    }

    /// The mean; `None` before the first value.
    pub fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_mean_goes_on_where_it_was() {
        let mut whole = Smoothed::default();
        let losses = [4.0, 3.0, 2.5, 2.0, 1.0];
        losses[..3].iter().for_each(|&loss| whole.add(loss));
        let mut resumed = Smoothed::after(3, whole.value());
        for loss in &losses[3..] {
            whole.add(*loss);
            resumed.add(*loss);
        }
        let (a, b) = (whole.value().unwrap(), resumed.value().unwrap());
        assert!((a - b).abs() < 1e-12, "{a} {b}");
        assert_eq!(Smoothed::after(0, None).value(), None);
    }
}
