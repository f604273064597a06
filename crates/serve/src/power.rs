//! How much of the machine the playground's models may take.

use std::time::Duration;

/// How much of the machine the models may take.
#[derive(Debug, Clone, Copy)]
pub struct Power {
    /// Number of threads.
    pub threads: usize,
    /// Whether the threads have the lowest priority.
    pub lowest: bool,
    /// Maximum tokens generated in one text.
    pub tokens: usize,
    /// Maximum bytes of a prompt or a text to score.
    pub bytes: usize,
    /// Maximum time of one text.
    pub time: Duration,
    /// How long idle models stay in memory.
    pub idle: Duration,
    /// Maximum bytes of weights kept when another model is opened.
    pub weights: u64,
}

impl Power {
    /// Maximum tokens before a place: those of a prompt, and of a text that was continued often.
    pub fn before(&self) -> usize {
        self.bytes + 5 * self.tokens
    }

    /// Little enough that a training on this machine isn't slowed down.
    pub const LEAST: Power = Power {
        threads: 1,
        lowest: true,
        tokens: 400,
        bytes: 4 << 10,
        time: Duration::from_secs(20),
        idle: Duration::from_secs(60),
        weights: 0,
    };

    /// The machine is for the models.
    pub fn with_threads(threads: usize) -> Power {
        Power {
            threads,
            lowest: false,
            tokens: 2000,
            bytes: 16 << 10,
            time: Duration::from_secs(300),
            idle: Duration::from_secs(3600),
            weights: 2 << 30,
        }
    }
}
