//! Parameters to and from the bytes of `model.safetensors`.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::layout::FileTensor;
use super::{HuggingFaceError as Error, Tensor};

/// Bytes of an f32.
const SIZE: usize = 4;

pub(super) fn write<'a>(
    layout: &[FileTensor],
    tensor: impl Fn(&str) -> Option<&'a [f32]>,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(layout.len());
    for file in layout {
        let values = gather(file, &tensor)?;
        let encoded: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        bytes.push(encoded);
    }
    let views: Result<Vec<_>, _> = layout
        .iter()
        .zip(&bytes)
        .map(|(file, bytes)| {
            let view = TensorView::new(Dtype::F32, file.shape(), bytes)?;
            Ok((file.name.as_str(), view))
        })
        .collect();
    // `transformers` asks for this entry; one entry alone has one order.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    views
        .and_then(|views| serialize(views, Some(metadata)))
        .map_err(unreadable)
}

/// A file tensor's values from its parts.
fn gather<'a>(
    file: &FileTensor,
    tensor: &impl Fn(&str) -> Option<&'a [f32]>,
) -> Result<Cow<'a, [f32]>, Error> {
    let columns = file.columns.unwrap_or(1);
    let mut rows = Cow::Borrowed(&[] as &[f32]);
    for part in &file.parts {
        let length = part.rows * columns;
        let values = match part.exists {
            true => {
                let values = tensor(&part.name);
                let values = values.ok_or_else(|| Error::NoParameter(part.name.clone()))?;
                if values.len() != length {
                    return Err(Error::ParameterLength {
                        name: part.name.clone(),
                        found: values.len(),
                        expected: length,
                    });
                }
                Cow::Borrowed(values)
            }
            false => Cow::Owned(vec![0.0; length]),
        };
        match rows.is_empty() {
            true => rows = values,
            false => rows.to_mut().extend_from_slice(&values),
        }
    }
    Ok(match file.transposed {
        true => Cow::Owned(transposed(&rows, file.rows(), columns)),
        false => rows,
    })
}

pub(super) fn read(layout: &[FileTensor], bytes: &[u8]) -> Result<Vec<Tensor>, Error> {
    let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let expected: BTreeSet<&str> = layout.iter().map(|file| file.name.as_str()).collect();
    let found: BTreeSet<&str> = file.names().into_iter().collect();
    if let Some(extra) = found.difference(&expected).next() {
        return Err(Error::ExtraTensor(extra.to_string()));
    }
    // Shapes first: nothing is copied unless the file holds just what config.json says.
    let mut views = Vec::with_capacity(layout.len());
    for expected in layout {
        let view = file.tensor(&expected.name);
        let view = view.map_err(|_| Error::NoTensor(expected.name.clone()))?;
        if view.dtype() != Dtype::F32 || view.shape() != expected.shape() {
            return Err(Error::TensorShape {
                name: expected.name.clone(),
                found: format!("{:?} {:?}", view.dtype(), view.shape()),
                expected: format!("{:?} {:?}", Dtype::F32, expected.shape()),
            });
        }
        views.push(view);
    }
    let mut tensors = Vec::with_capacity(layout.len());
    for (expected, view) in layout.iter().zip(views) {
        scatter(expected, view.data(), &mut tensors)?;
    }
    Ok(tensors)
}

/// Appends a file tensor's parts.
fn scatter(file: &FileTensor, bytes: &[u8], tensors: &mut Vec<Tensor>) -> Result<(), Error> {
    let (words, _) = bytes.as_chunks::<SIZE>();
    let mut values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    if !values.iter().all(|x| x.is_finite()) {
        return Err(Error::NotFinite(file.name.clone()));
    }
    let columns = file.columns.unwrap_or(1);
    if file.transposed {
        values = transposed(&values, columns, file.rows());
    }
    for part in &file.parts {
        let rest = values.split_off((part.rows * columns).min(values.len()));
        let values = std::mem::replace(&mut values, rest);
        if part.exists {
            tensors.push(Tensor {
                name: part.name.clone(),
                shape: file.part_shape(part),
                values,
            });
        } else if values.iter().any(|x| *x != 0.0) {
            return Err(Error::Bias(file.name.clone()));
        }
    }
    Ok(())
}

/// `[rows, columns]` to `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(rows * columns);
    for column in 0..columns {
        turned.extend(values.iter().skip(column).step_by(columns));
    }
    turned
}

fn unreadable(error: safetensors::SafeTensorError) -> Error {
    Error::Safetensors(error.to_string())
}
