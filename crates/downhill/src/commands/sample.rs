//! `downhill sample`: generates text with a trained model.

use crate::arguments::Sample;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::sampling::{kept, open, tokens};
use crate::session::stop_flag;
use ::session::{LogProbability, write};
use serde_json::{Value, json};
use std::io::{Write, stdin};
use std::sync::atomic::Ordering;
use text::Tokenizer;

/// The prompt that was given: as text, in a file, or on standard input.
fn prompt(a: &Sample) -> Result<Option<String>> {
    let (name, text) = match (&a.prompt, &a.prompt_file) {
        (Some(text), _) if text == "-" => {
            ("standard input".into(), std::io::read_to_string(stdin()))
        }
        (text, None) => return Ok(text.clone()),
        (_, Some(path)) => (path.display().to_string(), std::fs::read_to_string(path)),
    };
    let text = text.map_err(|e| Failure::Failed(format!("{name}: can't be read: {e}")))?;
    Ok(Some(text))
}

pub fn run(a: &Sample) -> Result<()> {
    let (mut opened, mut writing, config) = open(&a.saved, &a.sampling)?;
    writing.log_probabilities = a.logprobs.map(|top| top as usize);
    let (tokenizer, step) = (opened.tokenizer.clone(), opened.step);
    let given = prompt(a)?;
    let given = given.as_deref().unwrap_or(&config.prompt);
    let prompt_text = kept(&tokenizer, given, a.sampling.skip_unknown);
    let prompt = tokens(&tokenizer, &prompt_text)?;
    let stop = stop_flag()?;
    let mut out = out();
    let first = writing.sampling.seed;
    for seed in (0..a.n).map(|i| first.wrapping_add(i)) {
        writing.sampling.seed = seed;
        if !a.json {
            if a.n > 1 {
                writeln!(out, "--- seed {seed}")?;
            }
            write!(out, "{prompt_text}")?;
        }
        let (mut text, mut log_probabilities) = (String::new(), Vec::new());
        let mut written = Ok(());
        let ending = write(
            &mut opened.session(),
            &tokenizer,
            &prompt,
            &writing,
            |piece| {
                log_probabilities.extend(piece.log_probability);
                if a.json {
                    text.push_str(&piece.text);
                } else {
                    written = write!(out, "{}", piece.text).and_then(|()| out.flush());
                }
                written.is_ok() && !stop.load(Ordering::Relaxed)
            },
        )?;
        written?;
        if a.json {
            let mut object = json!({
                "step": step, "prompt": prompt_text, "text": text, "seed": seed,
                "ending": ending.name(),
            });
            if a.logprobs.is_some() {
                let all = log_probabilities.iter();
                object["logprobs"] = all.map(|l| shown(&tokenizer, l)).collect();
            }
            writeln!(out, "{}", output::json(&object)?)?;
        } else {
            writeln!(out)?;
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
    }
    Ok(())
}

/// A token's log-probabilities as JSON.
fn shown(tokenizer: &Tokenizer, of: &LogProbability) -> Value {
    let token = |id: u32, nats: f64| {
        let bytes = tokenizer.decode(&[id]);
        let text = match id == tokenizer.end_of_text() {
            true => text::END_OF_TEXT.into(),
            false => String::from_utf8_lossy(&bytes),
        };
        json!({"id": id, "token": text, "logprob": nats})
    };
    let mut object = token(of.token, of.nats);
    object["top"] = of.top.iter().map(|&(id, nats)| token(id, nats)).collect();
    object
}
