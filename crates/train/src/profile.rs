//! Where does a step's time go? The last steps before each probe are measured, kind by kind of work.

use run::Profile;

/// Steps before a probe that are measured.
const STEPS: u64 = 4;

/// Seconds of each kind of work, summed over so many steps.
#[derive(Default)]
pub struct Profiler {
    seconds: Vec<(String, f64)>,
    steps: u32,
}

impl Profiler {
    /// Whether a step is measured: one of the last before the next probe, where so many are done of all,
    /// and a probe comes every so many.
    pub fn wants(done: u64, all: usize, every: usize) -> bool {
        let every = every.max(1) as u64;
        (all as u64 - done).min(every - done % every) <= STEPS
    }

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

    /// The mean of the steps so far, the longest first, and begins anew; none where nothing was
    /// measured.
    pub fn take(&mut self) -> Option<Profile> {
        let Profiler { mut seconds, steps } = std::mem::take(self);
        seconds.iter_mut().for_each(|(_, s)| *s /= f64::from(steps));
        seconds.sort_by(|a, b| b.1.total_cmp(&a.1));
        let known = !seconds.is_empty();
        known.then(|| Profile {
            seconds,
            ..Profile::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_steps_before_a_probe_are_measured() {
        let wanted = |every| {
            let steps = (0..12).filter(|&done| Profiler::wants(done, 12, every));
            steps.collect::<Vec<u64>>()
        };
        assert_eq!(wanted(7), [3, 4, 5, 6, 8, 9, 10, 11]);
        let mut profiler = Profiler::default();
        assert!(profiler.take().is_none());
        profiler.add(vec![("a".into(), 1.0), ("b".into(), 2.0)]);
        profiler.add(vec![("a".into(), 2.0), ("b".into(), 4.0)]);
        let profile = profiler.take().unwrap();
        assert_eq!(profile.seconds, [("b".into(), 3.0), ("a".into(), 1.5)]);
        assert!(profiler.take().is_none());
    }
}
