//! Reads and writes safetensors files one tensor at a time: no file is ever fully in memory.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The longest header allowed by the format.
const LONGEST_HEADER: u64 = 100_000_000;

/// A tensor to be written to a file.
pub struct TensorOutput<'a> {
    /// Its name in the file.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Returns its bytes, row-major and little-endian.
    pub bytes: Box<dyn Fn() -> io::Result<Vec<u8>> + 'a>,
}

/// Writes a safetensors file: the header, then each tensor's bytes. Equal tensors give equal files.
///
/// # Errors
/// If `to` fails, or a tensor can't be read or has the wrong size.
pub fn write_tensors(
    to: &mut dyn Write,
    metadata: Option<HashMap<String, String>>,
    mut tensors: Vec<TensorOutput>,
) -> io::Result<()> {
    // The order of the reference implementation: the widest types first, then by name.
    tensors.sort_by(|a, b| b.dtype.cmp(&a.dtype).then(a.name.cmp(&b.name)));
    let mut end = 0;
    let infos = tensors.iter().map(|t| {
        let from = end;
        end += t.shape.iter().product::<usize>() * t.dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype: t.dtype,
            shape: t.shape.clone(),
            data_offsets: (from, end),
        };
        (t.name.clone(), info)
    });
    let infos: Vec<(String, TensorInfo)> = infos.collect();
    let sizes: Vec<usize> = infos
        .iter()
        .map(|(_, i)| i.data_offsets.1 - i.data_offsets.0)
        .collect();
    let header = Metadata::new(metadata, infos).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    to.write_all(&(header.len() as u64).to_le_bytes())?;
    to.write_all(&header)?;
    for (tensor, size) in tensors.iter().zip(sizes) {
        let bytes = (tensor.bytes)()?;
        if bytes.len() != size {
            let name = &tensor.name;
            let found = bytes.len();
            return Err(io::Error::other(format!(
                "{name} has {found} bytes, not {size}"
            )));
        }
        to.write_all(&bytes)?;
    }
    Ok(())
}

/// A file that supports reads at any position.
pub trait TensorInput: Read + Seek + Send {}
impl<T: Read + Seek + Send> TensorInput for T {}

/// Safetensors files that together contain one model.
pub struct TensorFiles {
    files: Vec<InputFile>,
    /// Which file contains a tensor, and at which offset.
    found: BTreeMap<String, (usize, TensorInfo)>,
}

struct InputFile {
    file: Box<dyn TensorInput>,
    /// Offset of the tensors' bytes.
    data: u64,
}

impl TensorFiles {
    /// Reads the header of a file, or of several that belong together.
    ///
    /// # Errors
    /// If a header is damaged, a file's length doesn't match it, or two files contain the same
    /// tensor.
    pub fn new(files: Vec<Box<dyn TensorInput>>) -> io::Result<TensorFiles> {
        let mut all = TensorFiles {
            files: Vec::new(),
            found: BTreeMap::new(),
        };
        for mut file in files {
            let length = file.seek(SeekFrom::End(0))?;
            file.rewind()?;
            let mut size = [0; 8];
            file.read_exact(&mut size)?;
            let size = u64::from_le_bytes(size);
            if size > LONGEST_HEADER || size > length - 8 {
                return Err(damaged("its header is longer than the file"));
            }
            let mut header = vec![0; size as usize];
            file.read_exact(&mut header)?;
            let metadata: Metadata = serde_json::from_slice(&header)?;
            let data = 8 + size;
            if data + metadata.data_len() as u64 != length {
                return Err(damaged("its length doesn't match its header"));
            }
            for (name, info) in metadata.tensors() {
                let entry = (all.files.len(), info.clone());
                if all.found.insert(name.clone(), entry).is_some() {
                    return Err(damaged(&format!("{name} occurs twice")));
                }
            }
            all.files.push(InputFile { file, data });
        }
        Ok(all)
    }

    /// Opens files.
    ///
    /// # Errors
    /// As [`TensorFiles::new`], and if a file can't be opened.
    pub fn open(paths: &[impl AsRef<Path>]) -> io::Result<TensorFiles> {
        let open = |path: &_| Ok(Box::new(File::open(path)?) as Box<dyn TensorInput>);
        let files: io::Result<Vec<_>> = paths.iter().map(|p| open(p.as_ref())).collect();
        TensorFiles::new(files?)
    }

    /// The names of all tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// Type and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.found.get(name).map(|(_, info)| info)
    }

    /// A tensor's values, row-major: F64 is rounded to the nearest f32.
    ///
    /// # Errors
    /// If there is no such tensor, its type is not real, a number is not finite, or the file can't
    /// be read.
    pub fn real(&mut self, name: &str) -> io::Result<Vec<f32>> {
        let dtype = self.info(name).map(|info| info.dtype);
        let bytes = self.bytes(name)?;
        let numbers = match dtype {
            Some(Dtype::F32) => numbers(&bytes, f32::from_le_bytes),
            Some(Dtype::F64) => numbers(&bytes, |b| f64::from_le_bytes(b) as f32),
            Some(Dtype::F16) => numbers(&bytes, |b| f16::from_le_bytes(b).to_f32()),
            Some(Dtype::BF16) => numbers(&bytes, |b| bf16::from_le_bytes(b).to_f32()),
            other => return Err(damaged(&format!("{name} is {other:?}, not real numbers"))),
        };
        match numbers.iter().all(|x| x.is_finite()) {
            true => Ok(numbers),
            false => Err(not_finite(name)),
        }
    }

    /// A tensor's exact values.
    ///
    /// # Errors
    /// If there is no such tensor, it isn't F32 or F64, a number is not finite, or the file can't
    /// be read.
    pub fn double(&mut self, name: &str) -> io::Result<Vec<f64>> {
        let dtype = self.info(name).map(|info| info.dtype);
        let bytes = self.bytes(name)?;
        let numbers = match dtype {
            Some(Dtype::F64) => numbers(&bytes, f64::from_le_bytes),
            Some(Dtype::F32) => numbers(&bytes, |b| f64::from(f32::from_le_bytes(b))),
            other => return Err(damaged(&format!("{name} is {other:?}, not F32 or F64"))),
        };
        match numbers.iter().all(|x| x.is_finite()) {
            true => Ok(numbers),
            false => Err(not_finite(name)),
        }
    }

    fn bytes(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let missing = || damaged(&format!("there is no tensor {name}"));
        let (at, info) = self.found.get(name).ok_or_else(missing)?;
        let part = self.files.get_mut(*at).ok_or_else(missing)?;
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to - from];
        part.file.seek(SeekFrom::Start(part.data + from as u64))?;
        part.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|b| number(*b)).collect()
}

fn not_finite(name: &str) -> io::Error {
    damaged(&format!("{name} has a number that is not finite"))
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
