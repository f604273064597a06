//! The average of the weights over the last steps: it stands nearer to the valley's floor than any
//! one step does, which the noise of its batch throws from side to side (Polyak and Juditsky, 1992;
//! Izmailov et al., 2018).

use crate::error::{Error, Result};
use engine::{Device, Field, Host, HostMut, Variable};
use model::{TensorFiles, TensorOutput, write_tensors};
use run::{Checkpoint, NamedFile};
use safetensors::Dtype;
use std::io;

/// File of the average, where the model's own file has the weights that training goes on from.
const AVERAGE: &str = "average.safetensors";
/// File of the weights that training goes on from, where the model's own file has the average.
const RAW: &str = "raw.safetensors";

/// Time constants in the share of steps that is averaged.
const CONSTANTS: f64 = 3.0;
/// Looks at the weights in one time constant.
const LOOKS: f64 = 16.0;

/// An exponential average of all weights: E ← E + κ (W − E), κ = 1 − exp(−interval / constant).
/// It begins as the weights of the first step that it sees.
pub struct Average {
    /// Steps done when it begins.
    from: u64,
    /// The step at which it looks for the last time.
    last: u64,
    interval: u64,
    gain: f64,
    /// One set of numbers for each variable; empty before it begins.
    values: Vec<Vec<f32>>,
}

impl Average {
    /// Over the last `share` of `steps`; never begins where the share is 0.
    pub fn new(share: f64, steps: u64) -> Average {
        let length = (share * steps as f64).round();
        let constant = length / CONSTANTS;
        let interval = (constant / LOOKS).round().max(1.0);
        let never = length < 1.0;
        Average {
            from: if never {
                u64::MAX
            } else {
                steps - length as u64
            },
            last: steps,
            interval: interval as u64,
            gain: 1.0 - libm::exp(-interval / constant.max(1.0)),
            values: Vec::new(),
        }
    }

    /// Bytes it takes for these variables.
    pub fn bytes(&self, variables: &[Variable]) -> u64 {
        match self.from {
            u64::MAX => 0,
            _ => variables.iter().map(|v| 4 * v.len() as u64).sum(),
        }
    }

    /// Whether there is one yet.
    pub fn exists(&self) -> bool {
        !self.values.is_empty()
    }

    /// Looks at the weights after `step` steps, where it is time to.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn look(&mut self, device: &dyn Device, variables: &[Variable], step: u64) -> Result<()> {
        let due = step == self.last || step.wrapping_sub(self.from).is_multiple_of(self.interval);
        if step < self.from || !due {
            return Ok(());
        }
        let first = !self.exists();
        for (index, variable) in variables.iter().enumerate() {
            let weights = read(device, variable)?;
            if first {
                self.values.push(weights);
                continue;
            }
            for (average, weight) in self.values[index].iter_mut().zip(weights) {
                *average += (self.gain * f64::from(weight - *average)) as f32;
            }
        }
        Ok(())
    }

    /// Exchanges it with the device's weights; twice changes nothing.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn swap(&mut self, device: &mut dyn Device, variables: &[Variable]) -> Result<()> {
        for (variable, values) in variables.iter().zip(&mut self.values) {
            let weights = read(device, variable)?;
            device.write_variable(&variable.name, Field::Weight, Host::Real(values))?;
            *values = weights;
        }
        Ok(())
    }

    /// The file of a checkpoint that holds what [`Average::swap`] would give the device; `averaged`
    /// says whether the device has the average now.
    pub fn file<'a>(&'a self, variables: &'a [Variable], averaged: bool) -> Option<NamedFile<'a>> {
        let each = move || {
            let tensors = variables
                .iter()
                .zip(&self.values)
                .map(|(variable, values)| {
                    let bytes = move || Ok(values.iter().flat_map(|x| x.to_le_bytes()).collect());
                    TensorOutput {
                        name: variable.name.clone(),
                        dtype: Dtype::F32,
                        shape: variable.shape.clone(),
                        bytes: Box::new(bytes),
                    }
                });
            tensors.collect()
        };
        let name = if averaged { RAW } else { AVERAGE };
        let file = NamedFile::new(name, move |to| write_tensors(to, None, each()));
        self.exists().then_some(file)
    }

    /// Goes on from a checkpoint whose weights the device has: afterwards the device has those that
    /// training goes on from.
    ///
    /// # Errors
    /// Where the file is missing or damaged, or the device fails.
    pub fn restore(
        &mut self,
        device: &mut dyn Device,
        variables: &[Variable],
        from: &Checkpoint,
        (step, averaged): (u64, bool),
    ) -> Result<()> {
        if step < self.from && !averaged {
            return Ok(());
        }
        let name = if averaged { RAW } else { AVERAGE };
        let path = from.check(name)?;
        let wrong = |error: io::Error| -> Error {
            let (path, reason) = (from.path.join(name), error.to_string());
            run::Error::Broken { path, reason }.into()
        };
        let mut file = TensorFiles::open(&[path]).map_err(wrong)?;
        self.values.clear();
        for variable in variables {
            let values = file.real(&variable.name).map_err(wrong)?;
            if values.len() != variable.len() {
                let (found, name) = (values.len(), &variable.name);
                let reason = format!("{name} has {found} numbers, not {}", variable.len());
                return Err(wrong(io::Error::other(reason)));
            }
            self.values.push(values);
        }
        if averaged {
            self.swap(device, variables)?;
        }
        // A longer schedule averages its own end.
        if step < self.from {
            self.values.clear();
        }
        Ok(())
    }
}

fn read(device: &dyn Device, variable: &Variable) -> Result<Vec<f32>> {
    let mut weights = vec![0.0; variable.len()];
    device.read_variable(&variable.name, Field::Weight, HostMut::Real(&mut weights))?;
    Ok(weights)
}
