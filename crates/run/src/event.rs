//! Events: what training reports, one JSON object per line.
//!
//! The trainer only emits events; the terminal log and all other readers see nothing else. An
//! [`Event`] is an envelope (time and step) around [`What`] happened. Each kind of event is a
//! struct and its line in the list below. Fields are top-level scalars, except in probes
//! (`probe.rs`), which have arrays. A number that isn't finite is written as `null` and read back
//! as NaN (an optional one as `None`). `fit` writes the same events: its loss is `mse`, its tokens
//! are rows, and its vocabulary, bytes and context are 0.

use crate::inside::Inside;
use crate::json::number;
use crate::kind::Kind;
use crate::probe::{Canaries, Ladder, Layers, Lens, Profile};
use serde::de::Error as _;
use serde::{Deserialize, Serialize, Serializer};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it happened, in Unix seconds.
    pub time: f64,
    /// Training steps done by then; `None` for a warning, whose line has no step.
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
            /// The kind's name in JSON.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }

            /// Parses a line of the named kind; `None` if the kind is unknown.
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
    /// A training session begins: a new run, or a resumed one.
    "start" = Start(Box<Start>),
    /// One training step was done.
    "step" = Step(Step),
    /// A run that ends on time corrected its number of steps.
    "pace" = Pacing(Pacing),
    /// The validation loss was measured.
    "eval" = Eval(Eval),
    /// The model generated a text.
    "sample" = Sample(Sample),
    /// A checkpoint was saved.
    "saved" = Saved(Saved),
    /// Something the user should know; training goes on.
    "warning" = Warning(Warning),
    /// The loss of simpler models.
    "ladder" = Ladder(Ladder),
    /// The model's predictions on fixed passages.
    "lens" = Lens(Lens),
    /// Where attention looks, what each layer would say, and which tokens are alike.
    "inside" = Inside(Inside),
    /// How well the model knows the strings planted in its text.
    "canaries" = Canaries(Canaries),
    /// Norms and update sizes of each part of the model.
    "layers" = Layers(Layers),
    /// Where the time went.
    "profile" = Profile(Profile),
    /// The session ends.
    "end" = End(End),
}

impl Event {
    /// An event at this time, after this many training steps.
    pub fn new(time: f64, step: u64, what: impl Into<What>) -> Event {
        let mut what = what.into();
        if let What::Start(start) = &mut what {
            start.first_step = step;
        }
        let step = (!matches!(what, What::Warning(_))).then_some(step);
        Event { time, step, what }
    }

    /// Parses a line; `None` if its kind is unknown (from a newer version, say).
    ///
    /// # Errors
    /// If the line isn't an event.
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

    /// Whether this event undoes an earlier one at `step`: it starts a session that resumes from a
    /// step before it.
    pub fn undoes(&self, step: Option<u64>) -> bool {
        matches!(self.what, What::Start(_)) && step > self.step
    }
}

/// One line: `event`, `time`, `step`, then the kind's own fields. In a `start`, the step is the
/// field `first_step` among these.
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

/// What is trained, on what data and machine, and at what cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Start {
    /// The run's kind; missing in logs of earlier versions, so read [`Start::kind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The run folder.
    pub run: String,
    /// The name of the corpus.
    pub corpus: String,
    /// The model's family, such as `qwen3`.
    pub family: String,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Vocabulary size; 0 for `fit`.
    pub vocabulary: u64,
    /// Training tokens (rows for `fit`).
    pub train_tokens: u64,
    /// Validation tokens.
    pub validation_tokens: u64,
    /// Raw bytes of the validation text.
    pub validation_bytes: u64,
    /// Steps done before this session, 0 for a new run: the event's own step. The first `step`
    /// event has the next number.
    pub first_step: u64,
    /// The smoothed training loss at the first step, in a session that goes on with a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoothed_loss: Option<f64>,
    /// Total steps of the run.
    pub steps: u64,
    /// Windows in a batch.
    pub batch: u64,
    /// Tokens in a window.
    pub context: u64,
    /// Tokens in a window over the first part of the run, if its windows are short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_context: Option<u64>,
    /// The share of the steps that are in this part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_share: Option<f64>,
    /// Tokens (rows for `fit`) per training step.
    pub tokens_per_step: u64,
    /// Floating-point operations per training step.
    pub flops_per_step: u64,
    /// The processor's measured peak in this precision, in FLOP/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_flops_per_second: Option<f64>,
    /// Planned peak memory in bytes.
    pub bytes_peak: u64,
    /// Compute threads.
    pub threads: u64,
    /// The processor's name.
    pub processor: String,
    /// The precision of matrix products: `f32`, `bf16` or `f64`.
    pub precision: String,
    /// The time that the run was given, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_seconds: Option<f64>,
    /// The validation loss that the plan expects at the end, in bits per byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_bits_per_byte: Option<f64>,
    /// The low end of the interval around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_low: Option<f64>,
    /// The high end of the interval around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_high: Option<f64>,
    /// The seed of every random number.
    pub seed: u64,
    /// The entropy of the validation text in bits per byte, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_bits_per_byte: Option<f64>,
    /// Questions of a built-in corpus whose answers are in the training text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_questions: Option<u64>,
    /// Questions of a built-in corpus that are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_questions: Option<u64>,
    /// The version of the program.
    pub version: String,
}

impl Start {
    /// The run's kind. In logs without it, a run with no vocabulary is a fit.
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
    /// Duration of this step in seconds.
    #[serde(deserialize_with = "number")]
    pub step_seconds: f64,
    /// Tokens (rows for `fit`) per second.
    #[serde(deserialize_with = "number")]
    pub tokens_per_second: f64,
}

/// How many steps a run that ends on time will have, as estimated now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pacing {
    /// Steps in all.
    pub steps: u64,
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
    /// Fraction of the variance explained; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Tokens scored.
    pub tokens: u64,
    /// Raw bytes of these tokens.
    pub bytes: u64,
    /// Duration in seconds.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
    /// Whether all validation tokens were scored, rather than the fixed subset.
    pub full: bool,
    /// Whether this is the best of the run so far.
    pub best: bool,
    /// Whether the average of the last steps' weights was scored, where that is better.
    #[serde(default)]
    pub averaged: bool,
    /// The loss of the weights themselves where there is an average as well, in nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_nats_per_token: Option<f64>,
    /// The share of questions that are answered correctly, of those that the training text answers;
    /// built-in corpora only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_train: Option<f64>,
    /// The same of those that are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_held_out: Option<f64>,
}

/// A text the model generated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// The prompt.
    pub prompt: String,
    /// What the model generated after the prompt.
    pub text: String,
    /// The sampling seed.
    pub seed: u64,
    /// The sampling temperature.
    #[serde(deserialize_with = "number")]
    pub temperature: f64,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Saved {
    /// The checkpoint's folder.
    pub path: String,
    /// Duration in seconds.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
}

/// Something the user should know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Warning {
    /// One sentence.
    pub message: String,
}

/// What would improve a model most after its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Helps {
    /// More steps.
    Time,
    /// More text.
    Text,
    /// A larger model.
    Size,
    /// Nothing: the loss is close to the text's entropy.
    Nothing,
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
    /// The validation loss of the best checkpoint in nats; language models only. All figures of
    /// quality here are of that checkpoint: on the whole validation part if the run is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_nats_per_token: Option<f64>,
    /// The same in bits per raw byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_bits_per_byte: Option<f64>,
    /// Mean squared error; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// Fraction of the variance explained; `fit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Peak resident memory of the process in bytes, where the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// As in [`Start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_bits_per_byte: Option<f64>,
    /// As in [`Eval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_train: Option<f64>,
    /// As in [`Eval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_held_out: Option<f64>,
    /// Whether the model that is kept is the average of the last steps' weights.
    #[serde(default)]
    pub averaged: bool,
    /// Tokens (rows for `fit`) learned from, repetitions included.
    #[serde(default)]
    pub tokens: u64,
    /// Passes over the training part.
    #[serde(default, deserialize_with = "number")]
    pub epochs: f64,
    /// The step of the best checkpoint on disk whose loss was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_step: Option<u64>,
    /// What would improve the model most; language models whose run was not interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helps: Option<Helps>,
    /// Why it ended: `finished`, `interrupted`, `target` (a fit that has settled) or `best`
    /// (`--stop-when-best`).
    pub reason: String,
    /// The run folder.
    pub run: String,
}
