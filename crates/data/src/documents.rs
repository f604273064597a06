//! From files to documents. The format of a file follows from its first bytes and its name.

use crate::batch::Batcher;
use crate::formats;
use crate::inputs::{Input, Stamp};
use crate::{Error, JobControl, ReadOptions, Report, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Size of a read.
const BLOCK: usize = 256 << 10;

/// State shared by the readers of all formats: where documents go, and the report.
pub(crate) struct Reading<'a, 'b> {
    pub input: &'a Input,
    pub options: &'a ReadOptions,
    pub batcher: &'a mut Batcher<'b>,
    pub report: &'a mut Report,
}

/// The outcome of reading a file.
pub(crate) enum Left {
    /// Its documents were taken.
    Read,
    /// It was found in a folder and has no text for us.
    Skipped(&'static str),
}

impl Reading<'_, '_> {
    pub fn path(&self) -> &Path {
        &self.input.path
    }

    /// Handles a record without a document: an error, or counted with `--skip-bad`.
    pub fn bad(&mut self, place: &str, reason: &str, detail: &str) -> Result<()> {
        if !self.options.skip_bad {
            return Err(Error::Record {
                path: self.path().to_owned(),
                place: place.to_owned(),
                reason: format!("{reason}{detail}"),
            });
        }
        self.report.bad_record(&self.input.path, place, reason);
        Ok(())
    }

    /// Handles records without the field: an error if the user named the file.
    pub fn no_field(&self, reason: String) -> Result<Left> {
        match self.input.named {
            true => Err(Error::NoField {
                path: self.path().to_owned(),
                reason,
            }),
            false => Ok(Left::Skipped("records without the text field")),
        }
    }

    /// Adds a document.
    pub fn document(&mut self, text: &str) -> Result<()> {
        self.batcher.push(text.as_bytes())?;
        self.batcher.end()
    }
}

/// Reads all inputs in order. `files` receives the number of the first document of each.
pub(crate) fn read(
    inputs: &[Input],
    o: &ReadOptions,
    batcher: &mut Batcher,
    report: &mut Report,
    files: &mut Vec<u64>,
    control: &JobControl,
) -> Result<()> {
    for input in inputs {
        files.push(batcher.documents());
        let before = (batcher.documents(), batcher.empty);
        let mut reading = Reading {
            input,
            options: o,
            batcher,
            report,
        };
        match read_file(&mut reading, control)? {
            Left::Read if batcher.documents() > before.0 => report.files += 1,
            Left::Read if batcher.empty > before.1 && input.named && inputs.len() == 1 => {
                return Err(Error::Empty {
                    path: input.path.clone(),
                });
            }
            Left::Read => {}
            Left::Skipped(reason) => report.skip(&input.path, reason),
        }
    }
    report.empty = batcher.empty;
    Ok(())
}

fn read_file(r: &mut Reading, control: &JobControl) -> Result<Left> {
    let path = &r.input.path;
    let fail = |e: io::Error| Error::reading(path, &e);
    let file = File::open(path).map_err(fail)?;
    unchanged(r.input, &file)?;
    let counted = Counted {
        file: file.try_clone().map_err(fail)?,
        control,
    };
    let mut stream = BufReader::with_capacity(BLOCK, counted);
    let magic = stream.fill_buf().map_err(fail)?;
    let magic = &magic[..magic.len().min(4)];
    let left = if magic == b"PAR1" {
        formats::parquet::read(r, file.try_clone().map_err(fail)?)?
    } else if magic.starts_with(&[0x1F, 0x8B]) {
        unpacked(r, flate2::bufread::MultiGzDecoder::new(stream))?
    } else if magic == [0x28, 0xB5, 0x2F, 0xFD] {
        let decoder = zstd::stream::read::Decoder::with_buffer(stream).map_err(fail)?;
        unpacked(r, decoder)?
    } else {
        text_format(r, &mut stream, extension(path))?
    };
    unchanged(r.input, &file)?;
    Ok(left)
}

fn unchanged(input: &Input, file: &File) -> Result<()> {
    let now = file
        .metadata()
        .map_err(|e| Error::reading(&input.path, &e))?;
    match Stamp::of(&now) == input.stamp {
        true => Ok(()),
        false => Err(Error::Changed {
            path: input.path.clone(),
        }),
    }
}

/// The file extension in lower case, such as `jsonl`.
fn extension(path: &Path) -> String {
    let last = path.extension().unwrap_or_default();
    last.to_string_lossy().to_ascii_lowercase()
}

fn unpacked(r: &mut Reading, decoder: impl Read) -> Result<Left> {
    let path = r.path();
    let whole = extension(path);
    // The content of `a.jsonl.gz` is `a.jsonl`; a name without `.gz` names the content itself.
    let inner = match ["gz", "zst", "zstd"].contains(&whole.as_str()) {
        true => extension(Path::new(path.file_stem().unwrap_or_default())),
        false => whole,
    };
    let mut stream = BufReader::with_capacity(BLOCK, decoder);
    let start = stream.fill_buf().map_err(|e| broken(path, &e))?;
    let archive = start.get(257..262) == Some(b"ustar");
    if archive || start.starts_with(b"PAR1") {
        let what = match archive {
            true => "an archive: unpack it first",
            false => "a compressed parquet file: unpack it first (parquet compresses inside)",
        };
        return match r.input.named {
            true => Err(Error::damaged(path, what)),
            false => Ok(Left::Skipped(what)),
        };
    }
    text_format(r, &mut stream, inner)
}

fn text_format(r: &mut Reading, stream: &mut dyn BufRead, extension: String) -> Result<Left> {
    skip_byte_order_mark(r.path(), stream)?;
    match extension.as_str() {
        "jsonl" | "ndjson" => formats::json::read_lines(r, stream),
        "json" => formats::json::read_values(r, stream),
        "csv" => formats::table::read(r, stream, b','),
        "tsv" => formats::table::read(r, stream, b'\t'),
        _ => formats::plain::read(r, stream),
    }
}

/// A byte order mark tells the encoding and is not part of the text.
fn skip_byte_order_mark(path: &Path, stream: &mut dyn BufRead) -> Result<()> {
    let start = stream.fill_buf().map_err(|e| broken(path, &e))?;
    if start.starts_with(&[0xEF, 0xBB, 0xBF]) {
        stream.consume(3);
    }
    Ok(())
}

/// The error of a stream that fails in the middle: usually the compressed data is damaged.
pub(crate) fn broken(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::damaged(
            path,
            "the compressed data ends too early: the file is cut short",
        ),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Error::damaged(path, format!("the compressed data is damaged: {error}"))
        }
        _ => Error::reading(path, error),
    }
}

/// A file that counts the bytes read from it.
struct Counted<'a> {
    file: File,
    control: &'a JobControl<'a>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.control.count(count as u64);
        Ok(count)
    }
}
