//! Profiles training steps: the last steps before each probe are timed, by kind of work.

use run::Profile;

/// Seconds of each kind of work, summed over several steps.
#[derive(Default)]
pub struct Profiler {
    seconds: Vec<(String, f64)>,
    steps: u32,
}

impl Profiler {
    /// Adds a step.
    pub fn add(&mut self, kinds: Vec<(String, f64)>) {
        self.steps += 1;
        for (kind, seconds) in kinds {
            match self.seconds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, sum)) => *sum += seconds,
                None => self.seconds.push((kind, seconds)),
            }
        }
    }

    /// The mean of the steps so far, the longest kind first, and resets the sums; `None` if nothing
    /// was measured.
    pub fn take(&mut self) -> Option<Profile> {
        let Profiler { mut seconds, steps } = std::mem::take(self);
        seconds.iter_mut().for_each(|(_, s)| *s /= f64::from(steps));
        seconds.sort_by(|a, b| b.1.total_cmp(&a.1));
        let known = !seconds.is_empty();
        known.then_some(Profile { seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_the_mean_of_the_steps_since_the_last() {
        let mut profiler = Profiler::default();
        assert!(profiler.take().is_none());
        profiler.add(vec![("a".into(), 1.0), ("b".into(), 2.0)]);
        profiler.add(vec![("a".into(), 2.0), ("b".into(), 4.0)]);
        let profile = profiler.take().unwrap();
        assert_eq!(profile.seconds, [("b".into(), 3.0), ("a".into(), 1.5)]);
        assert!(profiler.take().is_none());
    }
}
