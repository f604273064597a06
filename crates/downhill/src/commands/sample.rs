//! `downhill sample`: generates text with a trained model.

use crate::arguments::Sample;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{assignments, opened, stop_flag};
use model::Config;
use session::{Sampling, begin, write_text};
use std::io::{Write, stdin};
use std::sync::atomic::Ordering;
use train::Settings;

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

/// The config of these flags; errors name the flags instead of keys.
fn defaults(flags: &[String]) -> Result<Config> {
    Config::load(None, None, flags).map_err(|error| {
        let name = |text: String, flag: &String| {
            let Some((key, value)) = flag.split_once('=') else {
                return text;
            };
            let named = key.trim_start_matches("sample.").replace('_', "-");
            let named = format!("--{named} {value}");
            // A value that isn't a number is quoted.
            let text = text.replace(&format!("{key} = {value} (--set)"), &named);
            text.replace(&format!("{key} = {value:?} (--set)"), &named)
        };
        let text = flags.iter().fold(error.to_string(), name);
        Failure::Usage(text)
    })
}

pub fn run(a: &Sample) -> Result<()> {
    let flags = assignments(&[
        ("sample.tokens", a.tokens.clone()),
        ("sample.temperature", a.temperature.clone()),
        ("sample.top_k", a.top_k.clone()),
        ("sample.top_p", a.top_p.clone()),
        ("sample.seed", a.seed.clone()),
    ]);
    // Check the flags before looking for a run.
    let defaults = defaults(&flags)?;
    let (mut opened, run) = opened(&a.saved)?;
    let s = match run {
        Some(folder) => Settings::read(&folder, &flags)?.config.sample,
        None => defaults.sample,
    };
    let (tokenizer, step) = (opened.tokenizer.clone(), opened.step);
    let given = prompt(a)?;
    let prompt_text = given.as_deref().unwrap_or(&s.prompt);
    let prompt = begin(&tokenizer, prompt_text)?;
    let sampling = Sampling {
        temperature: s.temperature,
        top_k: s.top_k,
        top_p: s.top_p,
        seed: s.seed,
    };
    let stop = stop_flag()?;
    let mut text = String::new();
    let mut written = Ok(());
    let mut out = out();
    if !a.json {
        write!(out, "{prompt_text}")?;
    }
    let piece = |piece: &str| {
        if a.json {
            text.push_str(piece);
        } else {
            written = write!(out, "{piece}").and_then(|()| out.flush());
        }
        written.is_ok() && !stop.load(Ordering::Relaxed)
    };
    let mut session = opened.session();
    write_text(
        &mut session,
        &tokenizer,
        &prompt,
        s.tokens,
        &sampling,
        piece,
    )?;
    written?;
    if a.json {
        let object = serde_json::json!({
            "step": step, "prompt": prompt_text, "text": text, "seed": s.seed,
        });
        writeln!(out, "{}", output::json(&object)?)?;
    } else {
        writeln!(out)?;
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    Ok(())
}
