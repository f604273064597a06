//! What a race shows: the mean and the spread of each recipe, and which differences are larger than
//! chance.

use run::End;

/// The two-sided 95% points of Student's t distribution with 1, 2, … degrees of freedom
/// (NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2). The last one stands for
/// all higher ones, which widens intervals of more than 11 seeds slightly.
const STUDENT: [f64; 10] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
];

/// The result of a recipe.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The recipe's name.
    pub name: String,
    /// How the run of each seed ended; `None` if it diverged.
    pub ends: Vec<Option<End>>,
}

/// How much better one recipe is than another, over the seeds that both finished.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Advantage {
    /// Mean difference in bits per byte.
    pub mean: f64,
    /// Half of its 95% confidence interval; `None` with less than two seeds.
    pub margin: Option<f64>,
    /// Number of seeds.
    pub seeds: usize,
}

impl Advantage {
    /// Whether the difference is larger than chance explains.
    pub fn is_seen(&self) -> bool {
        self.margin.is_some_and(|margin| self.mean.abs() > margin)
    }
}

impl Standing {
    /// Validation losses of the finished runs in bits per byte.
    pub fn losses(&self) -> Vec<f64> {
        self.each(|end| end.val_bits_per_byte)
    }

    fn each(&self, value: impl Fn(&End) -> Option<f64>) -> Vec<f64> {
        self.ends.iter().flatten().filter_map(value).collect()
    }

    /// Number of runs that diverged.
    pub fn diverged(&self) -> usize {
        self.ends.iter().filter(|end| end.is_none()).count()
    }

    /// Mean validation loss in bits per byte; `None` if no run finished.
    pub fn mean(&self) -> Option<f64> {
        mean(&self.losses())
    }

    /// Standard deviation of the validation loss over the seeds; `None` with less than two.
    pub fn spread(&self) -> Option<f64> {
        deviation(&self.losses())
    }

    /// Mean seconds of a run that were spent in training steps.
    pub fn seconds(&self) -> Option<f64> {
        mean(&self.each(|end| Some(end.train_seconds)))
    }

    /// Mean seconds of a run with evaluations and saves, without the turns of other runs.
    pub fn wall_seconds(&self) -> Option<f64> {
        mean(&self.each(|end| Some(end.wall_seconds)))
    }

    /// Mean number of tokens learned from, repetitions included.
    pub fn tokens(&self) -> Option<f64> {
        mean(&self.each(|end| Some(end.tokens as f64)))
    }

    /// By how much this recipe's loss is lower than another's. The runs of one seed are compared
    /// with each other: they learn from the same windows.
    pub fn ahead_of(&self, other: &Standing) -> Advantage {
        let loss = |end: &Option<End>| end.as_ref()?.val_bits_per_byte;
        let pairs = self.ends.iter().zip(&other.ends);
        let pairs = pairs.filter_map(|(own, other)| Some(loss(other)? - loss(own)?));
        let pairs: Vec<f64> = pairs.collect();
        let margin = deviation(&pairs).map(|deviation| {
            let student = STUDENT[(pairs.len() - 2).min(STUDENT.len() - 1)];
            student * deviation / (pairs.len() as f64).sqrt()
        });
        Advantage {
            mean: mean(&pairs).unwrap_or(f64::NAN),
            margin,
            seeds: pairs.len(),
        }
    }

    /// Sorts recipes: the lowest mean loss first, those with a run that diverged last.
    pub fn sort(standings: &mut [Standing]) {
        let key = |s: &Standing| (s.diverged(), s.mean().unwrap_or(f64::INFINITY));
        standings.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of a sample, with n − 1.
fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(name: &str, losses: &[f64]) -> Standing {
        let end = |&loss: &f64| {
            (!loss.is_nan()).then(|| End {
                val_bits_per_byte: Some(loss),
                ..End::default()
            })
        };
        Standing {
            name: name.into(),
            ends: losses.iter().map(end).collect(),
        }
    }

    #[test]
    fn seeds_are_compared_in_pairs_and_noise_is_no_difference() {
        // The seeds differ by more than the recipes, but each seed is better with a.
        let a = standing("a", &[2.0, 2.5, 3.0]);
        let b = standing("b", &[2.10, 2.61, 3.12]);
        let ahead = a.ahead_of(&b);
        assert!((ahead.mean - 0.11).abs() < 1e-12);
        // Deviation 0.01, three seeds.
        assert!((ahead.margin.unwrap() - 4.303 * 0.01 / 3f64.sqrt()).abs() < 1e-12);
        assert!(ahead.is_seen() && b.ahead_of(&a).is_seen());
        let noisy = standing("c", &[2.1, 2.4, 3.2]);
        assert!(!a.ahead_of(&noisy).is_seen());
        let single = standing("d", &[1.0]).ahead_of(&standing("e", &[2.0]));
        assert_eq!((single.margin, single.is_seen()), (None, false));
        assert!((a.spread().unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_recipe_that_diverged_comes_last_and_counts_only_what_finished() {
        let lost = standing("lost", &[1.0, f64::NAN]);
        let none = standing("none", &[f64::NAN, f64::NAN]);
        let mut all = [
            none,
            lost.clone(),
            standing("b", &[3.0, 3.0]),
            standing("a", &[2.0, 2.0]),
        ];
        Standing::sort(&mut all);
        assert_eq!(
            all.each_ref().map(|s| s.name.as_str()),
            ["a", "b", "lost", "none"]
        );
        assert_eq!(
            (lost.mean(), lost.spread(), lost.diverged()),
            (Some(1.0), None, 1)
        );
        assert_eq!(all[0].ahead_of(&lost).seeds, 1);
    }
}
