//! Parquet: a row is a document. Only the text column is read, page by page.

use super::library::library;
use super::table::column;
use super::{fields, wanted};
use crate::documents::{Left, Reading};
use crate::{Error, Result};
use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;

/// Rows per read.
const ROWS: usize = 256;

const UNSOUND: &str = "not a valid parquet file";

/// Reads all row groups in order.
pub(crate) fn read(r: &mut Reading, file: File) -> Result<Left> {
    let path = r.input.path.clone();
    let reader = library(&path, UNSOUND, || SerializedFileReader::new(file))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let fields = fields(r.options);
    let names: Vec<String> = (0..schema.num_columns())
        .map(|at| schema.column(at).path().string())
        .collect();
    let Some(column) = column(&names, &fields) else {
        let names = names[..names.len().min(8)].join(", ");
        return r.no_field(format!("no column {}; it has {names}", wanted(&fields)));
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
            r.text(text.data(), &place)?;
        }
    }
}
