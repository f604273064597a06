//! Arguments of `inside`.

use super::Saved;
use clap::Args;

/// `inside`
#[derive(Debug, Args)]
pub struct Inside {
    #[command(flatten)]
    pub saved: Saved,
    /// The text to read [default: the beginning of the run's validation part]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub passage: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
