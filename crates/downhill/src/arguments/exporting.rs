//! Arguments of `export`.

use super::which;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// A run, or a model's folder [default: the newest run in runs/]
    #[arg(value_name = "RUN|FOLDER")]
    pub run: Option<PathBuf>,
    /// Which checkpoint: best (by validation loss), last, or a step
    #[arg(long, value_name = "best|last|STEP", default_value = "best", value_parser = which)]
    pub checkpoint: run::Which,
    /// Where to: a name that ends in .gguf, or a folder
    #[arg(short, long, value_name = "FILE.gguf|FOLDER/")]
    pub output: PathBuf,
    /// The type of the matrices in a GGUF file [default: f32]
    #[arg(long, value_enum, value_name = "TYPE")]
    pub quantize: Option<Quantize>,
    /// Replace what is there
    #[arg(long)]
    pub overwrite: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The type of a GGUF file's matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quantize {
    /// 32-bit numbers: exactly the trained weights
    F32,
    /// 16-bit numbers: half the size
    F16,
    /// 8-bit numbers in blocks of 32: about a quarter of the size
    #[value(name = "q8_0")]
    Q8_0,
}

impl From<Quantize> for model::gguf::Quantization {
    fn from(quantize: Quantize) -> model::gguf::Quantization {
        match quantize {
            Quantize::F32 => model::gguf::Quantization::F32,
            Quantize::F16 => model::gguf::Quantization::F16,
            Quantize::Q8_0 => model::gguf::Quantization::Q8_0,
        }
    }
}
