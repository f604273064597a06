//! Tables with a header line: a row is a document.

use super::{LONGEST_RECORD, fields, wanted};
use crate::documents::{Left, Reading, broken};
use crate::{Error, ReadOptions, Result};
use std::io::{self, BufRead};

/// How the rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dialect {
    /// What stands between two fields; found in the header line if it isn't known.
    pub delimiter: Option<u8>,
    /// Whether a field that begins with a quote ends with one.
    pub quotes: bool,
}

impl Dialect {
    /// The dialect of .csv files.
    pub fn csv(o: &ReadOptions) -> Dialect {
        Dialect {
            delimiter: o.delimiter,
            quotes: true,
        }
    }

    /// The dialect of .tsv files.
    pub fn tsv(o: &ReadOptions) -> Dialect {
        Dialect {
            delimiter: Some(o.delimiter.unwrap_or(b'\t')),
            quotes: o.quotes,
        }
    }
}

/// Delimiters to look for, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads the text column; other columns are ignored.
pub(crate) fn read(r: &mut Reading, stream: &mut dyn BufRead, dialect: Dialect) -> Result<Left> {
    let path = r.input.path.clone();
    let fail = |e: io::Error| broken(&path, &e);
    let fields = fields(r.options);
    let mut rows = Rows::new(stream, dialect.quotes);
    rows.delimiter = match dialect.delimiter {
        Some(given) => given,
        None => rows.find_delimiter(&fields).map_err(fail)?,
    };
    let mut row = Row::default();
    match rows.next(&mut row).map_err(fail)? {
        Next::Row(_) => {}
        Next::End => {
            r.batcher.end()?;
            return Ok(Left::Read);
        }
        Next::Bad(fault) => return Err(Error::damaged(&path, fault.in_words())),
    }
    let names = row.names();
    let Some(column) = column(&names, &fields) else {
        let names = names[..names.len().min(8)].join(", ");
        return r.no_field(format!("no column {}; it has {names}", wanted(&fields)));
    };
    let columns = names.len();
    loop {
        let line = match rows.next(&mut row).map_err(fail)? {
            Next::End => return Ok(Left::Read),
            Next::Row(line) => line,
            Next::Bad(fault) => {
                let place = format!("line {}", fault.line);
                r.bad(&place, fault.kind.reason(), &fault.detail())?;
                continue;
            }
        };
        let place = format!("line {line}");
        if row.ends.len() != columns {
            let has = row.ends.len();
            let detail = format!(": {has} columns where the header has {columns}");
            r.bad(&place, "wrong number of columns", &detail)?;
            // Perhaps a stray quote joined lines that have nothing to do with each other.
            rows.resume(line);
            continue;
        }
        r.text(row.field(column), &place)?;
    }
}

/// The first of the fields that is the name of a column: exactly, or else whatever its case.
pub(crate) fn column<S: AsRef<str>>(names: &[S], fields: &[&str]) -> Option<usize> {
    let at = |equal: &dyn Fn(&str, &str) -> bool| {
        let find = |field: &&str| names.iter().position(|name| equal(name.as_ref(), field));
        fields.iter().find_map(find)
    };
    at(&|name, field| name == field)
        .or_else(|| at(&|name, field| name.to_lowercase() == field.to_lowercase()))
}

/// The fields of a row, without their quotes.
#[derive(Default)]
struct Row {
    text: Vec<u8>,
    /// Where each field ends in it.
    ends: Vec<usize>,
}

impl Row {
    fn field(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }

    fn names(&self) -> Vec<String> {
        let name = |at| String::from_utf8_lossy(self.field(at)).trim().to_owned();
        (0..self.ends.len()).map(name).collect()
    }
}

enum Next {
    /// The line where a row begins.
    Row(u64),
    Bad(Fault),
    End,
}

/// A row that can't be read.
struct Fault {
    /// Where it begins, or where its quote opens.
    line: u64,
    kind: FaultKind,
}

#[derive(Clone, Copy)]
enum FaultKind {
    NeverClosed,
    /// Behind the quote that closes, in this line.
    TextBehind(u64),
    TooLong,
}

impl FaultKind {
    fn reason(self) -> &'static str {
        match self {
            FaultKind::NeverClosed => "a quote opens here and is never closed",
            FaultKind::TextBehind(_) => "a quote opens here and closes before other text",
            FaultKind::TooLong => "longer than the limit",
        }
    }
}

impl Fault {
    fn detail(&self) -> String {
        match self.kind {
            FaultKind::NeverClosed => String::new(),
            FaultKind::TextBehind(line) => format!(" in line {line}"),
            FaultKind::TooLong => format!(" of {} MiB", LONGEST_RECORD >> 20),
        }
    }

    fn in_words(&self) -> String {
        let (reason, detail) = (self.kind.reason(), self.detail());
        format!("line {}: {reason}{detail}", self.line)
    }
}

/// Cuts a stream into rows. The bytes of a row are held until it is whole, so that reading can
/// resume behind a line that spoils it.
struct Rows<'s> {
    stream: &'s mut dyn BufRead,
    delimiter: u8,
    quotes: bool,
    held: Vec<u8>,
    /// Where the next byte is, and its line, from 1.
    at: usize,
    line: u64,
    /// Where the current row begins, and its line.
    row: (usize, u64),
}

/// How a field ends.
enum Ended {
    Field,
    Row,
    Bad(Fault),
}

impl<'s> Rows<'s> {
    fn new(stream: &'s mut dyn BufRead, quotes: bool) -> Rows<'s> {
        Rows {
            stream,
            delimiter: b',',
            quotes,
            held: Vec::new(),
            at: 0,
            line: 1,
            row: (0, 1),
        }
    }

    /// Reads on; returns whether there was more.
    fn more(&mut self) -> io::Result<bool> {
        let block = self.stream.fill_buf()?;
        let length = block.len();
        self.held.extend_from_slice(block);
        self.stream.consume(length);
        Ok(length > 0)
    }

    /// The next byte; none at the end.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.held.len() && !self.more()? {
            return Ok(None);
        }
        Ok(Some(self.held[self.at]))
    }

    /// The delimiter of a header line that names one of the fields; else the most frequent one.
    fn find_delimiter(&mut self, fields: &[&str]) -> io::Result<u8> {
        let mut found = (0, b',');
        for delimiter in DELIMITERS {
            (self.delimiter, self.at, self.line) = (delimiter, 0, 1);
            let mut row = Row::default();
            if let Next::Row(_) = self.next(&mut row)? {
                let names = row.names();
                let known = column(&names, fields).is_some() && names.len() > 1;
                let score = names.len() + if known { usize::MAX / 2 } else { 0 };
                found = if score > found.0 {
                    (score, delimiter)
                } else {
                    found
                };
            }
        }
        (self.at, self.line) = (0, 1);
        Ok(found.1)
    }

    /// Reads the next row that isn't empty.
    fn next(&mut self, row: &mut Row) -> io::Result<Next> {
        if self.at > (64 << 10).max(self.held.len() / 2) {
            self.held.drain(..self.at);
            self.at = 0;
        }
        loop {
            match self.peek()? {
                None => return Ok(Next::End),
                Some(b'\r' | b'\n') => self.line_end()?,
                Some(_) => break,
            }
        }
        self.row = (self.at, self.line);
        row.text.clear();
        row.ends.clear();
        loop {
            let ended = match self.peek()? {
                Some(b'"') if self.quotes => self.quoted(row)?,
                _ => self.plain(row)?,
            };
            row.ends.push(row.text.len());
            match ended {
                Ended::Field => {}
                Ended::Row => return Ok(Next::Row(self.row.1)),
                Ended::Bad(fault) => {
                    self.resume(fault.line);
                    return Ok(Next::Bad(fault));
                }
            }
        }
    }

    /// Goes on behind the end of a line of the current row.
    fn resume(&mut self, line: u64) {
        (self.at, self.line) = self.row;
        while self.line <= line && self.at < self.held.len() {
            let rest = &self.held[self.at..];
            match memchr::memchr2(b'\r', b'\n', rest) {
                None => self.at = self.held.len(),
                Some(end) => {
                    let two = rest[end..].starts_with(b"\r\n");
                    self.at += end + 1 + usize::from(two);
                    self.line += 1;
                }
            }
        }
    }

    /// Takes `\n`, `\r\n` or `\r`.
    fn line_end(&mut self) -> io::Result<()> {
        self.line += 1;
        self.at += 1;
        if self.held[self.at - 1] == b'\r' && self.peek()? == Some(b'\n') {
            self.at += 1;
        }
        Ok(())
    }

    fn too_long(&self) -> bool {
        self.held.len() - self.row.0 > LONGEST_RECORD
    }

    fn fault(&self, kind: FaultKind) -> Ended {
        Ended::Bad(Fault {
            line: self.row.1,
            kind,
        })
    }

    /// Reads a field without quotes.
    fn plain(&mut self, row: &mut Row) -> io::Result<Ended> {
        loop {
            let rest = &self.held[self.at..];
            let end = memchr::memchr3(self.delimiter, b'\r', b'\n', rest);
            row.text
                .extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            self.at += end.unwrap_or(rest.len());
            if end.is_some() {
                return self.end_of_field();
            }
            if self.too_long() {
                return self.skip_line();
            }
            if !self.more()? {
                return Ok(Ended::Row);
            }
        }
    }

    /// Drops the rest of a line that is too long; what is held of it is dropped as it comes.
    fn skip_line(&mut self) -> io::Result<Ended> {
        let bad = self.fault(FaultKind::TooLong);
        while memchr::memchr2(b'\r', b'\n', &self.held[self.at..]).is_none() {
            self.held.clear();
            (self.at, self.row.0) = (0, 0);
            if !self.more()? {
                break;
            }
        }
        self.row = (self.at, self.row.1);
        Ok(bad)
    }

    /// Takes the delimiter, or the end of the line.
    fn end_of_field(&mut self) -> io::Result<Ended> {
        match self.peek()? {
            None => Ok(Ended::Row),
            Some(byte) if byte == self.delimiter => {
                self.at += 1;
                Ok(Ended::Field)
            }
            Some(_) => {
                self.line_end()?;
                Ok(Ended::Row)
            }
        }
    }

    /// Reads a field in quotes; a quote inside is written twice.
    fn quoted(&mut self, row: &mut Row) -> io::Result<Ended> {
        let opened = self.line;
        let bad = |kind| Ok(Ended::Bad(Fault { line: opened, kind }));
        self.at += 1;
        loop {
            let rest = &self.held[self.at..];
            let end = memchr::memchr(b'"', rest);
            let inside = &rest[..end.unwrap_or(rest.len())];
            row.text.extend_from_slice(inside);
            self.line += memchr::memchr_iter(b'\n', inside).count() as u64;
            self.at += inside.len();
            if end.is_none() {
                if self.too_long() || !self.more()? {
                    return bad(FaultKind::NeverClosed);
                }
                continue;
            }
            self.at += 1;
            if self.peek()? != Some(b'"') {
                break;
            }
            row.text.push(b'"');
            self.at += 1;
        }
        while self.delimiter != b' ' && self.peek()? == Some(b' ') {
            self.at += 1;
        }
        match self.peek()? {
            Some(byte) if byte != self.delimiter && byte != b'\r' && byte != b'\n' => {
                bad(FaultKind::TextBehind(self.line))
            }
            _ => self.end_of_field(),
        }
    }
}
