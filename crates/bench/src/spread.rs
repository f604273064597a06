//! The median and spread of repeated readings.

use serde::Serialize;

/// A median with its spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The lower quartile.
    pub low: f64,
    /// The upper quartile.
    pub high: f64,
    /// The smallest reading.
    pub least: f64,
    /// The largest reading.
    pub most: f64,
    /// Number of readings.
    pub count: usize,
}

impl Spread {
    /// Of these readings; all 0 if there are none.
    pub fn of(readings: &[f64]) -> Spread {
        let mut sorted = readings.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |share: f64| {
            let place = share * last as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            let value = |i: usize| sorted.get(i).copied().unwrap_or(0.0);
            value(below) + (value(above) - value(below)) * place.fract()
        };
        Spread {
            median: at(0.5),
            low: at(0.25),
            high: at(0.75),
            least: at(0.0),
            most: at(1.0),
            count: sorted.len(),
        }
    }

    /// Half the interquartile range as a share of the median.
    pub fn relative(&self) -> f64 {
        match self.median {
            0.0 => 0.0,
            median => (self.high - self.low) / 2.0 / median,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quarters() {
        let s = Spread::of(&[4.0, 1.0, 2.0, 3.0, 5.0]);
        let found = (s.least, s.low, s.median, s.high, s.most, s.count);
        assert_eq!(found, (1.0, 2.0, 3.0, 4.0, 5.0, 5));
        assert_eq!(Spread::of(&[1.0, 2.0]).median, 1.5);
        assert_eq!((s.relative(), Spread::of(&[]).median), (1.0 / 3.0, 0.0));
    }
}
