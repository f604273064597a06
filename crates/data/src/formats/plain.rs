//! Plain text: a file is a document.

use super::lines::each_line;
use crate::Result;
use crate::documents::{Left, Reading, broken};
use memchr::memmem;
use std::io::BufRead;
use text::Utf8Stream;

/// A line that often stands between two documents.
const END_MARK: &[u8] = b"\n<|endoftext|>";

/// Reads one document, or several with a line between two. Line ends stay as they are.
pub(crate) fn read(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    if let Some(separator) = &r.options.separator {
        let skipped = each_line(
            r,
            stream,
            &mut |r, line| match line.trim_end_matches(['\r', '\n']) == separator {
                true => r.batcher.end(),
                false => r.push(line),
            },
        )?;
        if skipped.is_none() {
            r.batcher.end()?;
        }
        return Ok(skipped.unwrap_or(Left::Read));
    }
    // Lossy decoding applies to files that the user named; other files that aren't UTF-8 count as
    // binary.
    let lossy = r.options.lossy && r.input.named;
    let mut characters = Utf8Stream::new();
    let mut check = Check::default();
    let end_mark = memmem::Finder::new(END_MARK);
    loop {
        let block = stream.fill_buf().map_err(|e| broken(r.path(), &e))?;
        let length = block.len();
        if length == 0 {
            break;
        }
        r.report.end_marks += end_mark
            .find_iter(block)
            .filter(|at| matches!(block.get(at + END_MARK.len()), None | Some(b'\r' | b'\n')))
            .count() as u64;
        if lossy {
            r.push(&characters.push(block))?;
        } else if let Err(at) = check.push(block) {
            r.batcher.abort()?;
            return r.not_utf8(at, block);
        } else {
            r.batcher.push(block)?;
        }
        stream.consume(length);
    }
    if lossy {
        r.push(&characters.finish())?;
    } else if let Err(at) = check.finish() {
        r.batcher.abort()?;
        return r.not_utf8(at, &[]);
    }
    r.batcher.end()?;
    Ok(Left::Read)
}

/// Reads one document of any bytes.
pub(crate) fn read_bytes(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    loop {
        let block = stream.fill_buf().map_err(|e| broken(r.path(), &e))?;
        let length = block.len();
        if length == 0 {
            break;
        }
        r.batcher.push(block)?;
        stream.consume(length);
    }
    r.batcher.end()?;
    Ok(Left::Read)
}

/// Passes on a text in whole characters. Returns an outcome if it isn't UTF-8.
pub(crate) fn each_block(
    r: &mut Reading,
    stream: &mut dyn BufRead,
    each: &mut dyn FnMut(&mut Reading, &str) -> Result<()>,
) -> Result<Option<Left>> {
    let mut characters = Utf8Stream::new();
    let mut check = Check::default();
    loop {
        let block = stream.fill_buf().map_err(|e| broken(r.path(), &e))?;
        let length = block.len();
        let valid = match length {
            0 => check.finish(),
            _ => check.push(block),
        };
        if let (Err(at), false) = (valid, r.options.lossy && r.input.named) {
            r.batcher.abort()?;
            return r.not_utf8(at, block).map(Some);
        }
        if length == 0 {
            each(r, &characters.finish())?;
            return Ok(None);
        }
        each(r, &characters.push(block))?;
        stream.consume(length);
    }
}

/// Checks that a stream is UTF-8. Blocks may split characters.
#[derive(Default)]
struct Check {
    /// Bytes found valid.
    good: u64,
    /// The incomplete character at the end of the last block.
    begun: Vec<u8>,
}

impl Check {
    /// The error is the offset of the first invalid byte.
    fn push(&mut self, block: &[u8]) -> std::result::Result<(), u64> {
        let mut rest = block;
        while !self.begun.is_empty() {
            let Some((&byte, tail)) = rest.split_first() else {
                return Ok(());
            };
            self.begun.push(byte);
            rest = tail;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => {
                    self.good += self.begun.len() as u64;
                    self.begun.clear();
                }
                Err(e) if e.error_len().is_some() => return Err(self.good),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => self.good += rest.len() as u64,
            Err(e) => {
                self.good += e.valid_up_to() as u64;
                if e.error_len().is_some() {
                    return Err(self.good);
                }
                self.begun.extend_from_slice(&rest[e.valid_up_to()..]);
            }
        }
        Ok(())
    }

    fn finish(&self) -> std::result::Result<(), u64> {
        match self.begun.is_empty() {
            true => Ok(()),
            false => Err(self.good),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_give_the_same_verdict() {
        let texts: [&[u8]; 6] = [
            "plain, 你好 and \u{1F600}".as_bytes(),
            b"abc\xFFdef",
            b"abc\xE4\xBD",
            b"\xE4\xBDx",
            b"",
            b"\xED\xA0\x80",
        ];
        for text in texts {
            let expected = std::str::from_utf8(text).map_err(|e| e.valid_up_to() as u64);
            for size in 1..=text.len().max(1) {
                let mut check = Check::default();
                let pushed = text.chunks(size).try_for_each(|block| check.push(block));
                let found = pushed.and_then(|()| check.finish());
                assert_eq!(found, expected.map(|_| ()), "{text:?} in blocks of {size}");
            }
        }
    }
}
