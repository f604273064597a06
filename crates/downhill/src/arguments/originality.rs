//! Arguments of `originality`.

use super::Saved;
use clap::Args;
use clap::builder::RangedU64ValueParser;

/// `originality`
#[derive(Debug, Args)]
pub struct Originality {
    #[command(flatten)]
    pub saved: Saved,
    /// Number of samples, and at most as many passages of each text
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub samples: usize,
    /// Tokens of each sample
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = RangedU64ValueParser::<usize>::new().range(100..=100_000))]
    pub tokens: usize,
    /// Values below 1 favor likely tokens; 0 always takes the most likely one [default: that of the
    /// run's samples]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub temperature: Option<String>,
    /// Sample only from the K most likely tokens
    #[arg(long, value_name = "K", allow_hyphen_values = true)]
    pub top_k: Option<String>,
    /// Sample only from the most likely tokens whose probabilities add up to P
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub top_p: Option<String>,
    /// Seed of the first sample; each next one has the next seed
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// Search at most this many training tokens; a larger text is sampled
    #[arg(long, value_name = "N", default_value_t = 500_000_000,
          value_parser = RangedU64ValueParser::<usize>::new().range(1000..=study::originality::MOST as u64))]
    pub index_tokens: usize,
    /// Number of samples to print
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub show: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
