//! `downhill eval`: how well a trained model predicts a text.

use crate::arguments::Eval;
use crate::failure::Result;
use crate::session::{checkpoint, cpu, threads};
use data::Watch;
use std::io::{Write, stdout};
use std::sync::atomic::AtomicBool;
use train::{Corpus, SavedModel, Scorer, tokens_of};

pub fn run(a: &Eval) -> Result<()> {
    let (folder, checkpoint) = checkpoint(&a.saved)?;
    let threads = threads(a.saved.threads.map(|n| n as usize));
    let mut model = SavedModel::load(&folder, &checkpoint, cpu(threads))?;
    let (tokens, floor, what) = match &a.text {
        Some(path) => {
            let what = path.display().to_string();
            let tokens = tokens_of(path, &model.tokenizer, &model.settings.config.data)?;
            text::check_length(tokens.len(), 1, &what)?;
            (tokens, None, what)
        }
        None => {
            let (config, source) = (&model.settings.config, &model.settings.source);
            let tokenizer = model.tokenizer.clone();
            let never = AtomicBool::new(false);
            let watch = Watch::new(threads, &never, &|_| {});
            let corpus = Corpus::of_run(&folder, source, config, tokenizer, &watch)?;
            let floor = corpus.floor_bits_per_byte();
            (corpus.validation, floor, "the validation part".into())
        }
    };
    let vocabulary = model.tokenizer.vocabulary_size();
    let mut scorer = Scorer::new(model.shape.clone(), vocabulary);
    let score = scorer.score_text(&mut model.device, &model.tokenizer, &tokens)?;
    let mut out = stdout().lock();
    let (nats, bits) = (score.nats_per_token(), score.bits_per_byte());
    if a.json {
        let mut object = serde_json::json!({
            "nats_per_token": nats,
            "bits_per_byte": bits,
            "perplexity": nats.exp(),
            "tokens": score.tokens,
            "bytes": score.bytes,
            "step": model.step,
        });
        if let Some(floor) = floor {
            object["floor_bits_per_byte"] = floor.into();
        }
        writeln!(out, "{object}")?;
        return Ok(());
    }
    writeln!(out, "{} on {what}", checkpoint.path.display())?;
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
