//! State that a resumed run needs beside the model's own files: the optimizer's state and the step.
//! The order of the data and all random numbers are functions of seed and step.

use crate::error::{Error, Result};
use crate::patience::Patience;
use engine::{Device, Field, Host, HostMut, Optimizer, Variable};
use model::{TensorFiles, TensorOutput, write_tensors};
use run::{Checkpoint, NamedFile, Smoothed};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// File with the optimizer's state.
const OPTIMIZER: &str = "optimizer.safetensors";
/// File with the trainer's state.
pub const TRAINER: &str = "trainer_state.json";

/// The trainer's own state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps completed.
    pub step: u64,
    /// Seconds of training steps so far.
    pub train_seconds: f64,
    /// Gradient norm of the first step.
    pub first_norm: f64,
    /// Whether the model's file has the average of the last steps' weights.
    #[serde(default)]
    pub averaged: bool,
    /// The smoothed training loss.
    #[serde(default)]
    pub smoothed: Smoothed,
    /// What decides whether the model is at its best.
    #[serde(default)]
    pub patience: Patience,
    /// The config in run.toml.
    pub config: String,
}

/// The first variable whose weights or optimizer state on the device have a number that is not
/// finite.
pub fn not_finite<'a>(
    device: &dyn Device,
    variables: &'a [Variable],
    optimizer: &Optimizer,
) -> Result<Option<&'a str>> {
    for variable in variables {
        let states = optimizer.states(variable).into_iter().enumerate();
        let states = states.map(|(state, len)| (Field::State(state), len));
        for (field, len) in [(Field::Weight, variable.len())].into_iter().chain(states) {
            let mut numbers = vec![0.0f64; len];
            device.read_variable(&variable.name, field, HostMut::Double(&mut numbers))?;
            if !numbers.iter().all(|x| x.is_finite()) {
                return Ok(Some(&variable.name));
            }
        }
    }
    Ok(None)
}

/// The checkpoint files with the training state.
pub fn save<'a>(
    device: &'a dyn Device,
    variables: &'a [Variable],
    optimizer: &'a Optimizer,
    double: bool,
    state: &State,
) -> Result<Vec<NamedFile<'a>>> {
    let trainer = serde_json::to_vec_pretty(state)
        .map_err(|e| Error::Task(format!("{TRAINER} can't be encoded: {e}")))?;
    let content = move |to: &mut dyn Write| {
        let each = variables.iter().flat_map(|variable| {
            let states = optimizer.states(variable).into_iter().enumerate();
            states.map(move |(state, len)| output(device, variable, state, len, double))
        });
        write_tensors(to, None, each.collect())
    };
    Ok(vec![
        NamedFile::new(OPTIMIZER, content),
        NamedFile::bytes(TRAINER, trainer),
    ])
}

/// One optimizer state of a variable, to be written.
fn output<'a>(
    device: &'a dyn Device,
    variable: &'a Variable,
    state: usize,
    len: usize,
    double: bool,
) -> TensorOutput<'a> {
    let (name, field) = (&variable.name, Field::State(state));
    let bytes = move || -> io::Result<Vec<u8>> {
        let (mut reals, mut doubles) = (Vec::new(), Vec::new());
        let host = match double {
            true => {
                doubles.resize(len, 0.0f64);
                HostMut::Double(&mut doubles)
            }
            false => {
                reals.resize(len, 0.0f32);
                HostMut::Real(&mut reals)
            }
        };
        let read = device.read_variable(name, field, host);
        read.map_err(io::Error::other)?;
        let reals = reals.iter().flat_map(|x| x.to_le_bytes());
        Ok(reals
            .chain(doubles.iter().flat_map(|x| x.to_le_bytes()))
            .collect())
    };
    TensorOutput {
        name: format!("{name}.state.{state}"),
        dtype: if double { Dtype::F64 } else { Dtype::F32 },
        // A state whose size differs from the weights is stored as a vector.
        shape: match len == variable.len() {
            true => variable.shape.clone(),
            false => vec![len],
        },
        bytes: Box::new(bytes),
    }
}

/// Reads the trainer's own state.
pub fn load(from: &Checkpoint) -> Result<State> {
    let bytes = from.read(TRAINER)?;
    let state: State =
        serde_json::from_slice(&bytes).map_err(|e| broken(from, TRAINER, e.to_string()))?;
    if state.step != from.step {
        let reason = format!("it is of step {}, not {}", state.step, from.step);
        return Err(broken(from, TRAINER, reason));
    }
    Ok(state)
}

/// Copies the optimizer's state to the device.
pub fn restore(
    device: &mut dyn Device,
    variables: &[Variable],
    optimizer: &Optimizer,
    from: &Checkpoint,
) -> Result<()> {
    let path = from.check(OPTIMIZER)?;
    let wrong = |error: io::Error| broken(from, OPTIMIZER, error.to_string());
    let mut file = TensorFiles::open(&[path]).map_err(wrong)?;
    for variable in variables {
        for (state, len) in optimizer.states(variable).into_iter().enumerate() {
            let name = format!("{}.state.{state}", variable.name);
            let numbers = file.double(&name).map_err(wrong)?;
            if numbers.len() != len {
                let reason = format!("{name} has {} numbers, not {len}", numbers.len());
                return Err(broken(from, OPTIMIZER, reason));
            }
            if optimizer.is_square(variable, state) && numbers.iter().any(|&x| x < 0.0) {
                let reason = format!("{name} has a negative number, but holds means of squares");
                return Err(broken(from, OPTIMIZER, reason));
            }
            let field = Field::State(state);
            device.write_variable(&variable.name, field, Host::Double(&numbers))?;
        }
    }
    Ok(())
}

fn broken(from: &Checkpoint, file: &str, reason: String) -> Error {
    from.unusable(file, reason).into()
}
