//! Events: what training says about itself, one JSON object a line.
//!
//! The trainer knows no screen; the terminal log and every later reader know only these. Fields are
//! top-level scalars, but for the probes (`probe.rs`), which have arrays. A number that isn't finite is
//! written as `null` and read back as not-a-number (an optional one as `None`). `fit` writes the same events: its loss is `mse`, its tokens are rows,
//! and its vocabulary, bytes and context are 0.

use crate::probe::{Ladder, Layers, Lens, Profile};
use serde::{Deserialize, Deserializer, Serialize};

/// One event. In JSON the field `event` names the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A training session begins: a new run, or one that goes on.
    Start(Box<Start>),
    /// One training step was done.
    Step(Step),
    /// The validation loss was measured.
    Eval(Eval),
    /// The model wrote a text.
    Sample(Sample),
    /// A checkpoint was saved.
    Saved(Saved),
    /// Something the user should know; training goes on.
    Warning(Warning),
    /// How well simpler models do.
    Ladder(Ladder),
    /// What the model says of fixed passages.
    Lens(Lens),
    /// What goes on in each part of the model.
    Layers(Layers),
    /// Where the time went.
    Profile(Profile),
    /// The session ends.
    End(End),
}

/// The names of the kinds, as in [`Event`]; a line of another kind is from a newer version.
pub(crate) const KINDS: [&str; 11] = [
    "start", "step", "eval", "sample", "saved", "warning", "ladder", "lens", "layers", "profile",
    "end",
];

impl Event {
    /// When it happened, in Unix seconds.
    pub fn time(&self) -> f64 {
        match self {
            Self::Start(e) => e.time,
            Self::Step(e) => e.time,
            Self::Eval(e) => e.time,
            Self::Sample(e) => e.time,
            Self::Saved(e) => e.time,
            Self::Warning(e) => e.time,
            Self::Ladder(e) => e.time,
            Self::Lens(e) => e.time,
            Self::Layers(e) => e.time,
            Self::Profile(e) => e.time,
            Self::End(e) => e.time,
        }
    }

    /// The name of its kind, as JSON has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Step(_) => "step",
            Self::Eval(_) => "eval",
            Self::Sample(_) => "sample",
            Self::Saved(_) => "saved",
            Self::Warning(_) => "warning",
            Self::Ladder(_) => "ladder",
            Self::Lens(_) => "lens",
            Self::Layers(_) => "layers",
            Self::Profile(_) => "profile",
            Self::End(_) => "end",
        }
    }

    /// The same event at this time and step, where it is a probe.
    pub fn at(mut self, at: f64, done: u64) -> Self {
        let (time, step) = match &mut self {
            Self::Ladder(e) => (&mut e.time, &mut e.step),
            Self::Lens(e) => (&mut e.time, &mut e.step),
            Self::Layers(e) => (&mut e.time, &mut e.step),
            Self::Profile(e) => (&mut e.time, &mut e.step),
            _ => return self,
        };
        (*time, *step) = (at, done);
        self
    }

    /// How many training steps were done when it happened; `None` for a warning.
    pub fn step(&self) -> Option<u64> {
        match self {
            Self::Start(e) => Some(e.first_step),
            Self::Step(e) => Some(e.step),
            Self::Eval(e) => Some(e.step),
            Self::Sample(e) => Some(e.step),
            Self::Saved(e) => Some(e.step),
            Self::Warning(_) => None,
            Self::Ladder(e) => Some(e.step),
            Self::Lens(e) => Some(e.step),
            Self::Layers(e) => Some(e.step),
            Self::Profile(e) => Some(e.step),
            Self::End(e) => Some(e.step),
        }
    }
}

macro_rules! from {
    ($($kind:ident)*) => {$(
        impl From<$kind> for Event {
            fn from(event: $kind) -> Self {
                Self::$kind(event)
            }
        }
    )*};
}
from!(Step Eval Sample Saved Warning Ladder Lens Layers Profile End);

impl From<Start> for Event {
    fn from(start: Start) -> Self {
        Self::Start(Box::new(start))
    }
}

/// What is trained, on what, and at what price.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Start {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// The run folder.
    pub run: String,
    /// The name of the corpus.
    pub corpus: String,
    /// The model's family, as `qwen3`.
    pub family: String,
    /// Trainable numbers in the model.
    pub parameters: u64,
    /// Tokens that exist; 0 for `fit`.
    pub vocabulary: u64,
    /// Tokens (rows for `fit`) to train on.
    pub train_tokens: u64,
    /// Tokens of the validation part.
    pub validation_tokens: u64,
    /// Raw bytes of the validation part.
    pub validation_bytes: u64,
    /// Steps done before this session: 0 for a new run. Its first `step` event has the next number.
    pub first_step: u64,
    /// Steps the run will have in all.
    pub steps: u64,
    /// Windows in a batch.
    pub batch: u64,
    /// Tokens in a window.
    pub context: u64,
    /// Tokens (rows for `fit`) a training step sees.
    pub tokens_per_step: u64,
    /// Floating-point operations of a training step.
    pub flops_per_step: u64,
    /// The most that the processor was measured to compute in a second in this precision, in FLOP/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_flops_per_second: Option<f64>,
    /// Planned peak memory in bytes.
    pub bytes_peak: u64,
    /// Threads that compute.
    pub threads: u64,
    /// The processor's name.
    pub processor: String,
    /// The precision of the products: `f32`, `bf16` or `f64`.
    pub precision: String,
    /// The seed of every random number.
    pub seed: u64,
    /// The entropy of the validation text in bits per byte, where the corpus knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_bits_per_byte: Option<f64>,
    /// The version of the program.
    pub version: String,
}

/// One training step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Step {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// The number of the step, from 1.
    pub step: u64,
    /// Mean cross-entropy of the batch in nats; language models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_token: Option<f64>,
    /// Mean squared error; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// The loss in bits per raw byte, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_byte: Option<f64>,
    /// The norm of the whole gradient before clipping.
    #[serde(deserialize_with = "number")]
    pub grad_norm: f64,
    /// The learning rate of this step.
    #[serde(deserialize_with = "number")]
    pub lr: f64,
    /// Seconds this step took.
    #[serde(deserialize_with = "number")]
    pub step_seconds: f64,
    /// Tokens (rows for `fit`) a second.
    #[serde(deserialize_with = "number")]
    pub tokens_per_second: f64,
}

/// One measurement of the validation loss.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Eval {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// Training steps done.
    pub step: u64,
    /// Mean cross-entropy in nats; language models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_nats_per_token: Option<f64>,
    /// The same in bits per raw byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_bits_per_byte: Option<f64>,
    /// Mean squared error; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// The share of the variance explained; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Tokens scored.
    pub tokens: u64,
    /// Raw bytes these tokens stand for.
    pub bytes: u64,
    /// Seconds it took.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
    /// Whether the whole validation part was scored, or its fixed subset.
    pub full: bool,
    /// Whether this is the best of the run so far.
    pub best: bool,
}

/// A text the model wrote.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// Training steps done.
    pub step: u64,
    /// What the model was given.
    pub prompt: String,
    /// What it wrote after the prompt.
    pub text: String,
    /// The seed of the sampling.
    pub seed: u64,
    /// The temperature of the sampling.
    #[serde(deserialize_with = "number")]
    pub temperature: f64,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Saved {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// Training steps done.
    pub step: u64,
    /// The checkpoint's folder.
    pub path: String,
    /// Seconds it took.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
}

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Warning {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// One sentence.
    pub message: String,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct End {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub time: f64,
    /// Training steps done.
    pub step: u64,
    /// Seconds spent in training steps only.
    #[serde(deserialize_with = "number")]
    pub train_seconds: f64,
    /// Seconds from start to end.
    #[serde(deserialize_with = "number")]
    pub wall_seconds: f64,
    /// The last validation loss in nats; language models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_nats_per_token: Option<f64>,
    /// The same in bits per raw byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_bits_per_byte: Option<f64>,
    /// Mean squared error; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// The share of the variance explained; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Peak resident memory of the process in bytes, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// As in [`Start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_bits_per_byte: Option<f64>,
    /// The step of the best checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_step: Option<u64>,
    /// Why: `finished`, `interrupted` or `target`.
    pub reason: String,
    /// The run folder.
    pub run: String,
}

/// JSON has no infinities: `null` stands for a number that isn't finite.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
