//! Standardizes each column to mean 0 and standard deviation 1, so that one learning rate suits all
//! of them, and converts back to the data's own units.

use super::error::{Error, Result};
use super::line::Line;
use super::points::Points;
use serde::{Deserialize, Serialize};

/// Mean and standard deviation of a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (population: the divisor is the number of rows).
    pub deviation: f64,
}

/// Points in standard units.
pub struct Standardized {
    /// Features, row after row [rows, columns].
    pub x: Vec<f64>,
    /// Targets [rows].
    pub y: Vec<f64>,
    /// The scale of each feature.
    pub features: Vec<Scale>,
    /// The scale of the target.
    pub target: Scale,
}

impl Standardized {
    /// Standardizes points in place.
    ///
    /// # Errors
    /// If a column has the same value in every row, or its numbers are too large.
    pub fn new(points: &mut Points) -> Result<Standardized> {
        let (mut x, mut y) = (std::mem::take(&mut points.x), std::mem::take(&mut points.y));
        let columns = &points.source.columns;
        let scaled = |column: &String, scale: Option<Scale>, advice| match scale {
            Some(scale) if scale.deviation.is_finite() && scale.mean.is_finite() => Ok(scale),
            Some(_) => Err(Error::TooLarge {
                path: points.path(),
                column: column.clone(),
            }),
            None => Err(Error::Constant {
                path: points.path(),
                column: column.clone(),
                advice,
            }),
        };
        let found = standardize(&mut x, columns.len());
        let mut features = Vec::new();
        for (column, scale) in columns.iter().zip(found) {
            features.push(scaled(column, scale, "leave it out")?);
        }
        let target = standardize(&mut y, 1).into_iter().next().flatten();
        let advice = "there is nothing to predict";
        let target = scaled(&points.source.target, target, advice)?;
        Ok(Standardized {
            x,
            y,
            features,
            target,
        })
    }

    /// Converts weights and intercept from standard units to the data's own.
    pub fn own_units(&self, line: &Line) -> Line {
        let own = |(w, s): (&f64, &Scale)| w * (self.target.deviation / s.deviation);
        let weights: Vec<f64> = line.weights.iter().zip(&self.features).map(own).collect();
        let terms = weights.iter().zip(&self.features);
        let shift: f64 = terms.map(|(w, s)| w * s.mean).sum();
        Line {
            intercept: self.target.mean + self.target.deviation * line.intercept - shift,
            weights,
        }
    }
}

/// Standardizes each column of a matrix with `width` columns; returns none for a constant column.
///
/// Means take two passes, the second over the residuals of the first (the corrected two-pass
/// algorithm: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983).
/// Deviations are divided by the largest one first, so that no square overflows or underflows.
fn standardize(numbers: &mut [f64], width: usize) -> Vec<Option<Scale>> {
    let rows = (numbers.len() / width.max(1)) as f64;
    let over = |numbers: &[f64], add: &dyn Fn(f64, f64, usize) -> f64| {
        let mut total = vec![0.0f64; width];
        for row in numbers.chunks_exact(width) {
            for (column, (total, x)) in total.iter_mut().zip(row).enumerate() {
                *total = add(*total, *x, column);
            }
        }
        total
    };
    let mean = |numbers: &[f64]| -> Vec<f64> {
        let sums = over(numbers, &|sum, x, _| sum + x);
        sums.iter().map(|sum| sum / rows).collect()
    };
    let first: Vec<f64> = numbers.iter().take(width).copied().collect();
    let differs = over(numbers, &|seen, x, column| match x == first[column] {
        true => seen,
        false => 1.0,
    });
    let about = mean(numbers);
    each(numbers, &about, |x, about| x - about);
    let rest = mean(numbers);
    each(numbers, &rest, |x, rest| x - rest);
    let largest = over(numbers, &|most, x, _| most.max(x.abs()));
    each(numbers, &largest, |x, largest| x / largest);
    let squares = over(numbers, &|sum, x, _| sum + x * x);
    let spread: Vec<f64> = squares.iter().map(|sum| (sum / rows).sqrt()).collect();
    each(numbers, &spread, |x, spread| x / spread);
    let scale = |column: usize| Scale {
        mean: about[column] + rest[column],
        deviation: largest[column] * spread[column],
    };
    (0..width)
        .map(|column| (differs[column] > 0.0).then(|| scale(column)))
        .collect()
}

/// Applies each column's change to its numbers.
fn each(numbers: &mut [f64], columns: &[f64], change: impl Fn(f64, f64) -> f64) {
    for row in numbers.chunks_exact_mut(columns.len()) {
        for (x, column) in row.iter_mut().zip(columns) {
            *x = change(*x, *column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_get_mean_0_and_deviation_1() {
        // 1e9 + {1, 2, 3}, where sums of squares lose precision, and numbers whose squares
        // underflow.
        let mut x = vec![1e9 + 1.0, 1e-200, 1e9 + 2.0, 3e-200, 1e9 + 3.0, 2e-200];
        let scales = standardize(&mut x, 2);
        let (a, b) = (scales[0].unwrap(), scales[1].unwrap());
        let third = (2.0f64 / 3.0).sqrt();
        assert_eq!(a.mean, 1e9 + 2.0);
        assert!((a.deviation - third).abs() < 1e-15);
        assert!((b.mean / 2e-200 - 1.0).abs() < 1e-14);
        assert!((b.deviation / (third * 1e-200) - 1.0).abs() < 1e-14);
        let expected = [-1.0, -1.0, 0.0, 1.0, 1.0, 0.0].map(|x| x / third);
        for (x, e) in x.iter().zip(expected) {
            assert!((x - e).abs() < 1e-14, "{x} is not {e}");
        }
    }

    #[test]
    fn a_column_of_one_value_has_no_scale() {
        let mut x = vec![0.1, 1.0, 0.1, 2.0, 0.1, 4.0];
        let scales = standardize(&mut x, 2);
        assert!(scales[0].is_none() && scales[1].is_some());
    }
}
