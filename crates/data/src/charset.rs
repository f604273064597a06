//! Character encodings: detecting them from the beginning of a text, and decoding to UTF-8.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, BufRead, Read};

/// Bytes at the beginning of a text that are examined.
pub(crate) const LOOK: usize = 64 << 10;

/// An encoding of characters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Charset {
    /// UTF-8, UTF-16 and the other encodings of the Encoding Standard.
    Standard(&'static Encoding),
    /// Four bytes a character, the lowest first (`false`) or last.
    Utf32(bool),
}

impl Charset {
    pub const UTF_8: Charset = Charset::Standard(UTF_8);

    /// By any of its names.
    pub fn named(name: &str) -> Option<Charset> {
        match name.trim().to_ascii_lowercase().as_str() {
            "utf-32le" | "utf-32" | "utf32" => Some(Charset::Utf32(false)),
            "utf-32be" => Some(Charset::Utf32(true)),
            name => Encoding::for_label_no_replacement(name.as_bytes()).map(Charset::Standard),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Charset::Standard(encoding) => encoding.name(),
            Charset::Utf32(false) => "UTF-32LE",
            Charset::Utf32(true) => "UTF-32BE",
        }
    }
}

/// The charset that a byte order mark gives, and the mark's length. UTF-32 comes first, since its
/// mark begins like that of UTF-16.
pub(crate) fn marked(head: &[u8]) -> Option<(Charset, usize)> {
    let marks: [(&[u8], Charset); 5] = [
        (&[0xFF, 0xFE, 0, 0], Charset::Utf32(false)),
        (&[0, 0, 0xFE, 0xFF], Charset::Utf32(true)),
        (&[0xEF, 0xBB, 0xBF], Charset::UTF_8),
        (&[0xFF, 0xFE], Charset::Standard(UTF_16LE)),
        (&[0xFE, 0xFF], Charset::Standard(UTF_16BE)),
    ];
    let found = marks.iter().find(|(mark, _)| head.starts_with(mark));
    found.map(|(mark, charset)| (*charset, mark.len()))
}

/// The charset that a page declares in its first kilobyte: `charset=` or `encoding=`.
pub(crate) fn declared(head: &[u8]) -> Option<Charset> {
    let head = String::from_utf8_lossy(&head[..head.len().min(1024)]).to_ascii_lowercase();
    let (_, rest) = head
        .split_once("charset=")
        .or_else(|| head.split_once("encoding="))?;
    let label = rest.trim_start_matches(['"', '\'', ' ']);
    let end = |c: char| !c.is_ascii_alphanumeric() && !"-_:".contains(c);
    Charset::named(label.split(end).next()?)
}

/// Whether the beginning of a text is UTF-8; the last character may be cut.
pub(crate) fn is_utf8(head: &[u8]) -> bool {
    std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true)
}

/// UTF-16 or UTF-32 without a byte order mark, recognized by the places of its NULs.
pub(crate) fn wide(head: &[u8]) -> Option<Charset> {
    let mut nul = [0usize; 4];
    for (at, byte) in head.iter().enumerate() {
        nul[at % 4] += usize::from(*byte == 0);
    }
    if head.len() < 8 || nul == [0; 4] {
        return None;
    }
    let wholly = |charset| decodes(head, charset).then_some(charset);
    let quads = head.len() / 4;
    if nul[0] == 0 && nul[2].min(nul[3]) * 2 > quads {
        return wholly(Charset::Utf32(false));
    }
    if nul[3] == 0 && nul[0].min(nul[1]) * 2 > quads {
        return wholly(Charset::Utf32(true));
    }
    // A few NULs in a text that is UTF-8 otherwise say nothing.
    let enough = |odd: usize| !is_utf8(head) || odd * 5 > head.len() / 2;
    match (nul[0] + nul[2], nul[1] + nul[3]) {
        (0, odd) if enough(odd) => wholly(Charset::Standard(UTF_16LE)),
        (even, 0) if enough(even) => wholly(Charset::Standard(UTF_16BE)),
        _ => None,
    }
}

/// Whether the beginning of a text is one in this charset: no unit is invalid, and no character
/// controls a device.
fn decodes(head: &[u8], charset: Charset) -> bool {
    let mut text = String::new();
    let mut whole = &head[..head.len() & !3];
    let read = Decoded::new(&mut whole, charset, true).read_to_string(&mut text);
    // The last character may be cut.
    let text = text
        .strip_suffix(char::REPLACEMENT_CHARACTER)
        .unwrap_or(&text);
    let odd =
        |c: char| c == char::REPLACEMENT_CHARACTER || c.is_control() && !"\t\n\r\u{C}".contains(c);
    read.is_ok() && !text.contains(odd)
}

/// The likely charset of bytes that aren't UTF-8; `None` if they don't look like text.
pub(crate) fn guess(sample: &[u8]) -> Option<Charset> {
    if let Some(charset) = wide(sample) {
        return Some(charset);
    }
    let odd = |b: &u8| *b < 0x20 && !b"\t\n\r\x0C\x1B".contains(b) || *b == 0x7F;
    if sample.is_empty() || sample.iter().any(odd) {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(sample, true);
    Some(Charset::Standard(detector.guess(None, Utf8Detection::Deny)))
}

/// Bytes that aren't characters of their charset.
#[derive(Debug, thiserror::Error)]
#[error("not {charset}: the bytes at offset {offset} are not a character in it")]
pub(crate) struct Undecodable {
    pub charset: &'static str,
    /// Behind the byte order mark.
    pub offset: u64,
}

/// A text as UTF-8.
pub(crate) struct Decoded<'a> {
    stream: &'a mut dyn BufRead,
    charset: Charset,
    decoder: encoding_rs::Decoder,
    /// Whether invalid bytes become U+FFFD.
    lossy: bool,
    ready: Vec<u8>,
    at: usize,
    /// Bytes read.
    offset: u64,
    done: bool,
}

impl<'a> Decoded<'a> {
    /// A text behind its byte order mark.
    pub fn new(stream: &'a mut dyn BufRead, charset: Charset, lossy: bool) -> Decoded<'a> {
        let encoding = match charset {
            Charset::Standard(encoding) => encoding,
            Charset::Utf32(_) => UTF_8,
        };
        Decoded {
            stream,
            charset,
            decoder: encoding.new_decoder_without_bom_handling(),
            lossy,
            ready: Vec::new(),
            at: 0,
            offset: 0,
            done: false,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        while self.ready.is_empty() && !self.done {
            match self.charset {
                Charset::Standard(_) => self.standard()?,
                Charset::Utf32(big) => self.utf32(big)?,
            }
        }
        Ok(())
    }

    fn standard(&mut self) -> io::Result<()> {
        let block = self.stream.fill_buf()?;
        let last = block.is_empty();
        let mut rest = block;
        loop {
            let room = self
                .decoder
                .max_utf8_buffer_length_without_replacement(rest.len());
            let from = self.ready.len();
            self.ready
                .resize(from + room.unwrap_or(4 * rest.len() + 16), 0);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                rest,
                &mut self.ready[from..],
                last,
            );
            self.ready.truncate(from + written);
            self.offset += read as u64;
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) if self.lossy => {
                    self.ready.extend("\u{FFFD}".as_bytes());
                }
                DecoderResult::Malformed(bad, behind) => {
                    let offset = self.offset - u64::from(bad) - u64::from(behind);
                    return Err(undecodable(self.charset, offset));
                }
            }
        }
        self.done = last;
        let length = block.len();
        self.stream.consume(length);
        Ok(())
    }

    fn utf32(&mut self, big: bool) -> io::Result<()> {
        let mut unit = Vec::with_capacity(4);
        (&mut *self.stream).take(4).read_to_end(&mut unit)?;
        if unit.is_empty() {
            self.done = true;
            return Ok(());
        }
        let code = <[u8; 4]>::try_from(&unit[..]).ok().map(|unit| match big {
            true => u32::from_be_bytes(unit),
            false => u32::from_le_bytes(unit),
        });
        let c = match code.and_then(char::from_u32) {
            Some(c) => c,
            None if self.lossy => char::REPLACEMENT_CHARACTER,
            None => return Err(undecodable(self.charset, self.offset)),
        };
        self.offset += unit.len() as u64;
        self.ready.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
}

fn undecodable(charset: Charset, offset: u64) -> io::Error {
    let charset = charset.name();
    io::Error::new(io::ErrorKind::InvalidData, Undecodable { charset, offset })
}

impl BufRead for Decoded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.ready.len() {
            self.refill()?;
        }
        Ok(&self.ready[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let count = ready.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Ab" and a line end in UTF-16 or UTF-32, again and again.
    fn wide_text(width: usize, big: bool) -> Vec<u8> {
        let mut text = Vec::new();
        for c in "Ab\n".repeat(20).bytes() {
            let at = text.len() + if big { width - 1 } else { 0 };
            text.resize(text.len() + width, 0);
            text[at] = c;
        }
        text
    }

    #[test]
    fn the_beginning_tells_the_charset() {
        assert_eq!(
            marked(b"\xFF\xFE\0\0a\0\0\0"),
            Some((Charset::Utf32(false), 4))
        );
        assert_eq!(
            marked(b"\xFF\xFEa\0"),
            Some((Charset::Standard(UTF_16LE), 2))
        );
        for (width, big, name) in [
            (2, false, "UTF-16LE"),
            (2, true, "UTF-16BE"),
            (4, false, "UTF-32LE"),
            (4, true, "UTF-32BE"),
        ] {
            assert_eq!(wide(&wide_text(width, big)).map(Charset::name), Some(name));
        }
        for text in [
            &b"\0\0\0\0\0\0\0\0"[..],
            b"a text with one \0 in it",
            b"plain text",
        ] {
            assert_eq!(wide(text), None, "{text:?}");
        }
        assert_eq!(guess(b"\x89PNG\r\n\x1A\n"), None);
        let page = b"<html><head><meta charset='GB2312'>";
        assert_eq!(declared(page).map(Charset::name), Some("GBK"));
    }

    #[test]
    fn decoding_does_not_depend_on_how_bytes_arrive() {
        let text = "Zo\u{EB}, 你好 \u{1F600}";
        let (gb, _, _) = Charset::named("gb18030").map(encoder).unwrap().encode(text);
        for size in 1..=gb.len() {
            let mut stream = io::BufReader::with_capacity(size, &gb[..]);
            let charset = Charset::named("gb18030").unwrap();
            let mut back = String::new();
            let mut decoded = Decoded::new(&mut stream, charset, false);
            decoded.read_to_string(&mut back).unwrap();
            assert_eq!(back, text);
        }
        let mut stream = &b"a\0\0\0\x01\0\x11\0b\0\0\0c"[..];
        let mut back = String::new();
        let mut decoded = Decoded::new(&mut stream, Charset::Utf32(false), true);
        decoded.read_to_string(&mut back).unwrap();
        assert_eq!(back, "a\u{FFFD}b\u{FFFD}");
    }

    fn encoder(charset: Charset) -> &'static Encoding {
        match charset {
            Charset::Standard(encoding) => encoding,
            Charset::Utf32(_) => UTF_8,
        }
    }
}
