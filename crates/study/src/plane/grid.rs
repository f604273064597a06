//! A grid that gets finer: each level has the points of the coarser one and those between them.

use std::collections::BTreeMap;

/// Points per side of each level.
pub const LEVELS: [usize; 4] = [5, 9, 17, 33];
/// Intervals per side of the finest level, in which places are counted.
const FINEST: usize = 32;

/// Costs at places of the finest grid; where they aren't finite, there is no cost.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// From the lowest to the highest coordinate of each axis: one, or two.
    pub sides: Vec<[f64; 2]>,
    /// By place along each axis; a line has only place 0 of the second.
    pub known: BTreeMap<[usize; 2], Option<f64>>,
}

impl Grid {
    /// The coordinates of a level along an axis; a line has one row, at 0.
    pub fn coordinates(&self, level: usize, axis: usize) -> Vec<f64> {
        match self.sides.get(axis) {
            None => vec![0.0],
            Some(_) => places(level)
                .map(|place| self.coordinate(axis, place))
                .collect(),
        }
    }

    fn coordinate(&self, axis: usize, place: usize) -> f64 {
        let [low, high] = self.sides[axis];
        low + (high - low) * place as f64 / FINEST as f64
    }

    /// The coordinates of a place.
    pub fn at(&self, place: [usize; 2]) -> Vec<f64> {
        (0..self.sides.len())
            .map(|axis| self.coordinate(axis, place[axis]))
            .collect()
    }

    /// The places of a level, row by row.
    fn all(&self, level: usize) -> Vec<[usize; 2]> {
        let rows: Vec<usize> = match self.sides.len() {
            1 => vec![0],
            _ => places(level).collect(),
        };
        let row = |&y: &usize| places(level).map(move |x| [x, y]);
        rows.iter().flat_map(row).collect()
    }

    /// The places of a level without a cost yet.
    pub fn missing(&self, level: usize) -> Vec<[usize; 2]> {
        let mut all = self.all(level);
        all.retain(|place| !self.known.contains_key(place));
        all
    }

    /// The finest level, not above this one, of which all costs are known.
    pub fn complete(&self, most: usize) -> Option<usize> {
        let mut levels = LEVELS.into_iter().rev().filter(|level| *level <= most);
        levels.find(|level| self.missing(*level).is_empty())
    }

    /// The costs of a level, a row for each y.
    pub fn costs(&self, level: usize) -> Vec<Vec<Option<f64>>> {
        let all = self.all(level).into_iter();
        let all: Vec<Option<f64>> = all
            .map(|place| self.known.get(&place).copied().flatten())
            .collect();
        all.chunks(level).map(<[_]>::to_vec).collect()
    }
}

fn places(level: usize) -> impl Iterator<Item = usize> + Clone {
    (0..=FINEST).step_by(FINEST / (level - 1))
}

/// The strongest curvature of a surface: the largest second derivative in any direction, at any
/// inner point, by differences. `None` if it curves nowhere.
pub fn curvature(x: &[f64], y: &[f64], cost: &[Vec<Option<f64>>]) -> Option<f64> {
    let (dx, dy) = (x.get(1)? - x[0], y.get(1)? - y[0]);
    let mut most = 0.0f64;
    for j in 1..y.len() - 1 {
        for i in 1..x.len() - 1 {
            let at = |di: usize, dj: usize| cost[j + dj - 1][i + di - 1];
            let second = || {
                let middle = 2.0 * at(1, 1)?;
                let xx = (at(0, 1)? + at(2, 1)? - middle) / (dx * dx);
                let yy = (at(1, 0)? + at(1, 2)? - middle) / (dy * dy);
                let xy = (at(2, 2)? + at(0, 0)? - at(0, 2)? - at(2, 0)?) / (4.0 * dx * dy);
                Some((xx + yy) / 2.0 + libm::hypot((xx - yy) / 2.0, xy))
            };
            most = most.max(second().unwrap_or(0.0));
        }
    }
    (most > 0.0).then_some(most)
}
