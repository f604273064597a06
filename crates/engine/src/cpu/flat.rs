//! Loops over long ranges of numbers: blocks of an update, and the norm of the whole gradient.

use super::arena::{Cut, Out, Read};
use super::lanes::{lanes, sum_by};
use super::team::Team;

/// Numbers per block of an update or of the norm.
pub const BLOCK: usize = 16_384;

/// A range, cut into blocks.
pub fn blocks_of(range: &Out) -> Cut<'_> {
    range.bands(1, BLOCK)
}

/// Number of blocks of the norm for `len` numbers.
pub fn blocks(len: usize) -> usize {
    len.div_ceil(BLOCK).max(1)
}

/// Norm of the whole gradient into `norm` [1]; NaN if a cost isn't finite. `partial` has one
/// number per block.
pub fn norm(g: &Read, costs: &[Read], partial: &Out, norm: &Out, team: &Team) {
    team.each(partial.bands(1, 1), |block, mut p, _| {
        let from = block * BLOCK;
        let all = g.real();
        let to = all.len().min(from + BLOCK);
        p.row(0)[0] = squares(team.isa(), &all[from..to]);
    });
    team.each_from([partial], norm.bands(1, 1), |_, mut p, [partial], _| {
        let total: f64 = partial.iter().map(|&x| f64::from(x)).sum();
        let finite = costs.iter().all(|c| c.real().iter().all(|x| x.is_finite()));
        p.row(0)[0] = if finite {
            total.sqrt() as f32
        } else {
            f32::NAN
        };
    });
}

lanes! {
    /// Σ x².
    fn squares(x: &[f32]) -> f32 {
        sum_by(x, 0.0, |x: Lanes| x * x)
    }
}
