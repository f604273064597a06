//! Plain text: a file is a document.

use crate::documents::{Left, Reading, broken};
use crate::{Error, Result};
use std::io::BufRead;
use text::Utf8Stream;

/// Reads one document. Line ends stay as they are.
pub(crate) fn read(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    // Raw bytes and lossy decoding apply to files that the user named; other files that aren't
    // UTF-8 count as binary.
    let raw = r.options.raw_bytes && r.input.named;
    let lossy = r.options.lossy && r.input.named;
    let mut check = Check::default();
    let mut replaced = Utf8Stream::new();
    loop {
        let block = stream.fill_buf().map_err(|e| broken(&r.input.path, &e))?;
        let length = block.len();
        if length == 0 {
            break;
        }
        if raw {
            r.batcher.push(block)?;
        } else if lossy {
            r.batcher.push(replaced.push(block).as_bytes())?;
        } else if let Err(at) = check.push(block) {
            return not_text(r, at, check.is_utf16);
        } else {
            r.batcher.push(block)?;
        }
        stream.consume(length);
    }
    if lossy && !raw {
        r.batcher.push(replaced.finish().as_bytes())?;
    } else if let (false, Err(at)) = (raw, check.finish()) {
        return not_text(r, at, check.is_utf16);
    }
    r.batcher.end()?;
    Ok(Left::Read)
}

fn not_text(r: &mut Reading, offset: u64, is_utf16: bool) -> Result<Left> {
    r.batcher.abort()?;
    let path = r.input.path.clone();
    match (r.input.named, is_utf16) {
        (false, _) => Ok(Left::Skipped("not UTF-8 text")),
        (true, true) => Err(Error::Utf16 { path }),
        (true, false) => Err(Error::NotUtf8 { path, offset }),
    }
}

/// Checks that a stream is UTF-8. Blocks may split characters.
#[derive(Default)]
struct Check {
    /// Bytes found valid.
    good: u64,
    /// The incomplete character at the end of the last block.
    begun: Vec<u8>,
    is_utf16: bool,
}

impl Check {
    /// The error is the offset of the first invalid byte.
    fn push(&mut self, block: &[u8]) -> std::result::Result<(), u64> {
        let first = self.good == 0 && self.begun.is_empty();
        self.is_utf16 |=
            first && (block.starts_with(b"\xFF\xFE") || block.starts_with(b"\xFE\xFF"));
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
