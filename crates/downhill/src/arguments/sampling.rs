//! How a model's texts are generated: arguments of `sample` and `chat`.

use super::Saved;
use clap::{Args, ValueEnum};
use engine::WeightForm;
use std::path::PathBuf;

/// How tokens are drawn.
#[derive(Debug, Clone, Default, Args)]
pub struct SamplingFlags {
    /// Number of tokens to generate
    #[arg(long, value_name = "N")]
    pub tokens: Option<String>,
    /// Values below 1 favor likely tokens; 0 always takes the most likely one
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub temperature: Option<String>,
    /// Sample only from the K most likely tokens
    #[arg(long, value_name = "K", allow_hyphen_values = true)]
    pub top_k: Option<String>,
    /// Sample only from the most likely tokens whose probabilities add up to P
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub top_p: Option<String>,
    /// Sample only tokens at least P times as likely as the most likely one [default: 0]
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub min_p: Option<f64>,
    /// Above 1, tokens of the prompt and the text so far become less likely [default: 1]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub repetition_penalty: Option<f64>,
    /// Subtract this from a token's logit for each time it was generated [default: 0]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub frequency_penalty: Option<f64>,
    /// Subtract this from the logit of each token that was generated [default: 0]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub presence_penalty: Option<f64>,
    /// Seed for sampling
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// End the text before this text; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Vec<String>,
    /// Leave out characters of the prompt that the model never saw
    #[arg(long)]
    pub skip_unknown: bool,
}

/// `sample`
#[derive(Debug, Args)]
pub struct Sample {
    #[command(flatten)]
    pub saved: Saved,
    /// Text to continue; - reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prompt: Option<String>,
    /// A file with the text to continue
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompt_file: Option<PathBuf>,
    #[command(flatten)]
    pub sampling: SamplingFlags,
    /// Number of texts; each next one has the next seed
    #[arg(short, long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub n: u64,
    /// Add to the JSON each token's log-probability, and those of the K most likely tokens
    #[arg(long, value_name = "K", requires = "json",
          value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub logprobs: Option<u64>,
    /// Print one JSON object for each text at its end instead of streaming the text
    #[arg(long)]
    pub json: bool,
}

/// `chat`
#[derive(Debug, Args)]
pub struct Chat {
    #[command(flatten)]
    pub saved: Saved,
    #[command(flatten)]
    pub sampling: SamplingFlags,
}

/// How a model's weights are stored while it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// As they were trained
    F32,
    /// Rounded to bf16: half the memory if the processor multiplies bf16, and faster
    Bf16,
    /// Rounded to 8 bits in blocks of 32: about a quarter of the memory, and the fastest
    Int8,
}

impl Weights {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Weights::F32 => "f32",
            Weights::Bf16 => "bf16",
            Weights::Int8 => "int8",
        }
    }

    /// The form in the engine.
    pub fn form(self) -> WeightForm {
        match self {
            Weights::F32 => WeightForm::F32,
            Weights::Bf16 => WeightForm::Bf16,
            Weights::Int8 => WeightForm::Int8,
        }
    }
}
