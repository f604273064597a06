//! Muon and NorMuon: a step whose directions are all equally long.
//!
//! M ← μM + (1 − μ)G;  U = (1 − μ)G + μM;  X = U / (1.01·‖U‖), then five times
//! A = X·Xᵀ, X ← a·X + (b·A + c·A²)·X, which brings every singular value of X near 1.
//! W ← W − rate·√max(1, rows / columns)·X. Jordan et al., "Muon: an optimizer for hidden layers in
//! neural networks", 2024; the coefficients a, b, c of each round are those of Amsel et al., "The
//! Polar Express", 2025, algorithm 1.
//!
//! A matrix may be taken in blocks of rows, as of one head, each made orthogonal by itself: that
//! takes far fewer products.
//!
//! NorMuon then divides each row (or column, where the matrix is wider than tall) by the root of a
//! running mean of its square, V ← β₂V + (1 − β₂)·mean(X²), and restores the norm of X. Li et
//! al., "NorMuon: making Muon more efficient and scalable", 2025, algorithm 1.
//!
//! Weight decay is decoupled; a cautious one spares a weight that the step moves away from 0. Chen
//! et al., "Cautious weight decay", 2025.

use crate::cost::Cost;
mod kernel;

use crate::rule::{Rule, Setting, UpdateF64};

/// a, b and c of each round.
const ROUNDS: [[f64; 3]; 5] = [
    [
        8.156_554_524_902_461,
        -22.483_292_925_577_95,
        15.878_769_915_207_462,
    ],
    [
        4.042_929_935_166_739,
        -2.808_917_465_908_714,
        0.500_017_845_105_131_6,
    ],
    [
        3.891_667_802_292_660_7,
        -2.772_484_153_217_685,
        0.506_064_817_850_339_3,
    ],
    [
        3.285_753_657_755_655,
        -2.368_129_493_342_537_6,
        0.464_490_242_330_031_06,
    ],
    [
        2.346_541_325_859_637_7,
        -1.709_782_838_268_708_1,
        0.423_235_511_693_053_23,
    ],
];

/// How much larger than U the number is that U is divided by, so that no singular value exceeds 1.
const ROOM: f64 = 1.01;

/// Keeps a division by the norm of a gradient finite, and by a mean square.
const EPSILON: (f64, f64) = (1e-12, 1e-10);

/// Muon; with a second moment, NorMuon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Muon {
    /// μ: the share of the velocity that stays.
    pub momentum: f64,
    /// β₂ of NorMuon; none for Muon.
    pub second: Option<f64>,
    /// Rows that are made orthogonal together; all of a matrix where they don't divide its rows.
    pub block: usize,
    /// Whether decay spares weights that the step moves away from 0.
    pub cautious: bool,
}

/// A matrix in blocks.
#[derive(Clone, Copy)]
struct Blocks {
    rows: usize,
    columns: usize,
    /// Rows of a block.
    height: usize,
    /// The shorter side of a block: that of A.
    side: usize,
}

impl Blocks {
    fn count(&self) -> usize {
        self.rows / self.height
    }

    /// Whether A = X·Xᵀ; else Xᵀ·X.
    fn wide(&self) -> bool {
        self.height <= self.columns
    }

    fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Numbers of A of all blocks.
    fn squares(&self) -> usize {
        self.count() * self.side * self.side
    }

    /// Whether NorMuon's statistics are of rows; else of columns.
    fn by_row(&self) -> bool {
        self.rows >= self.columns
    }

    /// Rows, or columns, that have a statistic.
    fn lines(&self) -> usize {
        self.rows.max(self.columns)
    }
}

impl Muon {
    fn blocks(&self, [rows, columns]: [usize; 2]) -> Blocks {
        let whole = self.block == 0 || !rows.is_multiple_of(self.block);
        let height = if whole { rows } else { self.block };
        Blocks {
            rows,
            columns,
            height,
            side: height.min(columns),
        }
    }
}

/// √max(1, rows / columns).
fn stretch([rows, columns]: [usize; 2]) -> f64 {
    (rows as f64 / columns as f64).max(1.0).sqrt()
}

impl Rule for Muon {
    fn name(&self) -> &'static str {
        if self.second.is_some() {
            "normuon"
        } else {
            "muon"
        }
    }

    fn flat(&self) -> bool {
        false
    }

    fn states(&self, shape: [usize; 2]) -> Vec<usize> {
        let b = self.blocks(shape);
        let second = self.second.map(|_| b.lines());
        [Some(b.len()), second].into_iter().flatten().collect()
    }

    fn is_square(&self, state: usize) -> bool {
        state == 1
    }

    fn scratch(&self, shape: [usize; 2]) -> usize {
        let b = self.blocks(shape);
        2 * b.len() + 2 * b.squares() + 2 * b.lines()
    }

    fn cost(&self, shape: [usize; 2]) -> Cost {
        let b = self.blocks(shape);
        let round = 2 * (2 * b.len() * b.side + b.squares() * b.side);
        Cost {
            flops: (ROUNDS.len() * round + 20 * b.len()) as u64,
            bytes: 4 * (ROUNDS.len() * (4 * b.len() + 4 * b.squares()) + 12 * b.len()) as u64,
        }
    }

    fn update_f64(&self, s: &Setting, a: UpdateF64) {
        let b = self.blocks(a.shape);
        let Some((m, rest)) = a.states.split_first_mut() else {
            return;
        };
        let mut x = vec![0.0; b.len()];
        for ((m, g), x) in m.iter_mut().zip(a.g).zip(&mut x) {
            let g = (1.0 - self.momentum) * s.scale * g;
            *m = self.momentum * *m + g;
            *x = self.momentum * *m + g;
        }
        let block = b.height * b.columns;
        x.chunks_mut(block).for_each(|x| orthogonalize(x, b));
        if let (Some(beta), Some(v)) = (self.second, rest.first_mut()) {
            normalize(&mut x, v, beta, b);
        }
        let rate = s.rate * stretch(a.shape);
        let decay = s.rate * s.decay;
        for (w, x) in a.w.iter_mut().zip(&x) {
            let spared = self.cautious && x * *w < 0.0;
            let decay = if spared { 0.0 } else { decay };
            *w -= decay * *w + rate * x;
        }
    }
}

/// A block, its singular values brought near 1.
fn orthogonalize(x: &mut [f64], b: Blocks) {
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.iter_mut().for_each(|x| *x /= ROOM * norm + EPSILON.0);
    let (side, columns) = (b.side, b.columns);
    // Number `k` of line `i`, lines being along the shorter side.
    let long = x.len() / side;
    let at = |i: usize, k: usize| match b.wide() {
        true => i * columns + k,
        false => k * columns + i,
    };
    for [first, second, third] in ROUNDS {
        let mut square = vec![0.0; side * side];
        for i in 0..side {
            for j in 0..side {
                square[i * side + j] = (0..long).map(|k| x[at(i, k)] * x[at(j, k)]).sum();
            }
        }
        let mut by = vec![0.0; side * side];
        for i in 0..side {
            for j in 0..side {
                let each = (0..side).map(|k| square[i * side + k] * square[k * side + j]);
                by[i * side + j] = second * square[i * side + j] + third * each.sum::<f64>();
            }
        }
        let old = x.to_vec();
        for i in 0..side {
            for k in 0..long {
                let each = (0..side).map(|j| by[i * side + j] * old[at(j, k)]);
                x[at(i, k)] = first * old[at(i, k)] + each.sum::<f64>();
            }
        }
    }
}

/// NorMuon's second moment.
fn normalize(x: &mut [f64], v: &mut [f64], beta: f64, b: Blocks) {
    let line = |i: usize| {
        if b.by_row() {
            i / b.columns
        } else {
            i % b.columns
        }
    };
    let mut squares = vec![0.0; b.lines()];
    for (i, x) in x.iter().enumerate() {
        squares[line(i)] += x * x;
    }
    let each = (b.len() / b.lines()) as f64;
    let (mut before, mut after) = (0.0, 0.0);
    for (v, square) in v.iter_mut().zip(&squares) {
        *v = beta * *v + (1.0 - beta) * square / each;
        before += square;
        after += square / (*v + EPSILON.1);
    }
    let factor = (before / (after + EPSILON.1)).sqrt();
    for (i, x) in x.iter_mut().enumerate() {
        *x *= factor / (v[line(i)] + EPSILON.1).sqrt();
    }
}
