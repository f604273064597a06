//! How does a run end on time? It measures its steps and corrects how many there will be.

use model::Pace;

/// Corrects the pace so that a run ends on time.
pub struct Clock {
    /// When the last step should end, in seconds.
    deadline: f64,
    /// The smoothed duration of a step, including evaluations and saves, in seconds.
    step_seconds: f64,
    /// When the last step ended.
    last: Option<f64>,
    /// Step of the last correction.
    corrected: u64,
}

/// The smallest and largest weight of a new duration in the smoothed one. It grows as fewer steps
/// are left.
const SMOOTHING: [f64; 2] = [0.02, 0.3];
/// The weight of a new duration, times the steps that are left.
const SMOOTHED: f64 = 4.0;
/// Corrections are at least this many steps apart, and at least one in this many of the steps that
/// are left.
const APART: (u64, u64) = (8, 20);
/// Smaller corrections, as a share of the steps that are left, are deferred.
const TOLERANCE: f64 = 0.02;

impl Clock {
    /// Ends training at `deadline`, with `step_seconds` as the first guess for a step.
    pub fn new(deadline: f64, step_seconds: f64) -> Clock {
        Clock {
            deadline,
            step_seconds,
            last: None,
            corrected: 0,
        }
    }

    /// Records the time after `step` steps. Returns the number of steps in all if it has to change.
    pub fn after(&mut self, step: u64, now: f64, pace: &Pace) -> Option<u64> {
        let left = pace.total().saturating_sub(step);
        if let Some(last) = self.last.replace(now) {
            let share = (SMOOTHED / left.max(1) as f64).clamp(SMOOTHING[0], SMOOTHING[1]);
            self.step_seconds += share * (now - last - self.step_seconds);
        }
        let possible = ((self.deadline - now) / self.step_seconds.max(1e-9)).max(0.0);
        let off = (possible - left as f64).abs();
        // Near the end a single step is more than the tolerance.
        let due = off > (TOLERANCE * left as f64).max(1.0);
        let apart = APART.0.max(left / APART.1);
        let late = now + self.step_seconds > self.deadline;
        if left == 0 || !(late || due && step >= self.corrected + apart) {
            return None;
        }
        self.corrected = step;
        Some(step + (possible.round() as u64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose steps take as long as `seconds` says ends within 2% of the time.
    fn ends_on_time(estimate: f64, seconds: impl Fn(f64) -> f64) {
        let time = 100.0;
        let mut pace = Pace::steps((time / estimate) as u64);
        let mut clock = Clock::new(time, estimate);
        let (mut now, mut step, mut before) = (0.0, 0, 0.0);
        while step < pace.total() {
            now += seconds(now);
            step += 1;
            if let Some(total) = clock.after(step, now, &pace) {
                pace.correct(step, total);
            }
            let place = pace.place(step);
            assert!(place >= before, "{place} after {before}");
            before = place;
        }
        assert!((now - time).abs() < 0.02 * time, "{now}");
        assert!((pace.place(step) - pace.places() as f64).abs() < 1e-9);
        assert!(pace.to_string().len() < 2000, "{pace}");
    }

    #[test]
    fn a_run_ends_on_time_on_a_machine_that_changes() {
        ends_on_time(0.1, |_| 0.1);
        ends_on_time(0.1, |_| 0.3);
        ends_on_time(0.3, |_| 0.1);
        ends_on_time(0.1, |now| if now < 50.0 { 0.1 } else { 1.0 });
        ends_on_time(0.1, |now| if now < 50.0 { 1.0 } else { 0.1 });
        ends_on_time(0.05, |now| 0.05 + 0.02 * (now * 7.0).sin());
    }
}
