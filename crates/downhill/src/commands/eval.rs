//! `downhill eval`: how well a trained model predicts a text.

use crate::arguments::Eval;
use crate::failure::{Failure, Result};
use crate::session::{checkpoint, cpu, threads};
use std::io::{Write, stdout};
use std::path::Path;
use text::ReadOptions;
use train::{Corpus, SavedModel, Scorer, check_same_text};

pub fn run(a: &Eval) -> Result<()> {
    let (folder, checkpoint) = checkpoint(&a.saved)?;
    let threads = threads(a.saved.threads.map(|n| n as usize));
    let mut model = SavedModel::load(&folder, &checkpoint, cpu(threads))?;
    let (tokens, floor, what) = match &a.text {
        Some(path) => (read(path, &model)?, None, path.display().to_string()),
        None => {
            let (config, source) = (&model.settings.config, &model.settings.source);
            let validation = source.validation.as_deref();
            let corpus = Corpus::read(
                &source.paths,
                validation,
                &config.data,
                config.model.context,
                Some(model.tokenizer.clone()),
            )?;
            check_same_text(&folder, source, &corpus)?;
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

/// A text of one's own, in the model's tokens.
fn read(path: &Path, model: &SavedModel) -> Result<Vec<u32>> {
    let config = &model.settings.config.data;
    let options = ReadOptions {
        raw_bytes: config.tokenizer == model::Tokenizer::Bytes,
        lossy: config.lossy,
        validation_bytes: 0,
    };
    let text = text::read(&[path.to_path_buf()], None, &options)?;
    let tokens = model
        .tokenizer
        .encode(&[text.train, text.validation].concat());
    let named = |e: text::Error| Failure::Failed(format!("{}: {e}", path.display()));
    let tokens = tokens.map_err(named)?;
    text::check_length(tokens.len(), 1, &path.display().to_string())?;
    Ok(tokens)
}
