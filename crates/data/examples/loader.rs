//! Prints how many tokens per second the loader delivers from a prepared folder. Used by
//! `scripts/bench_data.py`.
//!
//! ```text
//! loader FOLDER CONTEXT BATCH SECONDS   # prints tokens per second; reads at least one epoch
//! ```
#![forbid(unsafe_code)]

use data::{Loader, Prepared};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, context, batch, seconds] = &arguments[..] else {
        return Err("usage: loader FOLDER CONTEXT BATCH SECONDS".into());
    };
    let prepared = Prepared::open(Path::new(folder))?;
    let (context, batch) = (context.parse()?, batch.parse()?);
    let seconds: f64 = seconds.parse()?;
    let epoch = prepared.train.len() as u64 / (context * batch) as u64;
    let mut loader = Loader::new(prepared.train.clone(), context, batch, 1)?;
    let (from, mut steps) = (Instant::now(), 0);
    while steps < epoch || from.elapsed().as_secs_f64() < seconds {
        loader.batch(steps)?;
        steps += 1;
    }
    let tokens = steps * (context * batch) as u64;
    println!("{:.0}", tokens as f64 / from.elapsed().as_secs_f64());
    Ok(())
}
