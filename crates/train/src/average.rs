//! The average of the weights over the last steps. It cancels much of the noise of single batches,
//! so its loss is usually lower than that of the last step (Polyak and Juditsky, 1992; Izmailov et
//! al., 2018).

use crate::error::{Error, Result};
use engine::{Device, Field, Host, HostMut, Variable};
use model::{Pace, TensorFiles, TensorOutput, write_tensors};
use run::{Checkpoint, NamedFile};
use safetensors::Dtype;
use std::io;

/// The average, if the model's file holds the raw weights.
const AVERAGE: &str = "average.safetensors";
/// The raw weights, from which training continues, if the model's file holds the average.
const RAW: &str = "raw.safetensors";

/// Time constants in the averaged part of the run.
const CONSTANTS: f64 = 3.0;
/// Updates of the average per time constant.
const LOOKS: f64 = 16.0;

/// An exponential average of all weights: E ← E + κ (W − E), κ = 1 − exp(−interval / constant).
/// It starts as the weights of its first step.
pub struct Average {
    /// The last share of the run, over which it is taken.
    share: f64,
    /// One set of numbers per variable; empty until it starts.
    values: Vec<Vec<f32>>,
}

impl Average {
    /// An average over the last `share` of a run; with a share of 0 there is none.
    pub fn new(share: f64) -> Average {
        Average {
            share,
            values: Vec::new(),
        }
    }

    /// Its first step, the steps between two updates, and the gain of an update.
    fn plan(&self, pace: &Pace) -> (u64, u64, f64) {
        let (from, total) = pace.first_at(pace.places() as f64 * (1.0 - self.share));
        let constant = total.saturating_sub(from) as f64 / CONSTANTS;
        let interval = (constant / LOOKS).round().max(1.0);
        let gain = 1.0 - libm::exp(-interval / constant.max(1.0));
        (from.max(1), interval as u64, gain)
    }

    /// Memory for these variables, in bytes.
    pub fn bytes(&self, variables: &[Variable]) -> u64 {
        match self.share > 0.0 {
            true => variables.iter().map(|v| 4 * v.len() as u64).sum(),
            false => 0,
        }
    }

    /// Whether it has started.
    pub fn exists(&self) -> bool {
        !self.values.is_empty()
    }

    /// Updates it with the weights after `step` steps, if an update is due.
    ///
    /// # Errors
    /// If the device fails.
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

    /// Exchanges it with the device's weights. A second call undoes the first.
    ///
    /// # Errors
    /// If the device fails.
    pub fn swap(&mut self, device: &mut dyn Device, variables: &[Variable]) -> Result<()> {
        for (variable, values) in variables.iter().zip(&mut self.values) {
            let weights = read(device, variable)?;
            device.write_variable(&variable.name, Field::Weight, Host::Real(values))?;
            *values = weights;
        }
        Ok(())
    }

    /// The checkpoint file with the weights that the device doesn't hold. `averaged` is whether the
    /// device holds the average.
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

    /// Restores it from a checkpoint whose model the device holds. Afterwards the device holds the
    /// raw weights.
    ///
    /// # Errors
    /// If the file is missing or damaged, or the device fails.
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
        // An extended run averages its new end.
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
