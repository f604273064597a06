//! What the parts of a model do with a passage: where its attention heads look, what it would say
//! after each layer, and which tokens it holds to be alike.

use crate::json::number;
use serde::{Deserialize, Serialize};

/// A look inside a model. The event is emitted with the lens; `downhill inside` prints the same.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Inside {
    /// The text of each token of the passage [T].
    pub tokens: Vec<String>,
    /// Every attention head, in the order of [`HeadKind`], the clearest first.
    pub heads: Vec<Head>,
    /// What the model would say after each layer.
    pub layers: Vec<LayerLens>,
    /// Tokens on a map.
    pub embeddings: Embeddings,
    /// How long the look took, in seconds.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
}

/// What an attention head mostly looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// The previous token.
    Previous,
    /// Earlier occurrences of the same token, or the token itself.
    Same,
    /// The beginning of the word.
    Word,
    /// The places of what comes next: [`HeadScores::induction`] or [`HeadScores::answer`].
    Copying,
    /// The first token.
    First,
    /// None of these.
    #[default]
    Mixed,
}

impl HeadKind {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            HeadKind::Copying => "copying",
            HeadKind::Previous => "previous token",
            HeadKind::Same => "same token",
            HeadKind::Word => "beginning of the word",
            HeadKind::First => "first token",
            HeadKind::Mixed => "mixed",
        }
    }
}

/// An attention head and its look at the passage.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Head {
    /// Its layer, from 0.
    pub layer: usize,
    /// Its number within the layer, from 0.
    pub head: usize,
    /// What it mostly looks at.
    pub kind: HeadKind,
    /// The attention that it pays to each kind of place.
    pub scores: HeadScores,
    /// The attention from each token (row t has t + 1 numbers) to those up to it, in 1/255. Rows
    /// sum to 255, up to rounding.
    pub attention: Vec<Vec<u8>>,
}

/// The mean share of a head's attention that goes to some places, from all tokens for which there
/// are such places; `None` if there are none. From 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HeadScores {
    /// To the previous token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<f32>,
    /// To occurrences of the same token, itself included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<f32>,
    /// To the first token of the same word, where that is further back than the previous token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<f32>,
    /// To the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f32>,
    /// In a random sequence that is repeated: to the token after the earlier occurrence of the same
    /// token. The prefix-matching score of Olsson et al., "In-context learning and induction
    /// heads" (2022).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub induction: Option<f32>,
    /// In questions: from where a token of the answer is predicted to the places that have this
    /// token. `None` if most answers have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<f32>,
}

/// What the model would say if a layer were the last: the logit lens (nostalgebraist,
/// "interpreting GPT: the logit lens", 2020). The final norm and the output head read the residual
/// stream after the layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerLens {
    /// The negative log-probability of each token but the first, in nats.
    pub nats: Vec<Option<f32>>,
    /// Their mean.
    pub mean_nats: Option<f32>,
    /// The tokens that are most likely to follow each token, with their probabilities.
    pub top: Vec<Vec<(String, f32)>>,
}

/// Token embeddings, projected on their first two principal components.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Embeddings {
    /// The text of each token.
    pub tokens: Vec<String>,
    /// Coordinates; the token furthest from the mean is at distance 1. Signs and the order of
    /// nearly equal axes are arbitrary.
    pub x: Vec<f32>,
    /// As `x`.
    pub y: Vec<f32>,
    /// The share of the variance that the two components hold.
    pub share: Option<f32>,
    /// For each token, those that are nearest by cosine, and the cosine.
    pub near: Vec<Vec<(String, f32)>>,
}
