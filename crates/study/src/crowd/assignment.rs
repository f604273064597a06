//! The linear assignment problem: which partner does each of n get, so that the scores of all pairs
//! add up to the most? Shortest augmenting paths with potentials (Jonker and Volgenant, 1987), in
//! O(n³).

/// The partner of each row, given the scores [n, n].
pub fn assign(scores: &[f64], n: usize) -> Vec<usize> {
    // Potentials of rows and columns: no score is larger than their sum, and those of pairs equal
    // it.
    let (mut rows, mut columns) = (vec![0.0; n], vec![0.0; n]);
    let mut owner: Vec<Option<usize>> = vec![None; n];
    for start in 0..n {
        let mut least = vec![f64::INFINITY; n];
        let mut before: Vec<Option<usize>> = vec![None; n];
        let mut seen = vec![false; n];
        let (mut row, mut at) = (start, None);
        // A path to the nearest free column, over columns that give up their owner.
        let mut last = loop {
            let (mut nearest, mut gap) = (0, f64::INFINITY);
            for column in (0..n).filter(|&column| !seen[column]) {
                let slack = rows[row] + columns[column] - scores[row * n + column];
                if slack < least[column] {
                    (least[column], before[column]) = (slack, at);
                }
                if least[column] < gap {
                    (nearest, gap) = (column, least[column]);
                }
            }
            rows[start] -= gap;
            for column in 0..n {
                match owner[column] {
                    Some(owner) if seen[column] => {
                        rows[owner] -= gap;
                        columns[column] += gap;
                    }
                    _ => least[column] -= gap,
                }
            }
            seen[nearest] = true;
            at = Some(nearest);
            match owner[nearest] {
                Some(owner) => row = owner,
                None => break at,
            }
        };
        while let Some(column) = last {
            last = before[column];
            owner[column] = last.map_or(Some(start), |before| owner[before]);
        }
    }
    let mut partners = vec![0; n];
    for (column, row) in owner.into_iter().enumerate() {
        partners[row.unwrap_or(column)] = column;
    }
    partners
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{RandomPurpose, Stream};

    /// The most that any order of the columns adds up to.
    fn most(scores: &[f64], n: usize, row: usize, used: u32) -> f64 {
        if row == n {
            return 0.0;
        }
        let free = (0..n).filter(|column| used & (1 << column) == 0);
        free.map(|column| scores[row * n + column] + most(scores, n, row + 1, used | 1 << column))
            .fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn no_other_assignment_scores_more() {
        let mut random = Stream::new(1, RandomPurpose::Check, 0);
        for n in 0..8 {
            for _ in 0..20 {
                let scores: Vec<f64> = (0..n * n).map(|_| random.normal().round()).collect();
                let partners = assign(&scores, n);
                let mut sorted = partners.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..n).collect::<Vec<_>>());
                let sum = |(row, column): (usize, &usize)| scores[row * n + column];
                let sum: f64 = partners.iter().enumerate().map(sum).sum();
                assert_eq!(sum, most(&scores, n, 0, 0), "{scores:?}");
            }
        }
    }
}
