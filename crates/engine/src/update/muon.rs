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
//! running mean of its square, V ← β₂V + (1 − β₂)·mean(X²), and gives X its former norm back. Li et
//! al., "NorMuon: making Muon more efficient and scalable", 2025, algorithm 1.
//!
//! Weight decay is decoupled; a cautious one spares a weight that the step moves away from 0. Chen
//! et al., "Cautious weight decay", 2025.

use crate::cost::Cost;
use crate::cpu::arena::{Cut, Out, Patch};
use crate::cpu::gemm::{Arithmetic, ChainStart, View, cut, product};
use crate::cpu::kernel::{RuleKernel, Update};
use crate::cpu::lanes::{LANES, band, lanes, sum_by};
use crate::cpu::team::Team;
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

/// Columns of a strip of sums over rows.
const STRIP: usize = 4 * LANES;

/// Muon, and NorMuon where it has a second moment.
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

/// Where the intermediate results of a matrix lie.
struct Room {
    /// X, and its next form.
    x: [Out; 2],
    /// A and B of every block.
    a: Out,
    b: Out,
    /// Sums of squares, before and after NorMuon's division.
    sums: [Out; 2],
}

impl Room {
    fn new(scratch: &Out, b: Blocks) -> Room {
        let mut end = 0;
        let mut next = |len: usize| {
            end += len;
            scratch.part(end - len, len)
        };
        Room {
            x: [next(b.len()), next(b.len())],
            a: next(b.squares()),
            b: next(b.squares()),
            sums: [next(b.lines()), next(b.lines())],
        }
    }
}

impl RuleKernel for Muon {
    fn update(&self, s: &Setting, a: &Update, team: &Team) {
        let b = self.blocks(a.shape);
        let room = Room::new(&a.scratch, b);
        let Some((m, rest)) = a.states.split_first() else {
            return;
        };
        self.accumulate(s, a, m, &room, b, team);
        let x = rounds(&room, b, team.arithmetic(s.precision), team);
        let second = self.second.zip(rest.first());
        if let Some((beta, v)) = second {
            measure(x, v, beta as f32, &room, b, team);
        }
        self.apply(s, a, (x, second.map(|(_, v)| v)), &room, b, team);
    }
}

impl Muon {
    /// The velocity, and X of length 1.
    fn accumulate(&self, s: &Setting, a: &Update, m: &Out, room: &Room, b: Blocks, team: &Team) {
        let (momentum, rest) = (
            self.momentum as f32,
            ((1.0 - self.momentum) * s.scale) as f32,
        );
        let [first, second] = &room.x;
        let rows = band(b.columns);
        let sums = room.sums[0].part(0, b.rows);
        let cuts = (
            m.bands(b.columns, rows),
            second.bands(b.columns, rows),
            sums.bands(1, rows),
        );
        team.each(cuts, |_, (mut m, mut u, mut sums), _| {
            let g = &a.g.real()[m.first_row * b.columns..];
            let (m, u) = (m.slice(), u.slice());
            velocity(team.isa(), momentum, rest, g, m, u);
            for (sum, u) in sums.slice().iter_mut().zip(u.chunks(b.columns)) {
                *sum = squares(team.isa(), u);
            }
        });
        team.each_from(
            [second, &sums],
            first.bands(b.columns, rows),
            |_, mut x, [u, sums], _| {
                for r in 0..x.rows {
                    let block = (x.first_row + r) / b.height;
                    let sums = &sums[block * b.height..][..b.height];
                    let norm = sums.iter().map(|&s| f64::from(s)).sum::<f64>().sqrt();
                    let by = (1.0 / (ROOM * norm + EPSILON.0)) as f32;
                    let u = &u[(x.first_row + r) * b.columns..][..b.columns];
                    scaled(team.isa(), by, u, x.row(r));
                }
            },
        );
    }

    /// W by X, divided by what NorMuon keeps.
    fn apply(
        &self,
        s: &Setting,
        a: &Update,
        (x, second): (&Out, Option<&Out>),
        room: &Room,
        b: Blocks,
        team: &Team,
    ) {
        let rate = s.rate * stretch(a.shape);
        let cautious = self.cautious;
        let decay = (s.rate * s.decay) as f32;
        let nothing = x.part(0, 0);
        let reads = [x, second.unwrap_or(&nothing), &room.sums[0], &room.sums[1]];
        let w = a.w.bands(b.columns, band(b.columns));
        team.each_from(reads, w, |_, mut w, [x, v, before, after], _| {
            let total = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>();
            let factor = match second {
                Some(_) => rate * (total(before) / (total(after) + EPSILON.1)).sqrt(),
                None => rate,
            };
            for r in 0..w.rows {
                let row = w.first_row + r;
                let x = &x[row * b.columns..][..b.columns];
                let by = match second {
                    Some(_) if b.by_row() => factor / (f64::from(v[row]) + EPSILON.1).sqrt(),
                    _ => factor,
                } as f32;
                let columns = if b.by_row() || second.is_none() {
                    &[][..]
                } else {
                    v
                };
                step(team.isa(), by, decay, cautious, x, columns, w.row(r));
            }
        });
    }
}

/// Tiles of a result whose blocks are `height` rows of `columns` numbers: whole blocks where there
/// are several.
fn tiles<'o>(out: &'o Out, b: Blocks, height: usize, columns: usize, team: &Team) -> Cut<'o> {
    match b.count() {
        1 => cut(out, height, columns, team),
        _ => out.grid(columns, height, columns),
    }
}

/// All rounds; gives where X lies at last.
fn rounds<'r>(room: &'r Room, b: Blocks, arithmetic: Arithmetic, team: &Team) -> &'r Out {
    let (side, columns) = (b.side, b.columns);
    let (mut from, mut to) = (&room.x[0], &room.x[1]);
    for [first, second, third] in ROUNDS.map(|round| round.map(|c| c as f32)) {
        // Block `n` of X.
        let block = b.height * columns;
        let a = tiles(&room.a, b, side, side, team);
        team.each_from([from], a, |_, mut a, [x], scratch| {
            let (n, top) = (a.first_row / side, a.first_row % side);
            let x = View::new(&x[n * block..][..block], b.height, columns, columns);
            let x = if b.wide() { x } else { x.transposed() };
            let (left, right) = (x.rows(top, a.rows), x.rows(a.first_column, a.columns));
            product(
                arithmetic,
                left,
                right.transposed(),
                &mut a,
                ChainStart::Zero,
                scratch,
            );
        });
        let by = tiles(&room.b, b, side, side, team);
        team.each_from([&room.a], by, |_, mut by, [a], scratch| {
            let (n, top) = (by.first_row / side, by.first_row % side);
            let a = View::new(&a[n * side * side..][..side * side], side, side, side);
            fill(team, &mut by, second / third, a, top);
            let (left, right) = (a.rows(top, by.rows), a.columns(by.first_column, by.columns));
            product(arithmetic, left, right, &mut by, ChainStart::Held, scratch);
            for r in 0..by.rows {
                by.row(r).iter_mut().for_each(|x| *x *= third);
            }
        });
        let next = tiles(to, b, b.height, columns, team);
        team.each_from([from, &room.b], next, |_, mut next, [x, by], scratch| {
            let (n, top) = (next.first_row / b.height, next.first_row % b.height);
            let x = View::new(&x[n * block..][..block], b.height, columns, columns);
            let by = View::new(&by[n * side * side..][..side * side], side, side, side);
            fill(team, &mut next, first, x, top);
            let (rows, left) = (next.rows, next.first_column);
            let (l, r) = match b.wide() {
                true => (by.rows(top, rows), x.columns(left, next.columns)),
                false => (x.rows(top, rows), by.columns(left, next.columns)),
            };
            product(arithmetic, l, r, &mut next, ChainStart::Held, scratch);
        });
        (from, to) = (to, from);
    }
    from
}

/// What a chain starts from: `by` times what lies at the tile's place in `x`, its rows from `top` on.
fn fill(team: &Team, to: &mut Patch, by: f32, x: View, top: usize) {
    let (left, columns) = (to.first_column, to.columns);
    for r in 0..to.rows {
        let x = &x.line(top + r)[left..][..columns];
        scaled(team.isa(), by, x, to.row(r));
    }
}

/// NorMuon's second moment, and the sums of squares before and after the division.
fn measure(x: &Out, v: &Out, beta: f32, room: &Room, b: Blocks, team: &Team) {
    let [before, after] = &room.sums;
    let each = (b.len() / b.lines()) as f32;
    let strip = if b.by_row() { band(b.columns) } else { STRIP };
    let cuts = (
        v.bands(1, strip),
        before.bands(1, strip),
        after.bands(1, strip),
    );
    team.each_from([x], cuts, |_, (mut v, mut before, mut after), [x], _| {
        let first = before.first_row;
        let sums = before.slice();
        if b.by_row() {
            for (sum, x) in sums
                .iter_mut()
                .zip(x[first * b.columns..].chunks(b.columns))
            {
                *sum = squares(team.isa(), x);
            }
        } else {
            sums.fill(0.0);
            for x in x.chunks(b.columns) {
                add_squares(team.isa(), &x[first..], sums);
            }
        }
        let lines = sums.iter().zip(v.slice()).zip(after.slice());
        for ((sum, v), after) in lines {
            *v = beta * *v + (1.0 - beta) * (sum / each);
            *after = sum / (*v + EPSILON.1 as f32);
        }
    });
}

lanes! {
    /// Σ x².
    fn squares(x: &[f32]) -> f32 {
        sum_by(x, 0.0, |x: Lanes| x * x)
    }
}

lanes! {
    /// sums + x².
    fn add_squares(x: &[f32], sums: &mut [f32]) {
        for (x, sum) in x.chunks(LANES).zip(sums.chunks_mut(LANES)) {
            let x = Lanes::load(x, 0.0);
            x.mul_add(x, Lanes::load(sum, 0.0)).store(sum);
        }
    }
}

lanes! {
    /// y = by·x.
    fn scaled(by: f32, x: &[f32], y: &mut [f32]) {
        let by = Lanes::all(by);
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            (Lanes::load(x, 0.0) * by).store(y);
        }
    }
}

lanes! {
    /// m ← momentum·m + rest·g; u = momentum·m + rest·g.
    fn velocity(momentum: f32, rest: f32, g: &[f32], m: &mut [f32], u: &mut [f32]) {
        let [momentum, rest] = [momentum, rest].map(Lanes::all);
        let states = m.chunks_mut(LANES).zip(u.chunks_mut(LANES));
        for (g, (m, u)) in g.chunks(LANES).zip(states) {
            let g = Lanes::load(g, 0.0) * rest;
            let next = momentum.mul_add(Lanes::load(m, 0.0), g);
            next.store(m);
            momentum.mul_add(next, g).store(u);
        }
    }
}

lanes! {
    /// w ← w − decay·w − by·x, x divided by the root of each column's `v` where there is one.
    fn step(by: f32, decay: f32, cautious: bool, x: &[f32], v: &[f32], w: &mut [f32]) {
        let [by, decay, zero] = [by, decay, 0.0].map(Lanes::all);
        for (i, (x, w)) in x.chunks(LANES).zip(w.chunks_mut(LANES)).enumerate() {
            let mut x = Lanes::load(x, 0.0);
            if let Some(v) = v.get(i * LANES..) {
                if !v.is_empty() {
                    x = x * (Lanes::load(v, 1.0) + Lanes::all(EPSILON.1 as f32)).rsqrt();
                }
            }
            let old = Lanes::load(w, 0.0);
            let decay = if cautious { (x * old).below(zero, zero, decay) } else { decay };
            (old - decay * old - by * x).store(w);
        }
    }
}
