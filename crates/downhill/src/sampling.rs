//! What commands that sample share: sampling settings from flags and the run, and prompts.

use crate::arguments::{SamplingFlags, Saved};
use crate::failure::{Failure, Result};
use crate::output::tell;
use crate::session::{assignments, opened_for};
use ::session::{Error, Opened, Sampling, Writing, begin, known_only};
use model::{Config, SampleConfig};
use run::RunFolder;
use text::Tokenizer;
use train::Settings;

/// Maximum number of characters named that are left out.
const MOST_NAMED: usize = 20;

/// Opens the model, and combines the flags with the settings of its run.
pub fn open(saved: &Saved, flags: &SamplingFlags) -> Result<(Opened, Writing, SampleConfig)> {
    let (opened, writing, config, _) = open_many(saved, flags, 1)?;
    Ok((opened, writing, config))
}

/// The same with room for several sequences, and the run.
pub fn open_many(
    saved: &Saved,
    flags: &SamplingFlags,
    sequences: usize,
) -> Result<(Opened, Writing, SampleConfig, Option<RunFolder>)> {
    let sets = assignments(&[
        ("sample.tokens", flags.tokens.clone()),
        ("sample.temperature", flags.temperature.clone()),
        ("sample.top_k", flags.top_k.clone()),
        ("sample.top_p", flags.top_p.clone()),
        ("sample.seed", flags.seed.clone()),
    ]);
    // Check the flags before looking for a run.
    let defaults = defaults(&sets)?;
    writing(flags, &defaults.sample)?;
    let (opened, run) = opened_for(saved, sequences)?;
    let config = match &run {
        Some(folder) => Settings::read(folder, &sets)?.config.sample,
        None => defaults.sample,
    };
    Ok((opened, writing(flags, &config)?, config, run))
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

fn writing(flags: &SamplingFlags, config: &SampleConfig) -> Result<Writing> {
    let off = Sampling::default();
    let sampling = Sampling {
        temperature: config.temperature,
        top_k: config.top_k,
        top_p: config.top_p,
        min_p: flags.min_p.unwrap_or(off.min_p),
        repetition_penalty: flags.repetition_penalty.unwrap_or(off.repetition_penalty),
        frequency_penalty: flags.frequency_penalty.unwrap_or(off.frequency_penalty),
        presence_penalty: flags.presence_penalty.unwrap_or(off.presence_penalty),
        seed: config.seed,
    };
    sampling.check().map_err(|error| {
        let flag = error.to_string().replace('_', "-");
        Failure::Usage(format!("--{flag}"))
    })?;
    Ok(Writing {
        tokens: config.tokens,
        sampling,
        stop: flags.stop.clone(),
        log_probabilities: None,
    })
}

/// A prompt; with `skip`, without the characters that have no token, which are named.
pub fn kept(tokenizer: &Tokenizer, prompt: &str, skip: bool) -> String {
    if !skip {
        return prompt.to_owned();
    }
    let (kept, unknown) = known_only(tokenizer, prompt);
    if unknown.is_empty() {
        return kept;
    }
    let named: Vec<String> = (unknown.iter().take(MOST_NAMED))
        .map(|c| format!("{c:?}"))
        .collect();
    let more = if unknown.len() > MOST_NAMED {
        ", …"
    } else {
        ""
    };
    let named = named.join(", ");
    tell(&format!(
        "left out, since the model never saw it: {named}{more}"
    ));
    kept
}

/// The tokens of a prompt.
pub fn tokens(tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>> {
    begin(tokenizer, prompt).map_err(|error| match error {
        Error::Text(text::Error::UnknownCharacter { .. }) => Failure::Failed(format!(
            "{error}; --skip-unknown leaves such characters out"
        )),
        other => other.into(),
    })
}
