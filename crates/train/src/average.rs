//! The average of the weights over the last steps: it stands nearer to the valley's floor than any
//! one step does, which the noise of its batch throws from side to side (Polyak and Juditsky, 1992;
//! Izmailov et al., 2018).

use crate::error::{Error, Result};
use engine::{Device, Field, Host, HostMut, Variable};
use model::{Pace, TensorFiles, TensorOutput, write_tensors};
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
    /// The share of the run that it spans.
    share: f64,
    /// One set of numbers for each variable; empty before it begins.
    values: Vec<Vec<f32>>,
}

impl Average {
    /// Over the last `share` of a run; never begins where the share is 0.
    pub fn new(share: f64) -> Average {
        Average {
            share,
            values: Vec::new(),
        }
    }

    /// Steps done when it begins, steps between two looks, and the gain of a look.
    fn plan(&self, pace: &Pace) -> (u64, u64, f64) {
        let (from, total) = pace.first_at(pace.places() as f64 * (1.0 - self.share));
        let constant = total.saturating_sub(from) as f64 / CONSTANTS;
        let interval = (constant / LOOKS).round().max(1.0);
        let gain = 1.0 - libm::exp(-interval / constant.max(1.0));
        (from.max(1), interval as u64, gain)
    }

    /// Bytes it takes for these variables.
    pub fn bytes(&self, variables: &[Variable]) -> u64 {
        match self.share > 0.0 {
            true => variables.iter().map(|v| 4 * v.len() as u64).sum(),
            false => 0,
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
    pub fn look(
        &mut self,
        device: &dyn Device,
        variables: &[Variable],
        (step, pace): (u64, &Pace),
    ) -> Result<()> {
        if self.share == 0.0 {
            return Ok(());
        }
        let (from, interval, gain) = self.plan(pace);
        let due = step == pace.total() || step.wrapping_sub(from).is_multiple_of(interval);
        if step < from || !due {
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
                *average += (gain * f64::from(weight - *average)) as f32;
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
        pace: &Pace,
    ) -> Result<()> {
        let begun = self.share > 0.0 && step >= self.plan(pace).0;
        if !begun && !averaged {
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
        if !begun {
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
