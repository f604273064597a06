//! Our half of `scripts/bench_pytorch.py`: sets up a model, writes its initial weights and its
//! batch to a folder, then reads a number of steps from each line of standard input and trains
//! them.
//!
//! ```text
//! cargo run -q --release -p downhill-bench --example peer -- MODEL f32|bf16 THREADS FOLDER
//! ```
#![forbid(unsafe_code)]

use bench::chosen::choose;
use bench::step::PreparedStep;
use engine::{Device, Field, HostMut, Precision};
use safetensors::{Dtype, tensor::TensorView};
use std::error::Error;
use std::io::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, precision, threads, folder] = arguments.as_slice() else {
        return Err("usage: peer MODEL f32|bf16 THREADS FOLDER".into());
    };
    let precision = match precision.as_str() {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        other => return Err(format!("unknown precision {other}: use f32 or bf16").into()),
    };
    let chosen = choose(std::slice::from_ref(name))?;
    let model = chosen.models.first().ok_or("name a model")?;
    let mut prepared = PreparedStep::new(threads.parse()?, precision, model)?;
    write_weights(&prepared, Path::new(folder))?;
    println!("{}", about(&prepared, model.vocabulary));
    for line in std::io::stdin().lines() {
        let mut seconds = Vec::new();
        let mut losses = Vec::new();
        for _ in 0..line?.trim().parse::<usize>()? {
            seconds.push(prepared.step()?);
            losses.push(prepared.loss()?);
        }
        let answer = serde_json::json!({
            "seconds": seconds, "losses": losses, "peak_bytes": run::peak_bytes(),
        });
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Everything the PyTorch side needs to train the same model.
fn about(p: &PreparedStep, vocabulary: usize) -> serde_json::Value {
    let (m, o) = (&p.config.model, &p.config.optim);
    serde_json::json!({
        "processor": engine::processor(),
        "family": m.family.name(), "layers": m.layers, "heads": m.heads, "width": m.width,
        "hidden": m.hidden, "context": m.context, "vocabulary": vocabulary, "bias": m.bias,
        "norm_epsilon": m.norm_epsilon, "batch": p.config.train.batch, "rate": o.lr,
        "betas": [o.beta1, o.beta2], "epsilon": o.epsilon, "weight_decay": o.weight_decay,
        "clip": o.clip, "inputs": p.inputs, "targets": p.targets,
    })
}

fn write_weights(p: &PreparedStep, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut tensors = Vec::new();
    for variable in &p.variables {
        let mut numbers = vec![0.0f32; variable.len()];
        let host = HostMut::Real(&mut numbers);
        p.device
            .read_variable(&variable.name, Field::Weight, host)?;
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        tensors.push((variable, bytes));
    }
    let views = tensors.iter().map(|(variable, bytes)| {
        let view = TensorView::new(Dtype::F32, variable.shape.clone(), bytes)?;
        Ok((variable.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let file = folder.join("model.safetensors");
    std::fs::write(file, safetensors::serialize(views, None)?)?;
    Ok(())
}
