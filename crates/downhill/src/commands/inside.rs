//! `downhill inside`: what the parts of a trained model do with a passage.

use crate::arguments::Inside as Arguments;
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::session::{of_text, opened, threads};
use ::session::Opened;
use data::JobControl;
use run::{Head, Inside, LayerLens, RunFolder};
use serde::Serialize;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use train::{Corpus, Inspected, Settings};

/// Layers in the table; evenly spaced if there are more.
const LAYERS: usize = 6;
/// Columns of a token, and of what a layer says.
const TOKEN: usize = 10;
const SAID: usize = 15;
/// Tokens whose nearest are printed.
const NAMED: usize = 24;

/// What is printed as JSON.
#[derive(Serialize)]
struct OfCheckpoint {
    step: Option<u64>,
    checkpoint: String,
    #[serde(flatten)]
    inside: Inside,
}

pub fn run(a: &Arguments) -> Result<()> {
    let (mut opened, run) = opened(&a.saved)?;
    let inside = match &a.passage {
        Some(text) => {
            let tokenizer = opened.tokenizer.clone();
            let tokens = tokenizer.encode(text.as_bytes())?;
            opened.session().inspect_text(&tokenizer, &tokens)?
        }
        None => held_out(a, &mut opened, run.as_ref())?,
    };
    if a.json {
        let object = OfCheckpoint {
            step: opened.step,
            checkpoint: opened.folder.display().to_string(),
            inside,
        };
        writeln!(out(), "{}", output::json(&object)?)?;
        return Ok(());
    }
    let mut out = out();
    writeln!(out, "{}", opened.folder.display())?;
    writeln!(out, "{}\n", watch::line(&inside.tokens.concat()))?;
    heads(&mut out, &inside.heads)?;
    said(&mut out, &inside)?;
    near(&mut out, &inside)
}

/// The look at the run's held-out text that its events have.
fn held_out(a: &Arguments, opened: &mut Opened, run: Option<&RunFolder>) -> Result<Inside> {
    let Some(run) = run else {
        let folder = opened.folder.display();
        let message = format!("{folder} has no validation text: give a passage with --passage");
        return Err(Failure::Usage(message));
    };
    let tokenizer = opened.tokenizer.clone();
    let settings = Settings::read(run, &[])?;
    let threads = threads(a.saved.threads.map(|n| n as usize))?;
    let never = AtomicBool::new(false);
    let control = JobControl::new(threads, &never, &|_| {});
    let (config, source) = (&settings.config, &settings.source);
    let corpus = Corpus::of_run(run, source, config, Some(tokenizer.clone()), &control);
    let corpus = corpus.map_err(|error| of_text(error, "give a passage with --passage"))?;
    let inspected = Inspected::new(&corpus, &opened.model)?.ok_or_else(|| {
        Failure::Failed("the validation part is too short: give a passage with --passage".into())
    })?;
    Ok(inspected.look(&mut opened.session(), &tokenizer)?)
}

/// A table of heads: what each mostly looks at, and the shares of its attention.
fn heads(out: &mut dyn Write, heads: &[Head]) -> Result<()> {
    let percent = |share: Option<f32>| share.map_or("–".into(), |s| format!("{:.0}", 100.0 * s));
    let answers = heads.iter().any(|head| head.scores.answer.is_some());
    write!(
        out,
        "{:14}{:23}{:>9}{:>7}",
        "attention, %", "", "previous", "same"
    )?;
    write!(out, "{:>7}{:>11}", "word", "induction")?;
    if answers {
        write!(out, "{:>8}", "answer")?;
    }
    writeln!(out, "{:>7}", "first")?;
    for Head {
        layer,
        head,
        kind,
        scores,
        ..
    } in heads
    {
        let name = format!("layer {layer}.{head}");
        let [previous, same] = [scores.previous, scores.same].map(percent);
        let [word, induction] = [scores.word, scores.induction].map(percent);
        write!(out, "{name:14}{:23}{previous:>9}{same:>7}", kind.name())?;
        write!(out, "{word:>7}{induction:>11}")?;
        if answers {
            write!(out, "{:>8}", percent(scores.answer))?;
        }
        writeln!(out, "{:>7}", percent(scores.first))?;
    }
    Ok(())
}

/// A token on one line, with visible spaces; the end of text has no text.
fn visible(token: &str) -> String {
    match token {
        "" => "⟨end⟩".into(),
        _ => token.replace(' ', "␣"),
    }
}

/// A table of tokens: what each layer would say comes next, if it were the last.
fn said(out: &mut dyn Write, inside: &Inside) -> Result<()> {
    let last = inside.layers.len().saturating_sub(1);
    let shown = LAYERS.min(inside.layers.len());
    let layers: Vec<(usize, &LayerLens)> = (0..shown)
        .map(|i| last * i / (shown - 1).max(1))
        .filter_map(|at| Some((at, inside.layers.get(at)?)))
        .collect();
    write!(out, "\n{}", watch::cell("after", TOKEN))?;
    for (at, _) in &layers {
        write!(out, "  {}", watch::cell(&format!("layer {at}"), SAID))?;
    }
    writeln!(out, "  next")?;
    for (t, token) in inside.tokens.iter().enumerate() {
        write!(out, "{}", watch::cell(&visible(token), TOKEN))?;
        for (_, layer) in &layers {
            let said = layer.top.get(t).and_then(|top| top.first());
            let said = said.map_or(String::new(), |(token, share)| {
                let token = watch::cell(&visible(token), SAID - 5);
                format!("{token} {:3.0}%", 100.0 * share)
            });
            write!(out, "  {}", watch::cell(&said, SAID))?;
        }
        let next = inside.tokens.get(t + 1).map(|next| visible(next));
        writeln!(out, "  {}", watch::line(&next.unwrap_or_default()))?;
    }
    write!(out, "{}", watch::cell("nats", TOKEN))?;
    for (_, layer) in &layers {
        let nats = layer.mean_nats.map_or("–".into(), |n| format!("{n:.4}"));
        write!(out, "  {}", watch::cell(&nats, SAID))?;
    }
    writeln!(out)?;
    Ok(())
}

/// The nearest tokens.
fn near(out: &mut dyn Write, inside: &Inside) -> Result<()> {
    let all = &inside.embeddings;
    writeln!(out, "\n{}  nearest, by cosine", watch::cell("token", TOKEN))?;
    for (token, near) in all.tokens.iter().zip(&all.near).take(NAMED) {
        write!(out, "{}", watch::cell(&visible(token), TOKEN))?;
        for (token, cosine) in near {
            let named = format!("{} {cosine:.2}", visible(token));
            write!(out, "  {}", watch::cell(&named, SAID))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
