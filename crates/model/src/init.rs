//! Initial weights: small random numbers, each a function of the seed, the parameter's index in the
//! model and the element's index in the parameter.

use engine::{Device, Error, Field, Host, Init, RandomPurpose, Stream, Variable};

/// The initial values of a parameter.
fn initial(variable: &Variable, index: usize, seed: u64) -> Vec<f32> {
    match variable.init {
        Init::Zeros => vec![0.0; variable.len()],
        Init::Ones => vec![1.0; variable.len()],
        Init::Normal(std) => {
            let mut stream = Stream::new(seed, RandomPurpose::Init(index as u32), 0);
            (0..variable.len())
                .map(|_| (stream.normal() * std) as f32)
                .collect()
        }
    }
}

/// Initializes every parameter in a device's store.
///
/// # Errors
/// If the store lacks one of the variables.
pub fn initialize(device: &mut dyn Device, variables: &[Variable], seed: u64) -> Result<(), Error> {
    for (index, variable) in variables.iter().enumerate() {
        let numbers = initial(variable, index, seed);
        device.write_variable(&variable.name, Field::Weight, Host::Real(&numbers))?;
    }
    Ok(())
}
