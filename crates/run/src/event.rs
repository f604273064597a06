//! Events: what training reports about itself, one JSON object a line.
//!
//! The trainer knows no screen; the terminal log and every later reader know only these. An [`Event`] is
//! an envelope, the time and the step, around [`What`] happened. A kind of event is a struct and its line
//! in the list below. Fields are top-level scalars, but for the probes (`probe.rs`), which have arrays. A
//! number that isn't finite is written as `null` and read back as not-a-number (an optional one as
//! `None`). `fit` writes the same events: its loss is `mse`, its tokens are rows, and its vocabulary,
//! bytes and context are 0.

use crate::json::number;
use crate::kind::Kind;
use crate::probe::{Ladder, Layers, Lens, Profile};
use serde::de::Error as _;
use serde::{Deserialize, Serialize, Serializer};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it happened, in Unix seconds.
    pub time: f64,
    /// How many training steps were done by then; `None` for a warning, whose line has none.
    pub step: Option<u64>,
    /// What happened.
    pub what: What,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:literal = $kind:ident($held:ty),)*) => {
        /// What happened. In JSON the field `event` names the kind.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum What {
            $($(#[$doc])* $kind($held),)*
        }

        impl What {
            /// The name of the kind, as JSON has it.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }

            /// Reads a line of the kind of this name; `None` if there is no such kind.
            fn parse(name: &str, line: &[u8]) -> serde_json::Result<Option<What>> {
                Ok(Some(match name {
                    $($name => Self::$kind(serde_json::from_slice(line)?),)*
                    _ => return Ok(None),
                }))
            }
        }

        $(impl From<$kind> for What {
            fn from(what: $kind) -> Self {
                Self::$kind(what.into())
            }
        })*
    };
}

kinds! {
    /// A training session begins: a new run, or one that goes on.
    "start" = Start(Box<Start>),
    /// One training step was done.
    "step" = Step(Step),
    /// The validation loss was measured.
    "eval" = Eval(Eval),
    /// The model wrote a text.
    "sample" = Sample(Sample),
    /// A checkpoint was saved.
    "saved" = Saved(Saved),
    /// Something the user should know; training goes on.
    "warning" = Warning(Warning),
    /// How well simpler models do.
    "ladder" = Ladder(Ladder),
    /// What the model says of fixed passages.
    "lens" = Lens(Lens),
    /// What goes on in each part of the model.
    "layers" = Layers(Layers),
    /// Where the time went.
    "profile" = Profile(Profile),
    /// The session ends.
    "end" = End(End),
}

impl Event {
    /// Something that happened at this time, after this many training steps.
    pub fn new(time: f64, step: u64, what: impl Into<What>) -> Event {
        let mut what = what.into();
        if let What::Start(start) = &mut what {
            start.first_step = step;
        }
        let step = (!matches!(what, What::Warning(_))).then_some(step);
        Event { time, step, what }
    }

    /// Reads a line; `None` if its kind is unknown, as one from a newer version.
    ///
    /// # Errors
    /// Where the line isn't an event.
    pub fn parse(line: &[u8]) -> serde_json::Result<Option<Event>> {
        #[derive(Deserialize)]
        struct Name {
            event: String,
        }
        #[derive(Deserialize)]
        struct Stamp {
            #[serde(deserialize_with = "number")]
            time: f64,
            #[serde(alias = "first_step")]
            step: Option<u64>,
        }
        let Name { event } = serde_json::from_slice(line)?;
        let Some(what) = What::parse(&event, line)? else {
            return Ok(None);
        };
        let Stamp { time, step } = serde_json::from_slice(line)?;
        match (step, &what) {
            (_, What::Warning(_)) => Ok(Some(Event::new(time, 0, what))),
            (Some(step), _) => Ok(Some(Event::new(time, step, what))),
            (None, _) => Err(serde_json::Error::missing_field("step")),
        }
    }

    /// Whether what happened at `step`, before this event, is no longer part of the run: this event
    /// begins a session that goes on from an earlier step.
    pub fn undoes(&self, step: Option<u64>) -> bool {
        matches!(self.what, What::Start(_)) && step > self.step
    }
}

/// The object of a line: `event`, `time`, `step`, and the kind's own fields. A `start` has its step as
/// `first_step` among these.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            event: &'static str,
            time: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            step: Option<u64>,
            #[serde(flatten)]
            what: &'a What,
        }
        let step = self.step.filter(|_| !matches!(self.what, What::Start(_)));
        let (event, time, what) = (self.what.name(), self.time, &self.what);
        Line {
            event,
            time,
            step,
            what,
        }
        .serialize(serializer)
    }
}

/// What is trained, on what, and at what price.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Start {
    /// What is learned; not in logs of earlier versions, so read [`Start::kind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
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
    /// Steps done before this session, 0 for a new run: the event's own step. The first `step` event
    /// has the next number.
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

impl Start {
    /// What is learned. Before `start` said so, a fit was what had no vocabulary.
    pub fn kind(&self) -> Kind {
        match &self.kind {
            Some(kind) => kind.clone(),
            None if self.vocabulary == 0 => Kind::Fit,
            None => Kind::Language,
        }
    }
}

/// One training step; the event's step is its number, from 1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Step {
    /// Mean cross-entropy of the batch in nats; language models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_token: Option<f64>,
    /// Mean squared error; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
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
    /// Whether the average of the last steps' weights was scored, where that is better.
    #[serde(default)]
    pub averaged: bool,
    /// The loss of the weights themselves where there is an average as well, in nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_nats_per_token: Option<f64>,
}

/// A text the model wrote.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
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
    /// The checkpoint's folder.
    pub path: String,
    /// Seconds it took.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
}

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Warning {
    /// One sentence.
    pub message: String,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct End {
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
    /// Whether the model that is kept is the average of the last steps' weights.
    #[serde(default)]
    pub averaged: bool,
    /// Tokens (rows for `fit`) learned from, repetitions included.
    #[serde(default)]
    pub tokens: u64,
    /// Passes over the training part.
    #[serde(default, deserialize_with = "number")]
    pub epochs: f64,
    /// The step of the best checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_step: Option<u64>,
    /// Why: `finished`, `interrupted` or `target`.
    pub reason: String,
    /// The run folder.
    pub run: String,
}
