//! The plane, or line, on which the cost is looked at: an origin and one or two directions in the
//! space of all weights.

use super::error::{Error, Result};
use engine::{RandomPurpose, Stream, Variable};

/// A second direction that holds less than this share of the first one's motion is rounding.
const LEAST: f64 = 1e-9;
/// Rounds of Jacobi's method; about ten suffice for any size.
const SWEEPS: usize = 60;

/// An origin and directions. A point (x, y) is the weights origin + x·axis₁ + y·axis₂.
pub struct Plane {
    /// The weights at (0, 0).
    pub origin: Vec<f32>,
    /// One direction, or two.
    pub axes: Vec<Vec<f32>>,
    /// For principal components: which share of the checkpoints' squared distances from the last
    /// one lies in the plane.
    pub share: Option<f64>,
}

impl Plane {
    /// The principal components of a path's points, relative to its last one, which becomes the
    /// origin: Li et al., "Visualizing the loss landscape of neural nets", 2018, section 7. Axes
    /// have length 1, so coordinates are distances between weights; the path begins at x, y ≥ 0.
    ///
    /// The components of K points in a space of many more dimensions follow from the K × K matrix
    /// of their scalar products: its eigenvectors are the shares of the points in each component.
    ///
    /// # Errors
    /// If the points lie on one line.
    pub fn principal(points: &[Vec<f32>]) -> Result<Plane> {
        let (origin, points) = points.split_last().ok_or(Error::OneLine)?;
        let count = points.len();
        let mut products = vec![0.0; count * count];
        for i in 0..count {
            for j in 0..=i {
                let both = points[i].iter().zip(&points[j]).zip(origin);
                let each = both.map(|((a, b), o)| f64::from(a - o) * f64::from(b - o));
                let product = each.sum();
                products[i * count + j] = product;
                products[j * count + i] = product;
            }
        }
        let all = eigen(products, count);
        let total: f64 = all.iter().map(|(value, _)| value.max(0.0)).sum();
        let [(most, first), (second, other), ..] = &all[..] else {
            return Err(Error::OneLine);
        };
        if *second <= LEAST * most {
            return Err(Error::OneLine);
        }
        let axes = [(most, first), (second, other)].map(|(value, shares)| {
            let mut axis = vec![0.0f64; origin.len()];
            for (point, share) in points.iter().zip(shares) {
                let by = share / value.sqrt();
                let each = axis.iter_mut().zip(point).zip(origin);
                each.for_each(|((a, w), o)| *a += by * f64::from(w - o));
            }
            // The first point has this share times √value along the axis.
            let sign = match shares[0] < 0.0 {
                true => -1.0,
                false => 1.0,
            };
            axis.iter().map(|a| (sign * a) as f32).collect()
        });
        Ok(Plane {
            origin: origin.clone(),
            axes: axes.into(),
            share: Some((most + second) / total),
        })
    }

    /// Two random directions whose rows are as long as those of the weights at the origin, so that
    /// a distance of 1 means the same in each row; vectors (norms, biases) don't move. Li et al.,
    /// section 4, with rows in place of filters.
    pub fn random(origin: Vec<f32>, variables: &[Variable], seed: u64) -> Plane {
        let axis = |axis: u64| {
            let mut stream = Stream::new(seed, RandomPurpose::Check, axis);
            let (mut all, mut rest) = (Vec::with_capacity(origin.len()), &origin[..]);
            for v in variables {
                let (own, others) = rest.split_at(v.len());
                rest = others;
                if v.shape.len() < 2 {
                    all.resize(all.len() + own.len(), 0.0);
                    continue;
                }
                for row in own.chunks(v.matrix()[1]) {
                    let drawn: Vec<f32> = row.iter().map(|_| stream.normal() as f32).collect();
                    let by = (dot(row, row) / dot(&drawn, &drawn).max(f64::MIN_POSITIVE)).sqrt();
                    all.extend(drawn.iter().map(|d| (by * f64::from(*d)) as f32));
                }
            }
            all
        };
        Plane {
            axes: vec![axis(0), axis(1)],
            origin,
            share: None,
        }
    }

    /// The line from these weights, x = 0, to others, x = 1.
    pub fn line(from: Vec<f32>, to: &[f32]) -> Plane {
        let axis = to.iter().zip(&from).map(|(to, from)| to - from).collect();
        Plane {
            axes: vec![axis],
            origin: from,
            share: None,
        }
    }

    /// The weights at a point.
    pub fn weights(&self, at: &[f64]) -> Vec<f32> {
        match (&self.axes[..], at) {
            ([a, b], &[x, y]) => {
                let each = self.origin.iter().zip(a).zip(b);
                let each =
                    each.map(|((o, a), b)| f64::from(*o) + x * f64::from(*a) + y * f64::from(*b));
                each.map(|w| w as f32).collect()
            }
            ([a], &[x]) => {
                let each = self.origin.iter().zip(a);
                each.map(|(o, a)| (f64::from(*o) + x * f64::from(*a)) as f32)
                    .collect()
            }
            _ => self.origin.clone(),
        }
    }

    /// The point nearest to these weights.
    pub fn nearest(&self, weights: &[f32]) -> Vec<f64> {
        let away = weights.iter().zip(&self.origin);
        self.along(&away.map(|(w, o)| w - o).collect::<Vec<f32>>())
    }

    /// The step in the plane that is nearest to a step of the weights: the least squares answer.
    pub fn along(&self, step: &[f32]) -> Vec<f64> {
        let slope = self.slope(step);
        match &self.axes[..] {
            [a, b] => {
                let (aa, ab, bb) = (dot(a, a), dot(a, b), dot(b, b));
                let by = (aa * bb - ab * ab).max(f64::MIN_POSITIVE);
                let (x, y) = (slope[0], slope[1]);
                vec![(bb * x - ab * y) / by, (aa * y - ab * x) / by]
            }
            all => {
                let lengths = all.iter().map(|a| dot(a, a).max(f64::MIN_POSITIVE));
                slope.iter().zip(lengths).map(|(x, l)| x / l).collect()
            }
        }
    }

    /// The derivatives of the cost by x and y, from its gradient by all weights: by the chain rule,
    /// the scalar product with each axis.
    pub fn slope(&self, gradient: &[f32]) -> Vec<f64> {
        self.axes.iter().map(|axis| dot(axis, gradient)).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let each = a.iter().zip(b);
    each.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Eigenvalues of a symmetric matrix, the largest first, each with its eigenvector of length 1.
/// Cyclic Jacobi rotations: Golub and Van Loan, "Matrix computations", 4th ed., section 8.5.
fn eigen(mut a: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                let (ap, aq) = (a[p * n + p], a[q * n + q]);
                if off * off <= f64::EPSILON * f64::EPSILON * (ap * aq).abs() {
                    continue;
                }
                turned = true;
                // The tangent of the smaller of the two angles that make a[p, q] zero.
                let half = (aq - ap) / (2.0 * off);
                let tangent = half.signum() / (half.abs() + libm::hypot(half, 1.0));
                let cosine = 1.0 / libm::hypot(tangent, 1.0);
                let sine = tangent * cosine;
                let turn = |m: &mut [f64], i: usize, j: usize| {
                    let (x, y) = (m[i], m[j]);
                    (m[i], m[j]) = (cosine * x - sine * y, sine * x + cosine * y);
                };
                (0..n).for_each(|k| turn(&mut a, k * n + p, k * n + q));
                (0..n).for_each(|k| turn(&mut a, p * n + k, q * n + k));
                (0..n).for_each(|k| turn(&mut v, k * n + p, k * n + q));
            }
        }
        if !turned {
            break;
        }
    }
    let column = |i: usize| (0..n).map(|k| v[k * n + i]).collect();
    let mut all: Vec<(f64, Vec<f64>)> = (0..n).map(|i| (a[i * n + i], column(i))).collect();
    all.sort_by(|x, y| y.0.total_cmp(&x.0));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_components_hold_the_plane_of_a_path() {
        let mut random = Stream::new(7, RandomPurpose::Check, 0);
        let mut vector = || {
            (0..500)
                .map(|_| random.normal() as f32)
                .collect::<Vec<f32>>()
        };
        let (middle, a, b) = (vector(), vector(), vector());
        let mut path = |noise: f32| -> Vec<Vec<f32>> {
            let point = |i: usize| {
                let (x, y) = ((11 - i) as f32, (i as f32 / 2.0).sin());
                let off = vector();
                let each = (0..500).map(|k| middle[k] + x * a[k] + y * b[k] + noise * off[k]);
                each.collect()
            };
            (0..12).map(point).collect()
        };
        let points = path(0.0);
        let plane = Plane::principal(&points).unwrap();
        assert!((plane.share.unwrap() - 1.0).abs() < 1e-9);
        let [first, second] = &plane.axes[..] else {
            panic!("two axes")
        };
        for (one, other, product) in [
            (first, first, 1.0),
            (second, second, 1.0),
            (first, second, 0.0),
        ] {
            assert!((dot(one, other) - product).abs() < 1e-6);
        }
        // Every point is where it is said to be.
        for (i, point) in points.iter().enumerate() {
            let at = plane.nearest(point);
            let there = plane.weights(&at);
            let away: Vec<f32> = there.iter().zip(point).map(|(t, p)| t - p).collect();
            assert!(dot(&away, &away) < 1e-6, "point {i}");
            assert!(i > 0 || (at[0] > 0.0 && at[1] >= -1e-6), "{at:?}");
        }
        assert_eq!(plane.nearest(&points[11]), [0.0, 0.0]);
        // The share is of squared distances, measured directly.
        let points = path(2.0);
        let plane = Plane::principal(&points).unwrap();
        let (mut held, mut all) = (0.0, 0.0);
        for point in &points {
            let away: Vec<f32> = point
                .iter()
                .zip(&plane.origin)
                .map(|(p, o)| p - o)
                .collect();
            let at = plane.nearest(point);
            held += at[0] * at[0] + at[1] * at[1];
            all += dot(&away, &away);
        }
        assert!((plane.share.unwrap() - held / all).abs() < 1e-6);
        assert!((0.5..0.99).contains(&plane.share.unwrap()));

        let line = |at: f32| a.iter().map(|a| at * a).collect::<Vec<f32>>();
        let straight = Plane::principal(&[3.0, 2.0, 1.0, 0.0].map(line));
        assert!(matches!(straight, Err(Error::OneLine)));
    }

    #[test]
    fn random_directions_are_as_long_as_the_weights_row_by_row() {
        let shapes = [&[4, 30][..], &[30], &[2, 30]];
        let variable = |shape: &&[usize]| Variable::parameter("w", shape, engine::Init::Zeros);
        let variables: Vec<Variable> = shapes.iter().map(variable).collect();
        let mut random = Stream::new(3, RandomPurpose::Check, 9);
        let origin: Vec<f32> = (0..210)
            .map(|i| (1 + i / 30) as f32 * random.normal() as f32)
            .collect();
        let plane = Plane::random(origin.clone(), &variables, 1);
        for axis in &plane.axes {
            for (row, (own, by)) in origin.chunks(30).zip(axis.chunks(30)).enumerate() {
                let expected = if row == 4 { 0.0 } else { dot(own, own) };
                assert!(
                    (dot(by, by) - expected).abs() < 1e-3 * dot(own, own),
                    "row {row}"
                );
            }
        }
        // The nearest point of a point of the plane is itself, though the axes are not orthogonal.
        let at = plane.nearest(&plane.weights(&[0.3, -0.7]));
        assert!(
            (at[0] - 0.3).abs() < 1e-5 && (at[1] + 0.7).abs() < 1e-5,
            "{at:?}"
        );
    }
}
