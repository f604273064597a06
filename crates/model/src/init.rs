//! How does a model begin? With small random weights, each a function of the seed, the parameter's
//! place in the model and the number's place in the parameter.

use engine::{Device, Error, Host, Init, Part, RandomPurpose, Row, Stream};

/// The numbers that a parameter begins with.
fn initial(row: &Row, index: usize, seed: u64) -> Vec<f32> {
    match row.init {
        Init::Zeros => vec![0.0; row.len()],
        Init::Ones => vec![1.0; row.len()],
        Init::Normal(std) => {
            let mut stream = Stream::new(seed, RandomPurpose::Init(index as u32), 0);
            (0..row.len())
                .map(|_| (stream.normal() * std) as f32)
                .collect()
        }
    }
}

/// Gives every parameter of a device's store its first numbers.
///
/// # Errors
/// Where the store lacks one of the rows.
pub fn initialise(device: &mut dyn Device, rows: &[Row], seed: u64) -> Result<(), Error> {
    for (index, row) in rows.iter().enumerate() {
        let numbers = initial(row, index, seed);
        device.write_row(&row.name, Part::Weight, Host::Real(&numbers))?;
    }
    Ok(())
}
