//! How does a model begin? With small random weights, each a function of the seed, the parameter's
//! place in the model and the number's place in the parameter.

use engine::{Device, Error, Field, Host, Init, RandomPurpose, Stream, Variable};

/// The numbers that a parameter begins with.
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

/// Gives every parameter of a device's store its first numbers.
///
/// # Errors
/// Where the store lacks one of the variables.
pub fn initialize(device: &mut dyn Device, variables: &[Variable], seed: u64) -> Result<(), Error> {
    for (index, variable) in variables.iter().enumerate() {
        let numbers = initial(variable, index, seed);
        device.write_variable(&variable.name, Field::Weight, Host::Real(&numbers))?;
    }
    Ok(())
}
