//! Prints what other programs are compared with, as lines of JSON:
//!
//! ```text
//! cargo run -q --release -p downhill-session --example logits -- MODEL "TEXT"
//! cargo run -q --release -p downhill-session --example logits -- MODEL --ids "[1, 2, 3]"
//! cargo run -q --release -p downhill-session --example logits -- MODEL --lines FILE
//! ```
//!
//! The first two print `{"ids": …, "logits": …}` of one text; the last prints `[text, ids]` for
//! each line of a file.
#![forbid(unsafe_code)]

use run::Which;
use session::{ModelFiles, Opened, Use};
use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [folder, "--lines", file] => lines(folder, file),
        [folder, "--ids", ids] => {
            logits(&mut open(folder)?, &serde_json::from_str::<Vec<u32>>(ids)?)
        }
        [folder, text] => {
            let mut opened = open(folder)?;
            let ids = opened.tokenizer.encode(text.as_bytes())?;
            logits(&mut opened, &ids)
        }
        _ => Err("usage: logits MODEL TEXT | --ids IDS | --lines FILE".into()),
    }
}

fn open(folder: &str) -> Result<Opened, Box<dyn Error>> {
    let how = Use::default();
    Ok(Opened::open(Path::new(folder), Which::Best, how)?)
}

fn logits(opened: &mut Opened, ids: &[u32]) -> Result<(), Box<dyn Error>> {
    if ids.is_empty() || ids.len() > opened.model.context {
        let (tokens, context) = (ids.len(), opened.model.context);
        return Err(format!("the text has {tokens} tokens; it must have 1 to {context}").into());
    }
    let all = opened.session().look(ids, 1)?.logits;
    let logits: Vec<&[f32]> = all.chunks(all.len() / ids.len()).collect();
    println!("{}", serde_json::json!({"ids": ids, "logits": logits}));
    Ok(())
}

fn lines(folder: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let tokenizer = ModelFiles::find(Path::new(folder), Which::Best)?.tokenizer;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::fs::read_to_string(file)?.lines() {
        let ids = tokenizer.encode(line.as_bytes())?;
        writeln!(out, "{}", serde_json::json!([line, ids]))?;
    }
    Ok(())
}
