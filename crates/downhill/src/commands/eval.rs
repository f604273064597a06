//! `downhill eval`: how well a trained model predicts a text.

use crate::arguments::Eval;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{of_text, opened, threads};
use data::JobControl;
use model::Config;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use train::{Corpus, Settings, tokens_of};

pub fn run(a: &Eval) -> Result<()> {
    let (mut opened, run) = opened(&a.saved)?;
    let tokenizer = opened.tokenizer.clone();
    let settings = run
        .as_ref()
        .map(|run| Settings::read(run, &[]))
        .transpose()?;
    let (tokens, floor, what) = match (&a.text, &run, &settings) {
        (Some(path), _, settings) => {
            let what = path.display().to_string();
            let data = match settings {
                Some(settings) => settings.config.data.clone(),
                None => Config::load(None, None, &[])?.data,
            };
            let tokens = tokens_of(path, &tokenizer, &data)?;
            text::check_length(tokens.len(), 1, &what)?;
            (tokens, None, what)
        }
        (None, Some(run), Some(settings)) => {
            let (config, source) = (&settings.config, &settings.source);
            let threads = threads(a.saved.threads.map(|n| n as usize))?;
            let never = AtomicBool::new(false);
            let control = JobControl::new(threads, &never, &|_| {});
            let corpus = Corpus::of_run(run, source, config, Some(tokenizer.clone()), &control);
            let corpus = corpus.map_err(|error| of_text(error, "give it with --text"))?;
            let floor = corpus.floor_bits_per_byte();
            (corpus.validation, floor, "the validation part".into())
        }
        _ => {
            let folder = opened.folder.display();
            let message = format!("{folder} has no validation text: give one with --text");
            return Err(Failure::Usage(message));
        }
    };
    let score = opened.session().score(&tokenizer, &tokens)?;
    let mut out = out();
    let (nats, bits) = (score.nats_per_token(), score.bits_per_byte());
    if a.json {
        let mut object = serde_json::json!({
            "nats_per_token": nats,
            "bits_per_byte": bits,
            "perplexity": nats.exp(),
            "tokens": score.tokens,
            "bytes": score.bytes,
            "step": opened.step,
            "run": run.as_ref().map(|run| run.path().display().to_string()),
            "checkpoint": opened.folder.display().to_string(),
            "text": what,
        });
        if let Some(floor) = floor {
            object["floor_bits_per_byte"] = floor.into();
        }
        writeln!(out, "{}", output::json(&object)?)?;
        return Ok(());
    }
    writeln!(out, "{} on {what}", opened.folder.display())?;
    writeln!(out, "  nats per token  {nats:.4}")?;
    writeln!(out, "  bits per byte   {bits:.4}")?;
    writeln!(out, "  perplexity      {:.3}", nats.exp())?;
    if let Some(floor) = floor {
        let above = 100.0 * (bits / floor - 1.0);
        writeln!(out, "  entropy floor   {floor:.4} ({above:+.1}%)")?;
    }
    writeln!(
        out,
        "  scored          {} tokens, {} bytes",
        score.tokens, score.bytes
    )?;
    Ok(())
}
