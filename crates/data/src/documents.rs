//! From files to documents. The format of a file follows from its first bytes and its name.

use crate::batch::Batcher;
use crate::charset::{self, Charset, Decoded, LOOK, Undecodable};
use crate::formats::{self, Format};
use crate::inputs::{Input, Stamp};
use crate::{Error, JobControl, ReadOptions, Report, Result, kinds};
use std::borrow::Cow;
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
    /// Of this file, with `--lossy`: characters, and how many of them are U+FFFD.
    characters: u64,
    replaced: u64,
    /// What its bytes look like, if they aren't UTF-8.
    looks_like: Option<Charset>,
}

/// The outcome of reading a file.
pub(crate) enum Left {
    /// Its documents were taken.
    Read,
    /// It was found in a folder and has no text for us.
    Skipped(Cow<'static, str>),
}

/// Why a file is skipped that nobody misses.
const OURS: &str = "a page or picture that downhill wrote";

/// With `--lossy`, more characters may be lost than this, and then no larger share of all.
const FEW_LOST: u64 = 16;
const LOST_OF: u64 = 100;

impl<'a> Reading<'a, '_> {
    pub fn path(&self) -> &'a Path {
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
            false => Ok(Left::Skipped("records without the text field".into())),
        }
    }

    /// Handles a file that is no text: an error if the user named it.
    pub fn no_text(&self, what: &'static str) -> Result<Left> {
        match self.input.named {
            true => Err(Error::damaged(self.path(), what)),
            false => Ok(Left::Skipped(what.into())),
        }
    }

    /// Handles a file that isn't UTF-8, from this offset on.
    pub fn not_utf8(&self, offset: u64, sample: &[u8]) -> Result<Left> {
        let looks_like = self.looks_like.or_else(|| charset::guess(sample));
        let looks_like = looks_like.map(Charset::name);
        let path = self.path().to_owned();
        Err(match (self.input.named, looks_like) {
            (false, None) => return Ok(Left::Skipped("not UTF-8 text".into())),
            (false, Some(name)) => {
                let name_lower = name.to_ascii_lowercase();
                let why = format!(
                    "not UTF-8 text, but perhaps {name} (--encoding {name_lower} reads it)"
                );
                return Ok(Left::Skipped(why.into()));
            }
            (true, looks_like) => Error::NotUtf8 {
                path,
                offset,
                hint: hint(looks_like),
            },
        })
    }

    /// Adds a document.
    pub fn document(&mut self, text: &str) -> Result<()> {
        self.push(text)?;
        self.batcher.end()
    }

    /// Adds text to the current document.
    pub fn push(&mut self, text: &str) -> Result<()> {
        if self.options.lossy {
            self.characters += text.chars().count() as u64;
            self.replaced += text.matches(char::REPLACEMENT_CHARACTER).count() as u64;
        }
        self.batcher.push(text.as_bytes())
    }

    /// Adds the text of a record.
    pub fn text(&mut self, text: &[u8], place: &str) -> Result<()> {
        match std::str::from_utf8(text) {
            Ok(text) => self.document(text),
            Err(_) if self.options.lossy => self.document(&String::from_utf8_lossy(text)),
            Err(e) => {
                let detail = self.invalid(&e, "text");
                self.bad(place, "not UTF-8", &detail)
            }
        }
    }

    /// Where a record isn't UTF-8, and what helps.
    pub fn invalid(&self, error: &std::str::Utf8Error, of: &str) -> String {
        let hint = hint(self.looks_like.map(Charset::name));
        format!(" at byte {} of the {of}{hint}", error.valid_up_to())
    }

    /// Refuses a file of which `--lossy` loses too much.
    fn check_lost(&mut self) -> Result<()> {
        self.report.replaced += self.replaced;
        match self.replaced > FEW_LOST.max(self.characters / LOST_OF) {
            false => Ok(()),
            true => Err(Error::TooLossy {
                path: self.path().to_owned(),
                lost: self.replaced,
                of: self.characters,
                hint: hint(self.looks_like.map(Charset::name)),
            }),
        }
    }
}

fn hint(looks_like: Option<&str>) -> String {
    let each = looks_like.map(|name| {
        let option = name.to_ascii_lowercase();
        format!("; it looks like {name}, which --encoding {option} reads")
    });
    each.unwrap_or_default()
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
            characters: 0,
            replaced: 0,
            looks_like: None,
        };
        match read_file(&mut reading, control)? {
            Left::Read if batcher.documents() > before.0 => report.files += 1,
            Left::Read if batcher.empty > before.1 && input.named && inputs.len() == 1 => {
                return Err(Error::Empty {
                    path: input.path.clone(),
                });
            }
            Left::Read => {}
            Left::Skipped(reason) => {
                let missed = if reason == OURS { 0 } else { input.stamp.bytes };
                report.skip(&input.path, &reason, missed);
            }
        }
    }
    report.empty = batcher.empty;
    let given = inputs.iter().zip(&*files).find(|(input, _)| input.held_out);
    match given {
        Some((input, first)) if *first == batcher.documents() => Err(Error::Empty {
            path: input.path.clone(),
        }),
        _ => Ok(()),
    }
}

fn read_file(r: &mut Reading, control: &JobControl) -> Result<Left> {
    let path = &r.input.path;
    let fail = |e: io::Error| Error::reading(path, &e);
    if !r.input.named && run::is_output(path) {
        return Ok(Left::Skipped(OURS.into()));
    }
    let file = r.input.open().map_err(fail)?;
    unchanged(r.input, &file)?;
    let counted = Counted {
        file: file.try_clone().map_err(fail)?,
        control,
    };
    let mut stream = BufReader::with_capacity(BLOCK, counted);
    let magic = stream.fill_buf().map_err(fail)?;
    let epub = kinds::is_epub(magic) && !r.options.raw;
    let magic = &magic[..magic.len().min(4)];
    let left = if epub {
        formats::epub::read(r, file.try_clone().map_err(fail)?)?
    } else if magic == b"PAR1" {
        formats::parquet::read(r, file.try_clone().map_err(fail)?)?
    } else if magic.starts_with(&[0x1F, 0x8B]) {
        unpacked(r, flate2::bufread::MultiGzDecoder::new(stream))?
    } else if magic == [0x28, 0xB5, 0x2F, 0xFD] {
        let decoder = zstd::stream::read::Decoder::with_buffer(stream).map_err(fail)?;
        unpacked(r, decoder)?
    } else {
        text_format(r, &mut stream, &extension(path))?
    };
    unchanged(r.input, &file)?;
    r.check_lost()?;
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
    text_format(r, &mut stream, &inner)
}

/// Reads a text by the format that its name gives. One look at the beginning finds its charset,
/// for every format.
fn text_format(r: &mut Reading, stream: &mut dyn BufRead, extension: &str) -> Result<Left> {
    let fail = |r: &Reading, e: &io::Error| broken(r.path(), e);
    let mut head = Vec::new();
    let looked = (&mut *stream).take(LOOK as u64).read_to_end(&mut head);
    looked.map_err(|e| fail(r, &e))?;
    let format = match r.options.raw {
        true => Format::Plain,
        false => Format::of(extension, &head),
    };
    // Raw bytes apply to plain files that the user named.
    if r.options.raw_bytes && r.input.named && format == Format::Plain {
        let mark = head.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&head);
        return formats::plain::read_bytes(r, &mut mark.chain(stream));
    }
    if let Some(what) = kinds::not_text(&head) {
        return r.no_text(what);
    }
    let marked = charset::marked(&head);
    let (charset, mark) = marked.unwrap_or((unmarked(r, &head, format), 0));
    if marked.is_none() && charset == Charset::UTF_8 {
        let wide = charset::wide(&head);
        let utf8 = charset::is_utf8(&head);
        r.looks_like = if utf8 { wide } else { charset::guess(&head) };
        let refused = !utf8 && !r.input.named && format == Format::Plain;
        if wide.is_some() || refused {
            return r.not_utf8(0, &head);
        }
    }
    let mut stream = head[mark..].chain(stream);
    if charset == Charset::UTF_8 {
        return format.read(r, &mut stream);
    }
    r.report
        .read_as(&format!("decoded from {}", charset.name()));
    let mut decoded = Decoded::new(&mut stream, charset, r.options.lossy);
    format.read(r, &mut decoded)
}

/// The charset of a text without a byte order mark: UTF-8, or the one that was given, or that a
/// page declares.
fn unmarked(r: &Reading, head: &[u8], format: Format) -> Charset {
    let utf8 = charset::is_utf8(head);
    match &r.options.encoding {
        // A folder may have texts of both kinds.
        Some(_) if utf8 && !head.is_ascii() => Charset::UTF_8,
        Some(name) => Charset::named(name).unwrap_or(Charset::UTF_8),
        None if format == Format::Html && !utf8 => {
            charset::declared(head).unwrap_or(Charset::UTF_8)
        }
        None => Charset::UTF_8,
    }
}

/// The error of a stream that fails in the middle: usually the compressed data is damaged.
pub(crate) fn broken(path: &Path, error: &io::Error) -> Error {
    let undecodable = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<Undecodable>());
    if let Some(undecodable) = undecodable {
        return Error::Undecodable {
            path: path.to_owned(),
            reason: undecodable.to_string(),
        };
    }
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
