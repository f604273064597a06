//! The learning rate at each step.

use model::{OptimConfig, Pace, Schedule};

/// Learning rate at step `step`, counted from 0.
///
/// First a linear warm-up from 0. Then: constant; a half cosine down to `lr_min` (Loshchilov and
/// Hutter, "SGDR", 2017); or stable with a final linear decay to `lr_min` (warm-up–stable–decay: Hu
/// et al., "MiniCPM", 2024).
///
/// After the warm-up the rate is a function of the step's place in `pace`.
pub fn rate(o: &OptimConfig, step: u64, pace: &Pace) -> f64 {
    let warmup = o.warmup as f64;
    if (step as f64) < warmup {
        return o.lr * (step as f64 + 1.0) / (warmup + 1.0);
    }
    let (place, steps) = match o.schedule_steps {
        Some(steps) => (step as f64, steps as u64),
        None => (pace.place(step), pace.places()),
    };
    let steps = (steps as f64).max(1.0);
    let falls = |from: f64| ((place - from) / (steps - from).max(1.0)).clamp(0.0, 1.0);
    match o.schedule {
        Schedule::Constant => o.lr,
        Schedule::Cosine => {
            let share = falls(warmup.min(steps));
            let up = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * share));
            o.lr_min + up * (o.lr - o.lr_min)
        }
        Schedule::Wsd => {
            let from = (steps * (1.0 - o.decay)).max(warmup);
            o.lr + falls(from) * (o.lr_min - o.lr)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Config;

    #[test]
    fn rates_at_the_corners() {
        let sets = [
            "optim.lr=1.0",
            "optim.lr_min=0.1",
            "optim.warmup=10",
            "optim.decay=0.5",
        ];
        let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
        let mut o = Config::load(None, None, &sets).unwrap().optim;
        let pace = Pace::steps(110);
        for (schedule, middle, end) in [
            (Schedule::Constant, 1.0, 1.0),
            (Schedule::Cosine, 0.55, 0.1),
            (Schedule::Wsd, 0.91, 0.1),
        ] {
            o.schedule = schedule;
            assert!((rate(&o, 0, &pace) - 1.0 / 11.0).abs() < 1e-12);
            assert!((rate(&o, 10, &pace) - 1.0).abs() < 1e-12);
            assert!((rate(&o, 60, &pace) - middle).abs() < 1e-2, "{schedule:?}");
            assert!((rate(&o, 110, &pace) - end).abs() < 1e-12, "{schedule:?}");
        }
    }
}
