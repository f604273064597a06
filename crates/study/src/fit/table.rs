//! Reads a CSV file row by row: a header line, then numbers. A cell that isn't a finite number is
//! an error that names the cell.

use super::error::{Error, Result};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, Trim};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Maximum characters of a cell or a column list quoted in a message.
const SHOWN: usize = 40;
/// Maximum columns listed in a message.
const LISTED: usize = 20;

/// A reader that hashes what it reads.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// A file's column names.
///
/// # Errors
/// If the file can't be read, or its first line doesn't name each column once.
pub fn column_names(path: &Path) -> Result<Vec<String>> {
    Ok(open(path)?.1)
}

/// Calls `row` with the numbers of each row, from the columns that `choose` picks by name and in
/// that order. Returns the file's SHA-256.
///
/// # Errors
/// If the file can't be read or a cell isn't a finite number; names the first such cell.
pub fn read(
    path: &Path,
    choose: impl FnOnce(&[String]) -> Result<Vec<usize>>,
    mut row: impl FnMut(&[f64]),
) -> Result<String> {
    let (mut reader, names) = open(path)?;
    let chosen = choose(&names)?;
    let mut record = ByteRecord::new();
    let mut numbers = vec![0.0; chosen.len()];
    let mut rows = 0u64;
    while reader.read_byte_record(&mut record).map_err(told(path))? {
        for (number, &column) in numbers.iter_mut().zip(&chosen) {
            let cell = record.get(column).unwrap_or_default();
            *number = parse(cell).map_err(|what| Error::Cell {
                path: path.to_path_buf(),
                line: line(path, record.position()),
                column: names.get(column).cloned().unwrap_or_default(),
                what,
            })?;
        }
        rows += 1;
        row(&numbers);
    }
    if rows == 0 {
        return Err(Error::NoRows(path.to_path_buf()));
    }
    Ok(run::hex(&reader.into_inner().hash.finalize()))
}

/// A column list for a message.
pub fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|n| shortened(n)).collect();
    let more = match names.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

fn open(path: &Path) -> Result<(Reader<Hashed>, Vec<String>)> {
    let file = File::open(path).map_err(|e| Error::Read {
        path: path.to_path_buf(),
        error: e.to_string(),
    })?;
    let hash = Sha256::new();
    let mut reader = ReaderBuilder::new()
        .trim(Trim::Headers)
        .buffer_capacity(1 << 16)
        .from_reader(Hashed { file, hash });
    let header = reader.byte_headers().map_err(told(path))?;
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    let names: Vec<String> = header.iter().map(text).collect();
    let path = path.to_path_buf();
    if names.iter().all(String::is_empty) {
        return Err(Error::Empty(path));
    }
    if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(Error::NoHeader(path));
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::NoName {
                path,
                column: at + 1,
            });
        }
        if names.iter().take(at).any(|earlier| earlier == name) {
            let name = shortened(name);
            return Err(Error::Duplicate { path, name });
        }
    }
    Ok((reader, names))
}

/// Parses a cell; the error says what is wrong with it.
fn parse(cell: &[u8]) -> std::result::Result<f64, String> {
    let text = cell.trim_ascii();
    if text.is_empty() {
        return Err("the cell is empty; fill it in or remove its row".into());
    }
    let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    let shown = shortened(&String::from_utf8_lossy(text));
    match number {
        Some(number) if f64::is_finite(number) => Ok(number),
        Some(_) => Err(format!("{shown:?} is not a finite number")),
        None => Err(format!("{shown:?} is not a number")),
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace(char::is_control, " ")
}

/// The line where a record begins, counted in the file itself: the CSV reader doesn't count blank
/// lines before the record, and is off by one if lines end in CR LF.
fn line(path: &Path, position: Option<&csv::Position>) -> u64 {
    let (Some(position), Ok(file)) = (position, File::open(path)) else {
        return 0;
    };
    let mut line = 1;
    for (at, byte) in (0..).zip(BufReader::new(file).bytes().map_while(io::Result::ok)) {
        match byte {
            b'\n' => line += 1,
            b'\r' => {}
            _ if at >= position.byte() => break,
            _ => {}
        }
    }
    line
}

/// Adds the file to a CSV reader's error.
fn told(path: &Path) -> impl Fn(csv::Error) -> Error + '_ {
    move |error| match error.kind() {
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => Error::Ragged {
            path: path.to_path_buf(),
            line: line(path, pos.as_ref()),
            expected: *expected_len,
            found: *len,
        },
        _ => Error::Read {
            path: path.to_path_buf(),
            error: error.to_string(),
        },
    }
}
