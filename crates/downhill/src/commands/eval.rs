//! `downhill eval`: how well a trained model predicts a text.

use crate::arguments::Eval;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{of_text, opened, threads};
use ::session::{Answers, Score};
use data::JobControl;
use model::Config;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use train::{Corpus, Examined, Settings, tokens_of};

pub fn run(a: &Eval) -> Result<()> {
    let (mut opened, run) = opened(&a.saved)?;
    let tokenizer = opened.tokenizer.clone();
    let settings = run
        .as_ref()
        .map(|run| Settings::read(run, &[]))
        .transpose()?;
    let mut corpus = None;
    let (tokens, what) = match (&a.text, &run, &settings) {
        (Some(path), _, settings) => {
            let what = path.display().to_string();
            let data = match settings {
                Some(settings) => settings.config.data.clone(),
                None => Config::load(None, None, &[])?.data,
            };
            let tokens = tokens_of(path, &tokenizer, &data)?;
            text::check_length(tokens.len(), 1, &what)?;
            (tokens, what)
        }
        (None, Some(run), Some(settings)) => {
            let (config, source) = (&settings.config, &settings.source);
            let threads = threads(a.saved.threads.map(|n| n as usize))?;
            let never = AtomicBool::new(false);
            let control = JobControl::new(threads, &never, &|_| {});
            let read = Corpus::of_run(run, source, config, Some(tokenizer.clone()), &control);
            corpus = Some(read.map_err(|error| of_text(error, "give it with --text"))?);
            (Vec::new(), "the validation part".into())
        }
        _ => {
            let folder = opened.folder.display();
            let message = format!("{folder} has no validation text: give one with --text");
            return Err(Failure::Usage(message));
        }
    };
    let mut session = opened.session();
    let (score, examined) = match &corpus {
        Some(corpus) => corpus.score(&mut session, corpus.validation.len())?,
        None => (session.score(&tokenizer, &tokens)?, None),
    };
    let floor = corpus.as_ref().and_then(Corpus::floor_bits_per_byte);
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
        if let Some(examined) = examined {
            for (name, answers) in parts(&examined) {
                object[format!("accuracy_{name}")] = answers.accuracy().into();
                object[format!("{name}_questions")] = answers.asked.into();
            }
        }
        writeln!(out, "{}", output::json(&object)?)?;
        return Ok(());
    }
    writeln!(out, "{} on {what}", opened.folder.display())?;
    print(&mut out, &score, floor, examined.as_ref())
}

/// The measurements, a line each.
fn print(
    out: &mut dyn Write,
    score: &Score,
    floor: Option<f64>,
    examined: Option<&Examined>,
) -> Result<()> {
    let (nats, bits) = (score.nats_per_token(), score.bits_per_byte());
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
    for (name, answers) in examined.into_iter().flat_map(parts) {
        let name = name.replace('_', " ");
        let (right, asked) = (answers.right, answers.asked);
        let share = 100.0 * answers.accuracy();
        writeln!(
            out,
            "  {name:14}  {share:.1}% of {asked} questions, {right} right"
        )?;
    }
    Ok(())
}

/// The answers by name.
fn parts(examined: &Examined) -> [(&'static str, Answers); 2] {
    [("train", examined.train), ("held_out", examined.held_out)]
}
