//! Learns a tokenizer, or times the encoding of a text, for `scripts/bench_tokenizer.py`.
//!
//! ```text
//! encode learn TEXT SIZE > tokenizer.json
//! encode run tokenizer.json TEXT THREADS ROUNDS IDS   # ids as u32; prints each round's seconds
//! encode tales BYTES > TEXT
//! ```
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use text::Tokenizer;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut out = std::io::stdout().lock();
    match arguments[..] {
        ["learn", text, size] => {
            let text = std::fs::read(text)?;
            let from = Instant::now();
            let tokenizer = Tokenizer::bpe(&[&text], size.parse()?);
            eprintln!("{:.3} seconds", from.elapsed().as_secs_f64());
            out.write_all(tokenizer.to_json().as_bytes())?;
        }
        ["run", tokenizer, text, threads, rounds, ids_file] => {
            let tokenizer = Tokenizer::open(Path::new(tokenizer))?;
            let (text, threads) = (std::fs::read(text)?, threads.parse()?);
            let mut ids = Vec::new();
            for _ in 0..rounds.parse()? {
                let from = Instant::now();
                ids = tokenizer.encode_on(&text, threads)?;
                writeln!(out, "{:.6}", from.elapsed().as_secs_f64())?;
            }
            if tokenizer.decode(&ids) != text {
                return Err("decoding doesn't return the original text".into());
            }
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            std::fs::write(ids_file, bytes)?;
        }
        ["tales", bytes] => out.write_all(&text::tales(1, bytes.parse()?, 1000).train)?,
        _ => return Err("usage: encode learn|run|tales …; see the top of its source".into()),
    }
    Ok(())
}
