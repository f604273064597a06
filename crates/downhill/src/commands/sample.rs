//! `downhill sample`: a trained model writes.

use crate::arguments::Sample;
use crate::failure::{Failure, Result};
use crate::session::{assignments, checkpoint, cpu, stop_flag, threads};
use model::{Config, Draw, Generator};
use std::io::{Write, stdout};
use std::sync::atomic::Ordering;
use train::{SavedModel, Settings, begin, write_text};

pub fn run(a: &Sample) -> Result<()> {
    let flags = assignments(&[
        ("sample.tokens", a.tokens.clone()),
        ("sample.temperature", a.temperature.clone()),
        ("sample.top_k", a.top_k.clone()),
        ("sample.top_p", a.top_p.clone()),
        ("sample.seed", a.seed.clone()),
    ]);
    // What is wrong with the flags is told before a run is looked for.
    Config::load(None, None, &flags)?;
    let (folder, checkpoint) = checkpoint(&a.saved)?;
    let s = Settings::read(&folder, &flags)?.config.sample;
    let threads = threads(a.saved.threads.map(|n| n as usize));
    let mut model = SavedModel::load(&folder, &checkpoint, cpu(threads))?;
    let prompt_text = a.prompt.as_deref().unwrap_or(&s.prompt);
    let prompt = begin(&model.tokenizer, prompt_text)?;
    let vocabulary = model.tokenizer.vocabulary_size();
    let mut generator = Generator::new(&mut model.device, &model.shape, vocabulary)?;
    let draw = Draw {
        temperature: s.temperature,
        top_k: s.top_k,
        top_p: s.top_p,
        seed: s.seed,
    };
    let stop = stop_flag()?;
    let mut text = String::new();
    let mut written = Ok(());
    let mut out = stdout().lock();
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
    write_text(
        &mut model.device,
        &mut generator,
        &model.tokenizer,
        &prompt,
        s.tokens,
        &draw,
        piece,
    )?;
    written?;
    if a.json {
        let object = serde_json::json!({
            "step": model.step, "prompt": prompt_text, "text": text, "seed": s.seed,
        });
        writeln!(out, "{object}")?;
    } else {
        writeln!(out)?;
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    Ok(())
}
