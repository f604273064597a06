//! The types of numbers in a GGUF file.

use crate::hugging_face::layout::FileTensor;
use engine::int8::{BLOCK, quantize};
use half::f16;
use std::fmt;

/// How the matrices of a file are stored. Vectors and position embeddings are always f32, as in the
/// files of llama.cpp's converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantization {
    /// 32-bit numbers.
    F32,
    /// 16-bit numbers.
    F16,
    /// 8-bit numbers in blocks of 32, each with an f16 scale. A matrix whose rows don't divide into
    /// blocks is stored as f16.
    Q8_0,
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Quantization::F32 => "f32",
            Quantization::F16 => "f16",
            Quantization::Q8_0 => "q8_0",
        })
    }
}

impl Quantization {
    /// The value of `general.file_type`.
    pub(super) fn file_type(self) -> usize {
        match self {
            Quantization::F32 => 0,
            Quantization::F16 => 1,
            Quantization::Q8_0 => 7,
        }
    }

    /// The type of a tensor.
    pub(super) fn of(self, tensor: &FileTensor) -> TensorType {
        match (self, tensor.columns) {
            (Quantization::F32, _) | (_, None) => TensorType::F32,
            _ if tensor.name == "transformer.wpe.weight" => TensorType::F32,
            (Quantization::Q8_0, Some(columns)) if columns.is_multiple_of(BLOCK) => {
                TensorType::Q8_0
            }
            _ => TensorType::F16,
        }
    }
}

/// The type of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TensorType {
    F32,
    F16,
    Q8_0,
}

impl TensorType {
    /// The format's number of the type.
    pub fn code(self) -> u32 {
        match self {
            TensorType::F32 => 0,
            TensorType::F16 => 1,
            TensorType::Q8_0 => 8,
        }
    }

    /// Bytes of this many numbers.
    pub fn bytes(self, numbers: usize) -> usize {
        match self {
            TensorType::F32 => 4 * numbers,
            TensorType::F16 => 2 * numbers,
            TensorType::Q8_0 => numbers / BLOCK * (2 + BLOCK),
        }
    }

    /// Numbers as bytes.
    ///
    /// # Errors
    /// The first number whose size is beyond the type's range.
    pub fn encode(self, values: &[f32]) -> Result<Vec<u8>, f32> {
        let half = |x: f32, of: f32| match f16::from_f32(x) {
            h if h.is_finite() => Ok(h.to_le_bytes()),
            _ => Err(of),
        };
        let mut bytes = Vec::with_capacity(self.bytes(values.len()));
        match self {
            TensorType::F32 => bytes.extend(values.iter().flat_map(|x| x.to_le_bytes())),
            TensorType::F16 => {
                for &x in values {
                    bytes.extend(half(x, x)?);
                }
            }
            TensorType::Q8_0 => {
                for block in values.as_chunks::<BLOCK>().0 {
                    let most = || block.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
                    let (scale, integers) = quantize(block).ok_or_else(most)?;
                    bytes.extend(scale.to_le_bytes());
                    bytes.extend(integers.map(|x| x as u8));
                }
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_its_largest_value_and_no_number_overflows() {
        let values: [f32; BLOCK] = std::array::from_fn(|i| i as f32 - 20.0);
        let bytes = TensorType::Q8_0.encode(&values).unwrap();
        assert_eq!(bytes.len(), TensorType::Q8_0.bytes(BLOCK));
        assert_eq!(bytes[2] as i8, -127, "-20 is the largest");
        let scale = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        for (value, byte) in values.iter().zip(&bytes[2..]) {
            assert!((value - scale * f32::from(*byte as i8)).abs() <= 0.51 * scale);
        }
        assert_eq!(TensorType::Q8_0.encode(&[0.0; BLOCK]).unwrap(), [0; 34]);
        assert_eq!(TensorType::F16.encode(&[1.0, -7e4]), Err(-7e4));
        assert_eq!(TensorType::Q8_0.encode(&[9e6; BLOCK]), Err(9e6));
    }
}
