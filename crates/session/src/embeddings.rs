//! Which tokens does a model hold to be alike? Their embeddings on a map, and the nearest ones.

use crate::error::Result;
use crate::inspect::token_text;
use crate::session::Session;
use engine::{Field, HostMut};
use run::Embeddings;
use text::Tokenizer;

/// The nearest tokens that are named.
const NEAREST: usize = 5;
/// Maximum steps of the power iteration, and the change at which it ends.
const STEPS: usize = 300;
const SETTLED: f64 = 1e-10;

impl Session<'_> {
    /// The embeddings of `shown` tokens on their first two principal components, with their nearest
    /// among `others`.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn embeddings(
        &self,
        tokenizer: &Tokenizer,
        shown: &[u32],
        others: &[u32],
    ) -> Result<Embeddings> {
        let width = self.plans.model.width;
        let mut table = vec![0.0f32; self.plans.vocabulary * width];
        let name = "embed_tokens.weight";
        self.device
            .read_variable(name, Field::Weight, HostMut::Real(&mut table))?;
        let vector = |token: u32| &table[token as usize * width..][..width];
        let vectors: Vec<&[f32]> = shown.iter().map(|&token| vector(token)).collect();
        let ([x, y], share) = principal(&vectors);
        let text = |token: u32| token_text(tokenizer, token);
        let near = |&token: &u32| {
            let nearest = nearest(vector(token), others, token, &vector);
            let named = nearest.into_iter().map(|(token, cosine)| {
                let rounded = (cosine * 1e3).round() / 1e3;
                (text(token), rounded as f32)
            });
            named.collect()
        };
        Ok(Embeddings {
            tokens: shown.iter().map(|&token| text(token)).collect(),
            x,
            y,
            share,
            near: shown.iter().map(near).collect(),
        })
    }
}

/// The tokens among `others`, but for `own`, with the largest cosine to a vector; and the cosines.
fn nearest<'a>(
    to: &[f32],
    others: &[u32],
    own: u32,
    vector: &dyn Fn(u32) -> &'a [f32],
) -> Vec<(u32, f64)> {
    let length = |v: &[f32]| dot(v, v).sqrt();
    let long = length(to);
    let mut all: Vec<(u32, f64)> = (others.iter())
        .filter(|&&other| other != own)
        .map(|&other| {
            let v = vector(other);
            (other, dot(to, v) / (long * length(v)))
        })
        .filter(|(_, cosine)| cosine.is_finite())
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(NEAREST);
    all
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
    products.sum()
}

/// Coordinates of vectors on their first two principal components, scaled so that the largest
/// distance from the mean is 1; and the share of the variance that both hold. Found as the first
/// eigenvectors of the centered Gram matrix, by power iteration.
fn principal(vectors: &[&[f32]]) -> ([Vec<f32>; 2], Option<f32>) {
    let n = vectors.len();
    let mut gram: Vec<Vec<f64>> = (vectors.iter())
        .map(|a| vectors.iter().map(|b| dot(a, b)).collect())
        .collect();
    let means: Vec<f64> = gram
        .iter()
        .map(|row| row.iter().sum::<f64>() / n as f64)
        .collect();
    let mean = means.iter().sum::<f64>() / n as f64;
    for (row, own) in gram.iter_mut().zip(&means) {
        for (value, other) in row.iter_mut().zip(&means) {
            *value += mean - own - other;
        }
    }
    let variance: f64 = (0..n).map(|i| gram[i][i]).sum();
    let (first, most) = eigenvector(&gram, None);
    let (second, next) = eigenvector(&gram, Some(&first));
    let at = |i: usize| (first[i] * most.sqrt(), second[i] * next.sqrt());
    let far = (0..n).map(|i| at(i).0.hypot(at(i).1)).fold(0.0, f64::max);
    let scaled = |x: f64| {
        if far > 0.0 {
            ((x / far * 1e3).round() / 1e3) as f32
        } else {
            0.0
        }
    };
    let share = (variance > 0.0).then(|| ((most + next) / variance) as f32);
    let x = (0..n).map(|i| scaled(at(i).0)).collect();
    let y = (0..n).map(|i| scaled(at(i).1)).collect();
    ([x, y], share.filter(|share| share.is_finite()))
}

/// The eigenvector of a positive semidefinite matrix with the largest eigenvalue, and that value,
/// among vectors orthogonal to `apart`.
fn eigenvector(matrix: &[Vec<f64>], apart: Option<&[f64]>) -> (Vec<f64>, f64) {
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let settle = |mut v: Vec<f64>| -> (Vec<f64>, f64) {
        if let Some(apart) = apart {
            let along = inner(&v, apart);
            v.iter_mut().zip(apart).for_each(|(v, a)| *v -= along * a);
        }
        let length = inner(&v, &v).sqrt();
        if length > 0.0 {
            v.iter_mut().for_each(|v| *v /= length);
        }
        (v, length)
    };
    // Any start that isn't orthogonal to the answer; this one has no pattern.
    let start = (1..=matrix.len()).map(|i| (i as f64 * 0.618_033_988_75).fract() - 0.5);
    let (mut v, mut value) = settle(start.collect());
    for _ in 0..STEPS {
        let (next, length) = settle(matrix.iter().map(|row| inner(row, &v)).collect());
        let moved = 1.0 - inner(&next, &v);
        (v, value) = (next, length);
        if moved < SETTLED {
            break;
        }
    }
    (v, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_shows_the_plane_in_which_vectors_differ_most() {
        // Around a mean: 3 along one direction, 2 along another, 1 along a third.
        let (a, b, c) = (
            [0.6, 0.8, 0.0, 0.0],
            [-0.8, 0.6, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
        );
        let around = |direction: [f32; 4], far: f32| {
            [far, -far].map(|far| direction.map(|x| 5.0 + far * x).to_vec())
        };
        let all = [around(a, 3.0), around(b, 2.0), around(c, 1.0)].concat();
        let all: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
        let ([x, y], share) = principal(&all);
        // 9 + 4 of 9 + 4 + 1.
        assert!((share.unwrap() - 13.0 / 14.0).abs() < 1e-6, "{share:?}");
        let expected = [1.0, 1.0, 2.0 / 3.0, 2.0 / 3.0, 0.0, 0.0];
        for (i, expected) in expected.into_iter().enumerate() {
            assert!((x[i].hypot(y[i]) - expected).abs() < 2e-3, "{x:?} {y:?}");
        }
        // The two axes are those of a and b, and opposite vectors are on opposite sides.
        assert!(y[0].abs() < 2e-3 && x[2].abs() < 2e-3, "{x:?} {y:?}");
        assert!((x[0] + x[1]).abs() < 2e-3 && (y[2] + y[3]).abs() < 2e-3);
        // Vectors without any difference are one point.
        let ([x, _], share) = principal(&[&[1.0, 2.0], &[1.0, 2.0]]);
        assert_eq!((x, share), (vec![0.0, 0.0], None));
    }

    #[test]
    fn the_nearest_are_those_with_the_largest_cosine() {
        let table: [&[f32]; 5] = [
            &[1.0, 0.0],
            &[9.0, 1.0],
            &[0.0, 1.0],
            &[-1.0, 0.0],
            &[0.0, 0.0],
        ];
        let vector = |token: u32| table[token as usize];
        let near = nearest(table[0], &[0, 1, 2, 3, 4], 0, &vector);
        let tokens: Vec<u32> = near.iter().map(|n| n.0).collect();
        // A vector of zeros has no direction.
        assert_eq!(tokens, [1, 2, 3]);
        assert!((near[0].1 - 9.0 / 82f64.sqrt()).abs() < 1e-12 && near[2].1 == -1.0);
    }
}
