//! Prints a model's logits for a text as one line of JSON, for comparison with other programs:
//!
//! ```text
//! cargo run -q --release -p downhill-session --example logits -- CHECKPOINT "TEXT"
//! ```
#![forbid(unsafe_code)]

use run::Which;
use session::{Opened, Use};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, text] = arguments.as_slice() else {
        return Err("usage: logits CHECKPOINT TEXT".into());
    };
    let how = Use {
        threads: 1,
        sequences: 1,
    };
    let mut opened = Opened::open(Path::new(folder), Which::Best, how)?;
    let ids = opened.tokenizer.encode(text.as_bytes())?;
    if ids.is_empty() || ids.len() > opened.model.context {
        let (tokens, context) = (ids.len(), opened.model.context);
        return Err(format!("the text has {tokens} tokens; it must have 1 to {context}").into());
    }
    let all = opened.session().look(&ids, 1)?.logits;
    let logits: Vec<&[f32]> = all.chunks(all.len() / ids.len()).collect();
    println!("{}", serde_json::json!({"ids": ids, "logits": logits}));
    Ok(())
}
