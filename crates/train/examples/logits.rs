//! Prints the logits of a checkpoint for a text, as one line of JSON, so that another program can
//! compare its own:
//!
//! ```text
//! cargo run -q --release -p downhill-train --example logits -- RUN/checkpoints/step-000100 "TEXT"
//! ```
#![forbid(unsafe_code)]

use engine::{Cpu, Device, Host, HostMut, Plan, Purpose, Scalars, Settings};
use model::{Mode, decoder};
use run::{Disk, RunFolder, Which};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use train::SavedModel;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, text] = arguments.as_slice() else {
        return Err("usage: logits CHECKPOINT TEXT".into());
    };
    let mut model = load(Path::new(checkpoint))?;
    let ids = model.tokenizer.encode(text.as_bytes())?;
    if ids.is_empty() || ids.len() > model.shape.context {
        let (tokens, context) = (ids.len(), model.shape.context);
        return Err(format!("the text has {tokens} tokens, allowed are 1 to {context}").into());
    }
    let logits = logits(&mut model, &ids)?;
    println!("{}", serde_json::json!({"ids": ids, "logits": logits}));
    Ok(())
}

/// The model of a checkpoint's folder, which lies in its run's.
fn load(checkpoint: &Path) -> Result<SavedModel, Box<dyn Error>> {
    let step = checkpoint.file_name().and_then(|name| name.to_str());
    let step = step.and_then(|name| name.strip_prefix("step-")?.parse().ok());
    let step = step.ok_or("a checkpoint's folder is called step-NUMBER")?;
    let run = checkpoint.ancestors().nth(2);
    let run = run.ok_or("a checkpoint lies in RUN/checkpoints")?;
    let folder = RunFolder::open(Arc::new(Disk), run)?;
    let checkpoint = folder.checkpoints().open(Which::Step(step))?;
    let device = Cpu::new(Settings::with_threads(1));
    Ok(SavedModel::load(&folder, &checkpoint, device)?)
}

/// What the model says of the token after each position [T][V], all positions at once.
fn logits(model: &mut SavedModel, ids: &[u32]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let vocabulary = model.tokenizer.vocabulary_size();
    let mut recorded = decoder(&model.shape, vocabulary, (1, ids.len()), Mode::Score)?;
    recorded.graph.keep(recorded.logits);
    let plan = Plan::new(&recorded.graph, 1, Purpose::Infer)?;
    let device = &mut model.device;
    let ready = device.prepare(Arc::new(recorded.graph), plan)?;
    device.write(ready, recorded.tokens, Host::Tokens(ids))?;
    if let Some(positions) = recorded.positions {
        let at: Vec<u32> = (0..ids.len() as u32).collect();
        device.write(ready, positions, Host::Tokens(&at))?;
    }
    if let Some(targets) = recorded.targets {
        device.write(ready, targets, Host::Tokens(ids))?;
    }
    let scalars = Scalars {
        seed: 0,
        step: 0,
        rate: 0.0,
        position: 0,
        loss_weight: 1.0,
    };
    device.run(ready, &scalars)?;
    let mut all = vec![0.0; ids.len() * vocabulary];
    device.read(ready, recorded.logits, HostMut::Real(&mut all))?;
    Ok(all.chunks(vocabulary).map(<[f32]>::to_vec).collect())
}
