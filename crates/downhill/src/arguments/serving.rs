//! Arguments of `serve`.

use super::Saved;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub saved: Saved,
    /// Port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub port: u16,
    /// Address to listen on; one that other machines can reach needs --api-key-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// A file with the key that requests must have
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// The model's name in the API [default: the run's name]
    #[arg(long, value_name = "NAME")]
    pub model_name: Option<String>,
    /// Let web pages of this origin use the API, as http://localhost:3000; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// Answer to this Host header too, as models.example:8000; may be repeated
    #[arg(long, value_name = "HOST:PORT")]
    pub allow_host: Vec<String>,
    /// Maximum number of texts written at once
    #[arg(long, value_name = "N", default_value_t = 256,
          value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub streams: u64,
    /// Maximum number of texts that wait for their turn; further requests are refused (429)
    #[arg(long, value_name = "N", default_value_t = 256,
          value_parser = clap::value_parser!(u64).range(0..=65_536))]
    pub queue: u64,
}
