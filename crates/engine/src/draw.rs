//! Random shapes and numbers for an operation's example, determined by a seed.

use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::random::{RandomPurpose, Stream};
use crate::variable::{Init, Variable};

/// Records an operation on random inputs of a random shape and returns the output to check.
pub type Example = fn(&mut Graph, &mut Draw) -> Result<ValueId>;

/// Draws shapes and numbers for one example.
pub struct Draw {
    stream: Stream,
    /// Content of parameters and inputs, in the order of recording.
    pub(crate) values: Vec<(ValueId, Vec<f64>)>,
    /// Content of token inputs.
    pub(crate) tokens: Vec<(ValueId, Vec<u32>)>,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        Draw {
            stream: Stream::new(seed, RandomPurpose::Check, 0),
            values: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// A size from 1 to `most`.
    pub fn size(&mut self, most: usize) -> usize {
        1 + self.stream.below(most)
    }

    fn normals(&mut self, len: usize) -> Vec<f64> {
        // Rounded to f32, so that both paths start from the same numbers.
        (0..len)
            .map(|_| f64::from(self.stream.normal() as f32))
            .collect()
    }

    fn variable(&mut self, g: &mut Graph, shape: &[usize]) -> ValueId {
        let name = format!("p{}", self.values.len());
        let value = g.variable(Variable::parameter(name, shape, Init::Zeros));
        let numbers = self.normals(shape.iter().product());
        self.values.push((value, numbers));
        value
    }

    /// A matrix whose gradient is checked.
    pub fn parameter(&mut self, g: &mut Graph, rows: usize, width: usize) -> ValueId {
        self.variable(g, &[rows, width])
    }

    /// A vector whose gradient is checked.
    pub fn vector(&mut self, g: &mut Graph, width: usize) -> ValueId {
        self.variable(g, &[width])
    }

    /// A matrix without gradient.
    pub fn input(&mut self, g: &mut Graph, rows: usize, width: usize) -> ValueId {
        let value = g.input(&format!("x{}", self.values.len()), rows, width);
        let numbers = self.normals(rows * width);
        self.values.push((value, numbers));
        value
    }

    /// Tokens below `vocabulary`.
    pub fn tokens(&mut self, g: &mut Graph, rows: usize, vocabulary: usize) -> ValueId {
        let numbers = (0..rows)
            .map(|_| self.stream.below(vocabulary) as u32)
            .collect();
        self.tokens_of(g, numbers)
    }

    /// These tokens.
    pub fn tokens_of(&mut self, g: &mut Graph, numbers: Vec<u32>) -> ValueId {
        let value = g.tokens(&format!("t{}", self.tokens.len()), numbers.len());
        self.tokens.push((value, numbers));
        value
    }
}
