//! Parameters to and from the tensors of `model.safetensors`.

use super::layout::FileTensor;
use super::{HuggingFaceError as Error, Tensor};
use crate::tensors::{TensorFiles, TensorOutput, write_tensors};
use safetensors::Dtype;
use std::collections::HashMap;
use std::io::{self, Write};

/// Prefix of GPT-2's tensor names.
const PREFIX: &str = "transformer.";

/// The output head of a model whose embeddings are not tied.
const HEAD: &str = "lm_head.weight";

type Get<'a> = &'a dyn Fn(&str) -> Option<Vec<f32>>;

pub(super) fn write(layout: &[FileTensor], get: Get, to: &mut dyn Write) -> io::Result<()> {
    let tensors = layout.iter().map(|file| TensorOutput {
        name: file.name.clone(),
        dtype: Dtype::F32,
        shape: file.shape(),
        bytes: Box::new(move || {
            let values = gather(file, get).map_err(io::Error::other)?;
            Ok(values.iter().flat_map(|x| x.to_le_bytes()).collect())
        }),
    });
    // `transformers` requires this entry.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    write_tensors(to, Some(metadata), tensors.collect())
}

/// Assembles a file tensor from its parts.
fn gather(file: &FileTensor, get: Get) -> Result<Vec<f32>, Error> {
    let columns = file.columns.unwrap_or(1);
    let mut rows = Vec::new();
    for part in &file.parts {
        let length = part.rows * columns;
        let values = match part.exists {
            true => get(&part.name).ok_or_else(|| Error::NoParameter(part.name.clone()))?,
            false => vec![0.0; length],
        };
        if values.len() != length {
            return Err(Error::ParameterLength {
                name: part.name.clone(),
                found: values.len(),
                expected: length,
            });
        }
        match rows.is_empty() {
            true => rows = values,
            false => rows.extend(values),
        }
    }
    Ok(match file.transposed {
        true => transposed(&rows, file.rows(), columns),
        false => rows,
    })
}

pub(super) fn read(
    layout: &[FileTensor],
    files: &mut TensorFiles,
    put: &mut dyn FnMut(Tensor) -> Result<(), Error>,
) -> Result<(), Error> {
    read_whole(layout, files, |file, values| scatter(file, values, put))
}

/// Reads every tensor, in the order of `layout`, and passes the rows of its parts to `put`,
/// `[rows, columns]`: what the file stores transposed is turned back.
pub(crate) fn read_whole<E: From<Error>>(
    layout: &[FileTensor],
    files: &mut TensorFiles,
    mut put: impl FnMut(&FileTensor, Vec<f32>) -> Result<(), E>,
) -> Result<(), E> {
    // The first published GPT-2 files have no prefix.
    let short = |name: &str| name.strip_prefix(PREFIX).map(String::from);
    let name = |expected: &FileTensor| match files.info(&expected.name) {
        Some(_) => expected.name.clone(),
        None => short(&expected.name)
            .filter(|name| files.info(name).is_some())
            .unwrap_or_else(|| expected.name.clone()),
    };
    let names: Vec<String> = layout.iter().map(name).collect();
    let known = |found: &&str| names.iter().any(|n| n == found) || is_left_out(found, layout);
    if let Some(extra) = files.names().find(|found| !known(found)) {
        return Err(Error::ExtraTensor(extra.to_string()).into());
    }
    // Shapes first: nothing is read unless the files match config.json.
    for (expected, name) in layout.iter().zip(&names) {
        let info = files.info(name);
        let info = info.ok_or_else(|| Error::NoTensor(expected.name.clone()))?;
        let real = [Dtype::F32, Dtype::F16, Dtype::BF16].contains(&info.dtype);
        if !real || info.shape != expected.shape() {
            let wrong = Error::TensorShape {
                name: expected.name.clone(),
                found: format!("{:?} {:?}", info.dtype, info.shape),
                expected: format!("{:?} of F32, F16 or BF16", expected.shape()),
            };
            return Err(wrong.into());
        }
    }
    for (expected, name) in layout.iter().zip(&names) {
        let values = files.real(name);
        let mut values = values.map_err(|error| Error::Safetensors(error.to_string()))?;
        if !values.iter().all(|x| x.is_finite()) {
            return Err(Error::NotFinite(expected.name.clone()).into());
        }
        if expected.transposed {
            values = transposed(&values, expected.columns.unwrap_or(1), expected.rows());
        }
        put(expected, values)?;
    }
    Ok(())
}

/// Whether a tensor is redundant although other programs save it: masks, rotary frequencies, and
/// the head of a model whose embeddings are tied.
fn is_left_out(name: &str, layout: &[FileTensor]) -> bool {
    let follows = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"];
    follows.iter().any(|end| name.ends_with(end))
        || name == HEAD && !layout.iter().any(|file| file.name == HEAD)
}

/// Passes on the parts of a file tensor.
fn scatter(
    file: &FileTensor,
    mut values: Vec<f32>,
    put: &mut dyn FnMut(Tensor) -> Result<(), Error>,
) -> Result<(), Error> {
    let columns = file.columns.unwrap_or(1);
    for part in &file.parts {
        let rest = values.split_off((part.rows * columns).min(values.len()));
        let values = std::mem::replace(&mut values, rest);
        if part.exists {
            put(Tensor {
                name: part.name.clone(),
                shape: file.part_shape(part),
                values,
            })?;
        } else if values.iter().any(|x| *x != 0.0) {
            return Err(Error::Bias(file.name.clone()));
        }
    }
    Ok(())
}

/// Transposes `[rows, columns]` to `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(rows * columns);
    for column in 0..columns {
        turned.extend(values.iter().skip(column).step_by(columns));
    }
    turned
}
