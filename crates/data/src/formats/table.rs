//! Tables with a header line: a row is a document.

use super::{LONGEST_RECORD, fields, wanted};
use crate::Result;
use crate::documents::{Left, Reading, broken};
use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use std::cell::Cell;
use std::io::{self, BufRead, Read};

/// Reads the text column; other columns are ignored.
pub(crate) fn read(r: &mut Reading, stream: &mut dyn BufRead, delimiter: u8) -> Result<Left> {
    let room = Cell::new(LONGEST_RECORD);
    let path = r.input.path.clone();
    let mut table = ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(Limited {
            stream,
            room: &room,
        });
    let fields = fields(r.options);
    let header = match table.byte_headers() {
        Ok(header) => header,
        Err(error) => return Err(not_read(&path, error)),
    };
    if header.is_empty() {
        r.batcher.end()?;
        return Ok(Left::Read);
    }
    let found = fields
        .iter()
        .find_map(|field| header.iter().position(|name| name == field.as_bytes()));
    let Some(column) = found else {
        let names: Vec<_> = header.iter().take(8).map(String::from_utf8_lossy).collect();
        let names = names.join(", ");
        return r.no_field(format!("no column {}; it has {names}", wanted(&fields)));
    };
    let mut record = ByteRecord::new();
    loop {
        room.set(LONGEST_RECORD);
        match table.read_byte_record(&mut record) {
            Ok(false) => return Ok(Left::Read),
            Ok(true) => {}
            Err(error) => match error.kind() {
                ErrorKind::UnequalLengths {
                    pos,
                    expected_len,
                    len,
                } => {
                    let line = pos.as_ref().map_or(0, csv::Position::line);
                    let detail = format!(": {len} columns where the header has {expected_len}");
                    r.bad(&format!("line {line}"), "wrong number of columns", &detail)?;
                    continue;
                }
                _ => return Err(not_read(&path, error)),
            },
        }
        let line = record.position().map_or(0, csv::Position::line);
        let value = record.get(column).unwrap_or_default();
        match std::str::from_utf8(value) {
            Ok(text) => r.document(text)?,
            Err(_) if r.options.lossy => r.document(&String::from_utf8_lossy(value))?,
            Err(e) => {
                let detail = format!(" at byte {} of the text", e.valid_up_to());
                r.bad(&format!("line {line}"), "not UTF-8", &detail)?;
            }
        }
    }
}

fn not_read(path: &std::path::Path, error: csv::Error) -> crate::Error {
    match error.into_kind() {
        ErrorKind::Io(e) if e.kind() == io::ErrorKind::FileTooLarge => {
            let reason = format!(
                "a row longer than {} MiB: a quote may be open",
                LONGEST_RECORD >> 20
            );
            crate::Error::damaged(path, reason)
        }
        ErrorKind::Io(e) => broken(path, &e),
        other => crate::Error::damaged(path, format!("not a table: {other:?}")),
    }
}

/// A stream that returns at most `room` bytes per record.
struct Limited<'a> {
    stream: &'a mut dyn BufRead,
    room: &'a Cell<usize>,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        match self.room.get().checked_sub(count) {
            Some(left) => self.room.set(left),
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(count)
    }
}
