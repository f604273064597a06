//! How is the result of a product cut into tiles for the team?

use super::{PANELS_ABREAST, ROWS_AT_MOST};
use crate::cpu::arena::{Cut, Out};
use crate::cpu::team::Team;

/// The operand that products computed together share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// A: each product has its own columns.
    Left,
    /// B: each product has its own rows.
    Right,
}

/// Maximum number of products computed together: queries, keys and values.
pub const TOGETHER: usize = 3;

/// The result of a product before it is cut: its place, rows and columns.
pub type Whole<'o> = (&'o Out, usize, usize);

/// Cuts an `m × n` result into tiles for the team: two per thread, so that none waits long for the
/// last, in the shape that needs the least packing. Unlike other cuts this one may depend on the
/// number of threads, since every element stays one chain.
pub fn cut<'o>(out: &'o Out, m: usize, n: usize, team: &Team) -> Cut<'o> {
    let [first, ..] = cut_together([Some((out, m, n)), None, None], Shared::Left, team);
    first.unwrap_or_else(|| out.grid(n, m, n))
}

/// Cuts the results of products that share an operand into the same number of tiles each, so that
/// tile `i` of all can be computed together. If no such cut fits the scratch memory, none is cut
/// and the products have to be computed one by one.
pub fn cut_together<'o>(
    all: [Option<Whole<'o>>; TOGETHER],
    shared: Shared,
    team: &Team,
) -> [Option<Cut<'o>>; TOGETHER] {
    let sizes = || all.iter().flatten().map(|&(_, m, n)| (m, n));
    let total = |side: fn((usize, usize)) -> usize, alone: bool| match alone {
        true => sizes().map(side).max().unwrap_or(0),
        false => sizes().map(side).sum(),
    };
    let m = total(|s| s.0, shared == Shared::Left);
    let n = total(|s| s.1, shared == Shared::Right);
    let strip = |n: usize, across: usize| n.div_ceil(across).next_multiple_of(32);
    let band = |m: usize, down: usize| m.div_ceil(down).next_multiple_of(4);
    if m == 0 || n == 0 {
        return [None; TOGETHER];
    }
    let wanted = 2 * team.threads();
    let tiles = |down: usize, across: usize| {
        let count =
            |(m, n): (usize, usize)| (m.div_ceil(band(m, down)), n.div_ceil(strip(n, across)));
        let first = sizes().map(count).next()?;
        sizes().all(|s| count(s) == first).then_some(first)
    };
    let options = (n.div_ceil(STRIP)..=n.div_ceil(32)).filter_map(|across| {
        let widest: usize = match shared {
            Shared::Left => sizes().map(|s| strip(s.1, across)).sum(),
            Shared::Right => strip(n, across),
        };
        let down = wanted.div_ceil(across).min(m.div_ceil(12));
        let (down, across) = tiles(down, across).filter(|_| widest <= STRIP)?;
        // Each band packs its rows once per strip, each strip its columns once per band; too few
        // tiles leave threads idle.
        let packing = down * n + across * m;
        Some((wanted.saturating_sub(down * across), packing, down, across))
    });
    let Some((_, _, down, across)) = options.min() else {
        return [None; TOGETHER];
    };
    all.map(|whole| whole.map(|(out, m, n)| out.grid(n, band(m, down), strip(n, across))))
}

/// Cuts the results of products of few rows by packed weights, whose time is that of reading the
/// weights: into many tiles, so that no thread waits long for the last. `None` if the results can't
/// be cut into equally many.
pub fn cut_few_rows<'o>(
    all: [Option<Whole<'o>>; TOGETHER],
    team: &Team,
) -> Option<[Option<Cut<'o>>; TOGETHER]> {
    let sizes = || all.iter().flatten();
    if sizes().any(|&(_, m, n)| m > ROWS_AT_MOST || n == 0) {
        return None;
    }
    // Whole panels, and as many of them as one row is multiplied by at once, where that leaves
    // enough tiles.
    let fewest = sizes().map(|&(_, _, n)| n).min().unwrap_or(0);
    let panels = |at_once: &usize| fewest >= 2 * team.threads() * at_once * 32;
    let unit = 32 * [PANELS_ABREAST, 2].into_iter().find(panels).unwrap_or(1);
    let strip = |n: usize, count: usize| n.div_ceil(count).next_multiple_of(unit);
    let same = |count: &usize| {
        let tiles = |n: usize| n.div_ceil(strip(n, *count));
        let mut counts = sizes().map(|&(_, _, n)| tiles(n));
        let first = counts.next();
        counts.all(|count| Some(count) == first)
    };
    let count = (1..=8 * team.threads()).rev().find(same)?;
    Some(all.map(|whole| whole.map(|(out, m, n)| out.grid(n, m, strip(n, count)))))
}

/// Maximum columns of a tile: a packed block of B then takes half of a thread's scratch memory. It
/// doesn't have to fit into the L2 cache, since a band of A reads each of its panels once.
const STRIP: usize = 1024;
