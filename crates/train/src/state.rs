//! What a resumed run needs beside the model's own files: the optimiser's state and the step. The
//! data's order and every random number are functions of seed and step, so that is all.

use crate::error::{Error, Result};
use engine::{Device, Host, HostMut, Part, Row};
use run::Checkpoint;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};

/// File of the optimiser's state.
const OPTIMISER: &str = "optimizer.safetensors";
/// File of the rest.
const TRAINER: &str = "trainer_state.json";

/// The trainer's own state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Seconds of training steps so far.
    pub train_seconds: f64,
    /// Gradient norm of the first step.
    pub first_norm: f64,
    /// The config as run.toml had it.
    pub config: String,
}

/// The files of a checkpoint that hold the training state.
pub fn save(
    device: &dyn Device,
    rows: &[Row],
    states: usize,
    double: bool,
    state: &State,
) -> Result<Vec<(String, Vec<u8>)>> {
    let (dtype, size) = if double {
        (Dtype::F64, 8)
    } else {
        (Dtype::F32, 4)
    };
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for row in rows {
        for part in 0..states {
            let mut bytes = Vec::with_capacity(row.len() * size);
            if double {
                let mut numbers = vec![0.0f64; row.len()];
                device.read_row(&row.name, Part::State(part), HostMut::Double(&mut numbers))?;
                numbers.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
            } else {
                let mut numbers = vec![0.0f32; row.len()];
                device.read_row(&row.name, Part::State(part), HostMut::Real(&mut numbers))?;
                numbers.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
            }
            tensors.push((
                format!("{}.state.{part}", row.name),
                row.shape.clone(),
                bytes,
            ));
        }
    }
    let broken = |e: String| Error::Task(format!("{OPTIMISER} can't be made: {e}"));
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(dtype, shape.clone(), bytes);
        views.push((name.as_str(), view.map_err(|e| broken(e.to_string()))?));
    }
    let optimiser = serialize(views, None).map_err(|e| broken(e.to_string()))?;
    let trainer = serde_json::to_vec_pretty(state).map_err(|e| broken(e.to_string()))?;
    Ok(vec![
        (OPTIMISER.into(), optimiser),
        (TRAINER.into(), trainer),
    ])
}

/// Reads the trainer's own state.
pub fn load(from: &Checkpoint) -> Result<State> {
    let bytes = from.read(TRAINER)?;
    serde_json::from_slice(&bytes).map_err(|e| broken(from, TRAINER, e.to_string()))
}

/// Gives the optimiser's state to the device.
pub fn restore(
    device: &mut dyn Device,
    rows: &[Row],
    states: usize,
    from: &Checkpoint,
) -> Result<()> {
    let bytes = from.read(OPTIMISER)?;
    let file = SafeTensors::deserialize(&bytes);
    let file = file.map_err(|e| broken(from, OPTIMISER, e.to_string()))?;
    for row in rows {
        for part in 0..states {
            let name = format!("{}.state.{part}", row.name);
            let tensor = file.tensor(&name);
            let tensor = tensor.map_err(|e| broken(from, OPTIMISER, format!("{name}: {e}")))?;
            let data = tensor.data();
            let part = Part::State(part);
            match tensor.dtype() {
                Dtype::F64 => {
                    let numbers: Vec<f64> = data
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| f64::from_le_bytes(*b))
                        .collect();
                    device.write_row(&row.name, part, Host::Double(&numbers))?;
                }
                Dtype::F32 => {
                    let numbers: Vec<f32> = data
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| f32::from_le_bytes(*b))
                        .collect();
                    device.write_row(&row.name, part, Host::Real(&numbers))?;
                }
                other => {
                    return Err(broken(
                        from,
                        OPTIMISER,
                        format!("{name} is {other:?}, not F32 or F64"),
                    ));
                }
            }
        }
    }
    Ok(())
}

fn broken(from: &Checkpoint, file: &str, reason: String) -> Error {
    let path = from.path.join(file);
    run::Error::Broken { path, reason }.into()
}
