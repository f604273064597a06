//! A made-up run with made-up times.

use run::{End, Eval, Event, Sample, Start, Step, What};

/// An event after this step.
pub fn at(step: u64, what: impl Into<What>) -> Event {
    Event::new(100.0 + 0.05 * step as f64, step, what)
}

/// The start of a language model run.
pub fn start() -> Start {
    Start {
        kind: None,
        run: "runs/tales".to_string(),
        corpus: "tales".to_string(),
        family: "qwen3".to_string(),
        parameters: 810_432,
        vocabulary: 65,
        train_tokens: 1_800_000,
        validation_tokens: 200_000,
        validation_bytes: 200_000,
        first_step: 0,
        smoothed_loss: None,
        steps: 1000,
        batch: 12,
        context: 64,
        tokens_per_step: 768,
        flops_per_step: 3_930_000_000,
        bytes_peak: 41_000_000,
        peak_flops_per_second: None,
        threads: 2,
        processor: "Example Processor @ 2.50GHz".to_string(),
        precision: "f32".to_string(),
        seed: 1,
        floor_bits_per_byte: Some(0.91),
        version: "0.1.0".to_string(),
        ..Start::default()
    }
}

/// Step `step` of the run.
pub fn step(step: u64) -> Step {
    Step {
        nats_per_token: Some(1.0 + 3.0 / step as f64),
        grad_norm: 0.53,
        lr: 1e-3,
        step_seconds: 0.05,
        tokens_per_second: 15_360.0,
        ..Step::default()
    }
}

/// An evaluation.
pub fn eval(step: u64, bits: f64, full: bool) -> Event {
    let what = Eval {
        val_nats_per_token: Some(bits * std::f64::consts::LN_2),
        val_bits_per_byte: Some(bits),
        full,
        best: step > 0,
        ..Eval::default()
    };
    at(step, what)
}

/// A sample.
pub fn sample(step: u64, text: &str) -> Event {
    let what = Sample {
        prompt: "Once".to_string(),
        text: text.to_string(),
        ..Sample::default()
    };
    at(step, what)
}

/// The end of the run.
pub fn end(reason: &str) -> End {
    End {
        train_seconds: 50.0,
        wall_seconds: 63.0,
        val_nats_per_token: Some(0.98 * std::f64::consts::LN_2),
        val_bits_per_byte: Some(0.98),
        peak_bytes: Some(62_000_000),
        floor_bits_per_byte: Some(0.91),
        best_step: Some(1000),
        reason: reason.to_string(),
        run: "runs/tales".to_string(),
        ..End::default()
    }
}

/// A run of 1,000 steps, most of them omitted.
pub fn run() -> Vec<Event> {
    let mut events: Vec<Event> = vec![at(0, start()), eval(0, 6.02, false)];
    events.push(sample(0, "kq;Z\nx e"));
    for n in (1..=20).chain([500, 1000]) {
        events.push(at(n, step(n)));
        match n {
            500 => events.push(eval(500, 1.1, false)),
            1000 => events.push(eval(1000, 0.98, true)),
            _ => {}
        }
    }
    let story = " upon a time, Mia had a red ball. She put it into the box and went to the river, \
                 and there she met an old frog.";
    events.push(sample(1000, story));
    events.push(at(1000, end("finished")));
    events
}
