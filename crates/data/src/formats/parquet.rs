//! Parquet: a row is a document. Only the text column is read, page by page.

use super::{fields, wanted};
use crate::documents::{Left, Reading};
use crate::{Error, Result};
use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

/// Rows per read.
const ROWS: usize = 256;

thread_local! {
    /// Whether this thread is inside the library.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call of the library. A damaged file can trigger its assertions: they become ordinary
/// errors, and nothing is printed.
fn library<T>(
    path: &Path,
    place: &str,
    what: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                before(panic);
            }
        }));
    });
    INSIDE.set(true);
    let done = catch_unwind(AssertUnwindSafe(what));
    INSIDE.set(false);
    match done {
        Ok(done) => done.map_err(|e| Error::damaged(path, format!("{place}: {e}"))),
        Err(_) => Err(Error::damaged(path, place)),
    }
}

const UNSOUND: &str = "not a valid parquet file";

/// Reads all row groups in order.
pub(crate) fn read(r: &mut Reading, file: File) -> Result<Left> {
    let path = r.input.path.clone();
    let reader = library(&path, UNSOUND, || SerializedFileReader::new(file))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let fields = fields(r.options);
    let column = fields.iter().find_map(|field| {
        (0..schema.num_columns()).find(|&at| schema.column(at).path().string() == **field)
    });
    let Some(column) = column else {
        let names: Vec<String> = (0..schema.num_columns().min(8))
            .map(|at| schema.column(at).path().string())
            .collect();
        let reason = format!("no column {}; it has {}", wanted(&fields), names.join(", "));
        return r.no_field(reason);
    };
    let kind = schema.column(column);
    if kind.physical_type() != Type::BYTE_ARRAY || kind.max_rep_level() > 0 {
        let name = kind.path().string();
        let what = match kind.max_rep_level() {
            0 => kind.physical_type().to_string(),
            _ => "a list".into(),
        };
        return r.no_field(format!("column `{name}` is {what}, not text"));
    }
    let mut row = 0;
    for group in 0..reader.num_row_groups() {
        let group = library(&path, UNSOUND, || {
            reader.get_row_group(group)?.get_column_reader(column)
        })?;
        match group {
            ColumnReader::ByteArrayColumnReader(column) => {
                row = read_group(r, column, kind.max_def_level(), row)?;
            }
            _ => return Err(Error::damaged(&path, UNSOUND)),
        }
    }
    Ok(Left::Read)
}

/// Reads one row group; `row` counts the rows before it.
fn read_group(
    r: &mut Reading,
    mut column: ColumnReaderImpl<ByteArrayType>,
    present: i16,
    mut row: u64,
) -> Result<u64> {
    let (mut levels, mut values) = (Vec::new(), Vec::<ByteArray>::new());
    loop {
        levels.clear();
        values.clear();
        let read = library(r.path(), &format!("damaged after row {row}"), || {
            column.read_records(ROWS, Some(&mut levels), None, &mut values)
        })?;
        if read.0 == 0 {
            return Ok(row);
        }
        let mut texts = values.iter();
        for at in 0..read.0 {
            row += 1;
            let place = format!("row {row}");
            let null = present > 0 && levels.get(at) != Some(&present);
            let text = if null { None } else { texts.next() };
            let Some(text) = text else {
                r.bad(&place, "the text is null, not a string", "")?;
                continue;
            };
            match std::str::from_utf8(text.data()) {
                Ok(text) => r.document(text)?,
                Err(_) if r.options.lossy => {
                    r.document(&String::from_utf8_lossy(text.data()))?;
                }
                Err(e) => {
                    let detail = format!(" at byte {} of the text", e.valid_up_to());
                    r.bad(&place, "not UTF-8", &detail)?;
                }
            }
        }
    }
}
