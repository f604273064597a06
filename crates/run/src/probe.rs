//! Events that look inside a model while it learns, made when it is evaluated. They may hold arrays;
//! their number in a run is bounded by whoever emits them.

use serde::{Deserialize, Serialize};

use crate::json::number;

/// How well models that count can predict the validation text: the rungs that a model passes while
/// it learns. Nats a token; each is smoothed as by Witten and Bell ("The zero-frequency problem",
/// 1991).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ladder {
    /// Knowing nothing: the logarithm of the vocabulary's size.
    #[serde(deserialize_with = "number")]
    pub uniform: f64,
    /// Knowing how frequent each token is.
    #[serde(deserialize_with = "number")]
    pub unigram: f64,
    /// Knowing the token before.
    #[serde(deserialize_with = "number")]
    pub bigram: f64,
    /// Knowing the two tokens before.
    #[serde(deserialize_with = "number")]
    pub trigram: f64,
    /// Tokens of the training part that were counted.
    pub tokens: u64,
}

/// What the model says of fixed passages of the validation text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lens {
    /// The passages, the same at every step.
    pub passages: Vec<Passage>,
}

/// One passage. Token `i` is predicted from all before it; the first is only given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Passage {
    /// The text of each token; bytes that aren't UTF-8 by themselves are shown as U+FFFD.
    pub tokens: Vec<String>,
    /// How surprised the model was by each token but the first, in nats.
    pub nats: Vec<Option<f32>>,
    /// For each token but the first: the likeliest tokens with their probabilities.
    pub top: Vec<Vec<(String, f32)>>,
}

/// What goes on in each part of the model. The arrays run over its parts; a number that isn't finite,
/// or isn't known, is `null`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Layers {
    /// The parts, as `layers.0.attention`, in the order of the forward pass.
    pub names: Vec<String>,
    /// Norm of the gradient of the last step, before clipping.
    pub grad_norm: Vec<Option<f32>>,
    /// Size of the last step's update by the size of the weights, both as root mean squares.
    pub update_ratio: Vec<Option<f32>>,
    /// Root mean square of the weights.
    pub weight_rms: Vec<Option<f32>>,
    /// Root mean square of what flows behind the part (the residual stream).
    pub activation_rms: Vec<Option<f32>>,
}

/// Where the time of the training steps went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Seconds of one step for each kind of work, as `linear backward`, the longest first.
    pub seconds: Vec<(String, f64)>,
}
