//! Least squares in closed form, and the curvature of the error at the optimum, which limits how
//! fast gradient descent can go. Everything is in standard units.

use super::line::Line;
use super::standard::Standardized;

/// Curvature below this share of the largest (times the number of columns) is treated as rounding
/// error: the columns are linearly dependent.
const NOTHING: f64 = 1e-14;
/// Maximum sweeps of Jacobi's method; it needs about ten.
const SWEEPS: usize = 60;

/// The least-squares answer in standard units.
pub struct LeastSquares {
    /// Weights; the intercept is 0, since all means are. If columns are linearly dependent, this is
    /// the minimum-norm solution, which gradient descent from 0 finds.
    pub line: Line,
    /// Largest eigenvalue of the correlation matrix.
    pub largest: f64,
    /// Smallest eigenvalue above rounding error.
    pub smallest: f64,
    /// Whether the columns are linearly dependent.
    pub singular: bool,
    /// Gradient norm at zero weights.
    pub first_gradient: f64,
}

impl LeastSquares {
    /// Solves the normal equations C·w = c, C = XᵀX/rows, c = Xᵀy/rows, with the eigenvectors of C.
    pub fn new(points: &Standardized) -> LeastSquares {
        let width = points.features.len();
        let (matrix, right) = normal_equations(&points.x, &points.y, width);
        let (values, vectors) = eigen(matrix, width);
        let largest = values.iter().copied().fold(0.0, f64::max);
        let least = NOTHING * width as f64 * largest;
        let mut weights = vec![0.0; width];
        for (k, value) in values.iter().enumerate().filter(|(_, v)| **v > least) {
            let along = |row: usize| vectors[row * width + k];
            let share: f64 = right.iter().enumerate().map(|(i, r)| along(i) * r).sum();
            let weights = weights.iter_mut().enumerate();
            weights.for_each(|(i, w)| *w += along(i) * share / value);
        }
        let kept = values.iter().copied().filter(|v| *v > least);
        LeastSquares {
            line: Line {
                weights,
                intercept: 0.0,
            },
            largest,
            smallest: kept.fold(largest, f64::min),
            singular: values.iter().any(|v| *v <= least),
            first_gradient: 2.0 * right.iter().map(|r| r * r).sum::<f64>().sqrt(),
        }
    }

    /// Condition number of the standardized features: largest over smallest singular value.
    pub fn condition(&self) -> f64 {
        if self.singular {
            return f64::INFINITY;
        }
        (self.largest / self.smallest).sqrt()
    }
}

/// XᵀX/rows [width, width] and Xᵀy/rows [width].
fn normal_equations(x: &[f64], y: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut matrix, mut right) = (vec![0.0f64; width * width], vec![0.0f64; width]);
    for (row, y) in x.chunks_exact(width).zip(y) {
        for (i, a) in row.iter().enumerate() {
            let line = matrix[i * width..][..=i].iter_mut();
            line.zip(row).for_each(|(sum, b)| *sum += a * b);
            right[i] += a * y;
        }
    }
    let rows = y.len() as f64;
    for i in 0..width {
        right[i] /= rows;
        for j in 0..=i {
            matrix[i * width + j] /= rows;
            matrix[j * width + i] = matrix[i * width + j];
        }
    }
    (matrix, right)
}

/// Eigenvalues of a symmetric matrix, and its eigenvectors as columns.
///
/// Jacobi's cyclic method (1846), in the form of Golub and Van Loan, "Matrix Computations", 4th
/// edition, algorithms 8.5.1 and 8.5.3.
fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let norm: f64 = a.iter().map(|x| x * x).sum::<f64>().sqrt();
    for _ in 0..SWEEPS {
        let mut largest = 0.0f64;
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                largest = largest.max(off.abs());
                if off.abs() <= f64::EPSILON * f64::EPSILON * norm {
                    continue;
                }
                let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
                let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
                let c = 1.0 / (1.0 + t * t).sqrt();
                let s = t * c;
                rotate_columns(&mut a, n, (p, q), (c, s));
                rotate_columns(&mut vectors, n, (p, q), (c, s));
                rotate_rows(&mut a, n, (p, q), (c, s));
            }
        }
        if largest <= f64::EPSILON * f64::EPSILON * norm {
            break;
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

fn rotate_columns(a: &mut [f64], n: usize, (p, q): (usize, usize), (c, s): (f64, f64)) {
    for row in a.chunks_exact_mut(n) {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
}

fn rotate_rows(a: &mut [f64], n: usize, (p, q): (usize, usize), (c, s): (f64, f64)) {
    let (above, below) = a.split_at_mut(q * n);
    for (x, y) in above[p * n..][..n].iter_mut().zip(&mut below[..n]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::points::{Points, Source};

    fn solved(x: &[f64], y: &[f64], columns: &[&str]) -> (LeastSquares, Line) {
        let mut points = Points {
            source: Source {
                file: None,
                target: "y".into(),
                columns: columns.iter().map(|c| c.to_string()).collect(),
                sha256: None,
            },
            name: String::new(),
            x: x.to_vec(),
            y: y.to_vec(),
            known: None,
        };
        let standard = Standardized::new(&mut points).unwrap();
        let solved = LeastSquares::new(&standard);
        let line = standard.own_units(&solved.line);
        (solved, line)
    }

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn the_answer_computed_by_hand() {
        // x = 1 2 3 4, y = 6 5 7 10: slope 7/5 and intercept 7/2.
        let (solved, line) = solved(&[1.0, 2.0, 3.0, 4.0], &[6.0, 5.0, 7.0, 10.0], &["x"]);
        near(line.weights[0], 1.4);
        near(line.intercept, 3.5);
        near(solved.condition(), 1.0);
    }

    #[test]
    fn two_features_and_their_condition_number() {
        // y = 2a - 3b + 1, without noise.
        let x = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 2.0, 2.0, 0.0, 0.0];
        let y: Vec<f64> = x.chunks(2).map(|r| 2.0 * r[0] - 3.0 * r[1] + 1.0).collect();
        let (solved, line) = solved(&x, &y, &["a", "b"]);
        near(line.weights[0], 2.0);
        near(line.weights[1], -3.0);
        near(line.intercept, 1.0);
        // Means 2/3, variances 1 - 4/9, covariance 5/6 - 4/9: correlation 7/10, and so eigenvalues
        // 17/10 and 3/10.
        near(solved.condition(), (17.0f64 / 3.0).sqrt());
    }

    #[test]
    fn a_repeated_column_is_noticed() {
        let x = [1.0, 2.0, 2.0, 4.0, 3.0, 6.0, 5.0, 10.0];
        let (solved, line) = solved(&x, &[1.0, 2.0, 3.0, 5.0], &["a", "twice"]);
        assert!(solved.condition().is_infinite());
        near(line.weights[0] + 2.0 * line.weights[1], 1.0);
    }
}
