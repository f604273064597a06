//! Events that show the inside of a model during training, emitted when it is evaluated. They may
//! have arrays; the code that emits them bounds their number per run.

use serde::{Deserialize, Serialize};

use crate::json::number;

/// The loss of n-gram models on the validation text: milestones that the model passes during
/// training. In nats per token; smoothed as in Witten and Bell ("The zero-frequency problem",
/// 1991).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ladder {
    /// A random guess: the logarithm of the vocabulary size.
    #[serde(deserialize_with = "number")]
    pub uniform: f64,
    /// From token frequencies alone.
    #[serde(deserialize_with = "number")]
    pub unigram: f64,
    /// From the previous token.
    #[serde(deserialize_with = "number")]
    pub bigram: f64,
    /// From the two previous tokens.
    #[serde(deserialize_with = "number")]
    pub trigram: f64,
    /// Training tokens that were counted.
    pub tokens: u64,
}

/// The model's predictions on fixed passages of the validation text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lens {
    /// The passages, the same at every step.
    pub passages: Vec<Passage>,
}

/// One passage. Each token but the first is predicted from all tokens before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Passage {
    /// The text of each token; bytes that aren't UTF-8 by themselves are shown as U+FFFD.
    pub tokens: Vec<String>,
    /// The negative log-probability of each token but the first, in nats.
    pub nats: Vec<Option<f32>>,
    /// For each token but the first: the most likely tokens with their probabilities.
    pub top: Vec<Vec<(String, f32)>>,
}

/// How well the model knows the strings planted in its training text (`data.canaries`). The arrays
/// have one entry per number of repetitions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Canaries {
    /// How often a string was planted, ascending.
    pub repetitions: Vec<u64>,
    /// The share of strings of which the model, given the first half, predicts every token of the
    /// second.
    pub recall: Vec<f32>,
    /// The median rank of a string, by its probability, among itself and the strings that were
    /// never planted: 1 if the model prefers it to all of them.
    pub rank: Vec<f32>,
    /// How many strings were never planted.
    pub never: u64,
}

/// Norms and update sizes of each part of the model. The arrays have one entry per part; a number
/// that isn't finite or isn't known is `null`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Layers {
    /// The parts, such as `layers.0.attention`, in the order of the forward pass.
    pub names: Vec<String>,
    /// Gradient norm of the last step, before clipping.
    pub grad_norm: Vec<Option<f32>>,
    /// Root mean square of the last step's update divided by that of the weights.
    pub update_ratio: Vec<Option<f32>>,
    /// Root mean square of the weights.
    pub weight_rms: Vec<Option<f32>>,
    /// Root mean square of the residual stream after the part.
    pub activation_rms: Vec<Option<f32>>,
}

/// Where the time of a training step goes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Seconds per step for each kind of work, such as `linear backward`, the longest first.
    pub seconds: Vec<(String, f64)>,
}
