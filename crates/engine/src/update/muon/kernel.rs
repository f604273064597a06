//! Muon's fast path: blocks of rows in parallel, or the products of a whole matrix shared.

use super::{Blocks, EPSILON, Muon, ROOM, ROUNDS, stretch};
use crate::cpu::arena::{Out, Patch};
use crate::cpu::gemm::{Arithmetic, ChainStart, View, cut, product};
use crate::cpu::kernel::{RuleKernel, Update};
use crate::cpu::lanes::{LANES, band, lanes, sum_by};
use crate::cpu::team::Team;
use crate::rule::Setting;

/// Columns of a strip of sums over rows.
const STRIP: usize = 4 * LANES;

/// The scratch memory of a matrix.
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

/// Runs all rounds; returns the place of the final X.
fn rounds<'r>(room: &'r Room, b: Blocks, arithmetic: Arithmetic, team: &Team) -> &'r Out {
    match b.count() {
        1 => rounds_of_one(room, b, arithmetic, team),
        _ => rounds_of_each(room, b, arithmetic, team),
    }
}

/// Several blocks: each goes through all rounds in one thread's cache.
fn rounds_of_each<'r>(room: &'r Room, b: Blocks, arithmetic: Arithmetic, team: &Team) -> &'r Out {
    let (side, height, columns) = (b.side, b.height, b.columns);
    let blocks = [&room.x[0], &room.x[1]].map(|x| x.grid(columns, height, columns));
    let squares = [&room.a, &room.b].map(|x| x.grid(side, side, side));
    team.each((blocks, squares), |_, patches, scratch| {
        let ([mut x, mut next], [mut a, mut by]) = patches;
        for [first, second, third] in ROUNDS.map(|round| round.map(|c| c as f32)) {
            let from = View::new(x.slice(), height, columns, columns);
            let wide = if b.wide() { from } else { from.transposed() };
            let zero = ChainStart::Zero;
            product(arithmetic, wide, wide.transposed(), &mut a, zero, scratch);
            let a = View::new(a.slice(), side, side, side);
            fill(team, &mut by, second / third, a, 0);
            product(arithmetic, a, a, &mut by, ChainStart::Held, scratch);
            by.slice().iter_mut().for_each(|x| *x *= third);
            let by = View::new(by.slice(), side, side, side);
            fill(team, &mut next, first, from, 0);
            let (l, r) = if b.wide() { (by, from) } else { (from, by) };
            product(arithmetic, l, r, &mut next, ChainStart::Held, scratch);
            std::mem::swap(&mut x, &mut next);
        }
    });
    // An odd number of rounds.
    &room.x[ROUNDS.len() % 2]
}

/// One block: all threads share each product.
fn rounds_of_one<'r>(room: &'r Room, b: Blocks, arithmetic: Arithmetic, team: &Team) -> &'r Out {
    let (side, height, columns) = (b.side, b.height, b.columns);
    let square = |x| cut(x, side, side, team);
    let (mut from, mut to) = (&room.x[0], &room.x[1]);
    for [first, second, third] in ROUNDS.map(|round| round.map(|c| c as f32)) {
        team.each_from([from], square(&room.a), |_, mut a, [x], scratch| {
            let x = View::new(x, height, columns, columns);
            let x = if b.wide() { x } else { x.transposed() };
            let rows = x.rows(a.first_row, a.rows);
            let columns = x.rows(a.first_column, a.columns).transposed();
            let zero = ChainStart::Zero;
            product(arithmetic, rows, columns, &mut a, zero, scratch);
        });
        team.each_from([&room.a], square(&room.b), |_, mut by, [a], scratch| {
            let a = View::new(a, side, side, side);
            let top = by.first_row;
            fill(team, &mut by, second / third, a, top);
            let (left, right) = (a.rows(top, by.rows), a.columns(by.first_column, by.columns));
            product(arithmetic, left, right, &mut by, ChainStart::Held, scratch);
            for r in 0..by.rows {
                by.row(r).iter_mut().for_each(|x| *x *= third);
            }
        });
        let next = cut(to, height, columns, team);
        team.each_from([from, &room.b], next, |_, mut next, [x, by], scratch| {
            let x = View::new(x, height, columns, columns);
            let by = View::new(by, side, side, side);
            let (top, rows) = (next.first_row, next.rows);
            let (left, columns) = (next.first_column, next.columns);
            fill(team, &mut next, first, x, top);
            let (l, r) = match b.wide() {
                true => (by.rows(top, rows), x.columns(left, columns)),
                false => (x.rows(top, rows), by.columns(left, columns)),
            };
            product(arithmetic, l, r, &mut next, ChainStart::Held, scratch);
        });
        (from, to) = (to, from);
    }
    from
}

/// What a chain starts from: `by` times what lies at the tile's place in `x`, its rows from `top`
/// on.
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
            if let Some(v) = v.get(i * LANES..).filter(|v| !v.is_empty()) {
                x = x * (Lanes::load(v, 1.0) + Lanes::all(EPSILON.1 as f32)).rsqrt();
            }
            let old = Lanes::load(w, 0.0);
            let decay = if cautious { (x * old).below(zero, zero, decay) } else { decay };
            (old - decay * old - by * x).store(w);
        }
    }
}
