//! One file per format; each passes its documents to the [`Reading`](crate::documents::Reading).

mod characters;
mod chat;
pub(crate) mod epub;
mod html;
mod json;
mod library;
mod lines;
pub(crate) mod parquet;
pub(crate) mod plain;
mod repair;
mod table;

use crate::documents::{Left, Reading};
use crate::{ReadOptions, Result};
use std::io::BufRead;

/// A format of text, given by a file's name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Format {
    JsonLines,
    Json,
    Csv,
    Tsv,
    Html,
    Subtitles,
    WhatsApp,
    Plain,
}

impl Format {
    /// By extension, in lower case, and the beginning of the text.
    pub fn of(extension: &str, head: &[u8]) -> Format {
        match extension {
            "jsonl" | "ndjson" => Format::JsonLines,
            "json" | "ipynb" => Format::Json,
            "csv" => Format::Csv,
            "tsv" => Format::Tsv,
            "html" | "htm" | "xhtml" => Format::Html,
            "srt" | "vtt" => Format::Subtitles,
            "txt" if lines::is_whatsapp(head) => Format::WhatsApp,
            _ => Format::Plain,
        }
    }

    /// Reads the documents of a text in UTF-8.
    pub fn read(self, r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
        match self {
            Format::JsonLines => json::read_lines(r, stream),
            Format::Json => json::read_values(r, stream),
            Format::Csv => table::read(r, stream, table::Dialect::csv(r.options)),
            Format::Tsv => table::read(r, stream, table::Dialect::tsv(r.options)),
            Format::Html => html::read(r, stream),
            Format::Subtitles => lines::read_subtitles(r, stream),
            Format::WhatsApp => lines::read_whatsapp(r, stream),
            Format::Plain => plain::read(r, stream),
        }
    }
}

/// The longest record: a file without line breaks can't exhaust the memory.
pub(crate) const LONGEST_RECORD: usize = 64 << 20;

/// The fields searched for a record's text if none is named.
pub(crate) const FIELDS: [&str; 2] = ["text", "content"];

/// Fields to look for, the first found wins.
pub(crate) fn fields(o: &ReadOptions) -> Vec<&str> {
    match &o.field {
        Some(field) => vec![field.as_str()],
        None => FIELDS.to_vec(),
    }
}

/// "a field `text` or `content`".
pub(crate) fn wanted(fields: &[&str]) -> String {
    let each: Vec<String> = fields.iter().map(|f| format!("`{f}`")).collect();
    each.join(" or ")
}
