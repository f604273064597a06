//! The schedule of events: after which steps the model is evaluated, sampled, probed and saved, and
//! which steps are profiled.

use model::Config;

/// Steps before a probe that are profiled.
const PROFILED: u64 = 4;
/// Samples are generated before the first step, after this many steps, and whenever that number
/// doubles.
const SAMPLE: u64 = 250;
/// The step number grows at least by this factor between two lenses, so a run of any length has a
/// few dozen.
const LENS: f64 = 1.15;

/// The cadence of a run. Steps count completed ones: 0 is before the first. A run that ends early
/// still gets every event of a last step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cadence {
    steps: u64,
    evaluate: u64,
    save: u64,
}

impl Cadence {
    /// The cadence given by a config.
    pub fn new(config: &Config) -> Cadence {
        Cadence {
            steps: config.train.pace().total(),
            evaluate: config.eval.every.max(1) as u64,
            save: config.checkpoint.every.max(1) as u64,
        }
    }

    /// Takes a corrected number of steps.
    pub fn correct(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Whether all steps are done.
    pub fn is_last(&self, step: u64) -> bool {
        step >= self.steps
    }

    /// Whether the model is evaluated and probed.
    pub fn evaluates(&self, step: u64) -> bool {
        step.is_multiple_of(self.evaluate) || self.is_last(step)
    }

    /// Whether the model generates a sample.
    pub fn samples(&self, step: u64) -> bool {
        let doubled = step.is_multiple_of(SAMPLE) && (step / SAMPLE).is_power_of_two();
        step == 0 || doubled || self.is_last(step)
    }

    /// Whether a checkpoint is saved.
    pub fn saves(&self, step: u64) -> bool {
        step > 0 && (step.is_multiple_of(self.save) || self.is_last(step))
    }

    /// Whether a probe compares with simpler models.
    pub fn climbs(&self, step: u64) -> bool {
        step == 0
    }

    /// Whether a probe includes the lens, which was last included at step `last`.
    pub fn looks(&self, step: u64, last: Option<u64>) -> bool {
        let due = |last: u64| step > last && step as f64 >= last as f64 * LENS;
        self.is_last(step) || last.is_none_or(due)
    }

    /// Whether the next step is one of the last before a probe, which are profiled.
    pub fn profiles(&self, step: u64) -> bool {
        (step + 1..=step + PROFILED).any(|step| self.evaluates(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_happens_at_its_steps() {
        let cadence = Cadence {
            steps: 2100,
            evaluate: 700,
            save: 1000,
        };
        let steps = |due: &dyn Fn(u64) -> bool| (0..=2100).filter(|&n| due(n)).collect::<Vec<_>>();
        assert_eq!(steps(&|n| cadence.evaluates(n)), [0, 700, 1400, 2100]);
        assert_eq!(
            steps(&|n| cadence.samples(n)),
            [0, 250, 500, 1000, 2000, 2100]
        );
        assert_eq!(steps(&|n| cadence.saves(n)), [1000, 2000, 2100]);
        assert_eq!(steps(&|n| cadence.climbs(n)), [0]);
    }

    #[test]
    fn the_last_steps_before_each_probe_are_profiled() {
        let cadence = Cadence {
            steps: 12,
            evaluate: 7,
            save: 1,
        };
        let profiled = (0..12).filter(|&done| cadence.profiles(done));
        let profiled: Vec<u64> = profiled.collect();
        assert_eq!(profiled, [3, 4, 5, 6, 8, 9, 10, 11]);
    }

    #[test]
    fn the_lens_becomes_rarer_and_runs_at_the_end() {
        let cadence = Cadence {
            steps: 1000,
            evaluate: 10,
            save: 1,
        };
        let mut last = None;
        let mut looked = Vec::new();
        for step in (0..=1000).filter(|&step| cadence.evaluates(step)) {
            if cadence.looks(step, last) {
                last = Some(step);
                looked.push(step);
            }
        }
        assert_eq!(looked[..9], [0, 10, 20, 30, 40, 50, 60, 70, 90]);
        assert!(looked.ends_with(&[950, 1000]), "{looked:?}");
    }
}
