//! JSON: each line of a .jsonl file, or each element of the array in a .json file, is a document.

use super::chat;
use super::repair::repair;
use super::{LONGEST_RECORD, fields, wanted};
use crate::documents::{Left, Reading, broken};
use crate::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

/// Reads one record per line; empty lines are skipped.
pub(crate) fn read_lines(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    let mut line = Vec::new();
    let mut records = Records::default();
    let mut number = 0u64;
    loop {
        line.clear();
        number += 1;
        match read_line(stream, &mut line).map_err(|e| broken(r.path(), &e))? {
            Line::End => return records.end(r),
            Line::Whole => {
                if let Some(left) = records.take(r, &line, number)? {
                    return Ok(left);
                }
            }
            Line::TooLong => {
                let detail = format!(" of {} MiB", LONGEST_RECORD >> 20);
                r.bad(&format!("line {number}"), "longer than the limit", &detail)?;
            }
        }
    }
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads up to a line break, which is not included.
fn read_line(stream: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<Line> {
    let (mut any, mut long) = (false, false);
    loop {
        let block = stream.fill_buf()?;
        if block.is_empty() {
            break;
        }
        any = true;
        let end = memchr::memchr(b'\n', block);
        let part = &block[..end.unwrap_or(block.len())];
        long |= line.len() + part.len() > LONGEST_RECORD;
        if !long {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        stream.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(match (any, long) {
        (false, _) => Line::End,
        (true, true) => Line::TooLong,
        (true, false) => Line::Whole,
    })
}

/// Reads the elements of an array, or a sequence of values.
pub(crate) fn read_values(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    let mut values = Values::default();
    let mut records = Records::default();
    loop {
        let block = stream.fill_buf().map_err(|e| broken(&r.input.path, &e))?;
        if block.is_empty() {
            break;
        }
        let mut at = 0;
        while at < block.len() {
            let (used, found) = values.push(&block[at..]);
            at += used;
            if let Some(line) = found {
                if let Some(left) = records.take(r, &values.value, line)? {
                    return Ok(left);
                }
                values.value.clear();
            } else if values.value.len() > LONGEST_RECORD {
                let reason = format!(
                    "line {}: a value longer than {} MiB; put one record per line in a .jsonl file",
                    values.began,
                    LONGEST_RECORD >> 20
                );
                return Err(Error::damaged(r.path(), reason));
            }
        }
        let length = block.len();
        stream.consume(length);
    }
    if let Some(line) = values.finish()
        && let Some(left) = records.take(r, &values.value, line)?
    {
        return Ok(left);
    }
    if values.open {
        let reason = format!(
            "line {}: the array is never closed: the file is cut short",
            values.line
        );
        return Err(Error::damaged(r.path(), reason));
    }
    records.end(r)
}

/// Splits a stream of JSON into its values without validating them.
#[derive(Default)]
struct Values {
    value: Vec<u8>,
    /// Line at which the current value started, from 1.
    began: u64,
    /// Current line, from 1.
    line: u64,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Inside the array around all values.
    open: bool,
    started: bool,
}

impl Values {
    /// Consumes bytes up to the end of a value; returns how many, and the line where the value
    /// started.
    fn push(&mut self, bytes: &[u8]) -> (usize, Option<u64>) {
        if !self.started {
            self.line = 1;
        }
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' {
                self.line += 1;
            }
            if self.in_string {
                self.value.push(byte);
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                if !self.in_string && self.depth == 0 {
                    return (at + 1, Some(self.began));
                }
                continue;
            }
            if self.value.is_empty() {
                if self.between(byte) {
                    continue;
                }
                self.began = self.line;
            }
            let ends = match byte {
                b'{' | b'[' => {
                    self.depth += 1;
                    false
                }
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    self.depth == 0
                }
                b'"' => {
                    self.in_string = true;
                    false
                }
                b',' | b']' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {
                    // A number or a word ends before this byte.
                    self.open &= byte != b']';
                    return (at + 1, Some(self.began));
                }
                _ => false,
            };
            self.value.push(byte);
            if ends {
                return (at + 1, Some(self.began));
            }
        }
        (bytes.len(), None)
    }

    /// Whether a byte may stand between two values.
    fn between(&mut self, byte: u8) -> bool {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return true,
            b'[' if !self.started => self.open = true,
            b',' if self.open => {}
            b']' if self.open => self.open = false,
            _ => {
                self.started = true;
                return false;
            }
        }
        self.started = true;
        true
    }

    /// The line of a value that ends only where the next token or the file does.
    fn finish(&self) -> Option<u64> {
        (!self.value.is_empty()).then_some(self.began)
    }
}

/// Turns the records of a file into documents.
#[derive(Default)]
struct Records {
    /// Whether a record had the field.
    found: bool,
    /// Whether there was any record.
    any: bool,
    /// How records without a field of text were read.
    rule: Option<&'static str>,
}

/// Why a record is bad that has half a surrogate pair in its text.
const LONE: &str = "half of a surrogate pair, which is not a character";

fn find<'a>(json: &'a str, fields: &[&str]) -> serde_json::Result<Found<'a>> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let found = Record(fields).deserialize(&mut parser)?;
    parser.end().map(|()| found)
}

/// A clause that lists the fields of a record.
fn fields_of(json: &str) -> String {
    let all = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(json).unwrap_or_default();
    let names: Vec<&str> = all.keys().take(8).map(String::as_str).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; it has {}", names.join(", ")),
    }
}

impl Records {
    /// Processes a record; returns an outcome if the file turns out to contain no texts.
    fn take(&mut self, r: &mut Reading, json: &[u8], line: u64) -> Result<Option<Left>> {
        let place = || format!("line {line}");
        let lossy;
        let json = match std::str::from_utf8(json) {
            Ok(json) => json,
            Err(_) if r.options.lossy => {
                lossy = String::from_utf8_lossy(json);
                &lossy
            }
            Err(e) => {
                let detail = r.invalid(&e, "record");
                r.bad(&place(), "not UTF-8", &detail)?;
                return Ok(None);
            }
        };
        if json.trim_ascii().is_empty() {
            return Ok(None);
        }
        let fields = fields(r.options);
        let first = !std::mem::replace(&mut self.any, true);
        let repaired;
        let mut mended = false;
        let (json, found) = match find(json, &fields) {
            Ok(found) => (json, Ok(found)),
            Err(e) => match repair(json) {
                None => (json, Err(e)),
                Some(better) => {
                    (repaired, mended) = (better, true);
                    (&repaired[..], find(&repaired, &fields))
                }
            },
        };
        // What was half a surrogate pair is U+FFFD.
        let take = |r: &mut Reading, text: &str| match mended && !r.options.lossy {
            true if text.contains(char::REPLACEMENT_CHARACTER) => {
                r.bad(&place(), LONE, "; --lossy replaces it by U+FFFD")
            }
            _ => r.document(text),
        };
        if let Ok(Found::Nothing | Found::Other(_)) = &found
            && let Some((rule, texts)) = chat::texts(json, r.options.field.as_deref())
        {
            (self.found, self.rule) = (true, Some(rule));
            texts.iter().try_for_each(|text| take(r, text))?;
            return Ok(None);
        }
        match found {
            Ok(Found::Text(text)) => {
                self.found = true;
                take(r, &text)?;
            }
            Ok(Found::Nothing) => {
                let what = format!("no field {}", wanted(&fields));
                let has = fields_of(json);
                if first && !r.options.skip_bad {
                    return r.no_field(format!("{}: {what}{has}", place())).map(Some);
                }
                r.bad(&place(), &what, &has)?;
            }
            Ok(Found::Other(what)) => {
                r.bad(&place(), &format!("the text is {what}, not a string"), "")?;
            }
            Err(e) => {
                // serde_json counts lines within the record.
                let told = e.to_string();
                let told = told.split(" at line ").next().unwrap_or_default();
                let detail = format!(": {told} at byte {}", e.column());
                r.bad(&place(), "not JSON", &detail)?;
            }
        }
        Ok(None)
    }

    fn end(self, r: &mut Reading) -> Result<Left> {
        self.rule.iter().for_each(|rule| r.report.read_as(rule));
        if !self.any {
            // Counts as an empty document.
            r.batcher.end()?;
        } else if !self.found && !r.input.named {
            return Ok(Left::Skipped("records without the text field".into()));
        }
        Ok(Left::Read)
    }
}

/// The content of a record.
enum Found<'a> {
    Text(Cow<'a, str>),
    /// The field has a value of another type.
    Other(&'static str),
    Nothing,
}

/// Looks for the first of several fields in an object; a bare string is a text as well. Nothing
/// else is kept in memory.
struct Record<'f>(&'f [&'f str]);

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Found<'de>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Found<'de>, A::Error> {
        let mut best: Option<(usize, Found<'de>)> = None;
        while let Some(key) = map.next_key::<Cow<str>>()? {
            let at = self.0.iter().position(|field| *field == key);
            match at.filter(|at| best.as_ref().is_none_or(|(have, _)| at <= have)) {
                Some(at) => best = Some((at, map.next_value_seed(Value)?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(best.map_or(Found::Nothing, |(_, found)| found))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Nothing)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Nothing)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Found<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Nothing)
    }
}

/// The value of the field.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Found<'de>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Other("null"))
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Other("true or false"))
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Found<'de>, E> {
        Ok(Found::Other("a number"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Found<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other("an object"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Found<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Other("an array"))
    }
}
