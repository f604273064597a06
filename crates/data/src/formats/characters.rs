//! Texts in whole characters and lines, however their bytes arrive.

use super::LONGEST_RECORD;
use crate::documents::{Left, Reading, broken};
use crate::{Error, Result};
use std::io::BufRead;
use text::Utf8Stream;

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

/// Passes on each line with its end.
pub(super) fn each_line(
    r: &mut Reading,
    stream: &mut dyn BufRead,
    each: &mut dyn FnMut(&mut Reading, &str) -> Result<()>,
) -> Result<Option<Left>> {
    let mut held = String::new();
    let skipped = each_block(r, stream, &mut |r, block| {
        for part in block.split_inclusive('\n') {
            held += part;
            if part.ends_with('\n') {
                each(r, &held)?;
                held.clear();
            } else if held.len() > LONGEST_RECORD {
                let why = format!("a line longer than {} MiB", LONGEST_RECORD >> 20);
                return Err(Error::damaged(r.path(), why));
            }
        }
        Ok(())
    })?;
    if skipped.is_none() && !held.is_empty() {
        each(r, &held)?;
    }
    Ok(skipped)
}

/// Checks that a stream is UTF-8. Blocks may split characters.
#[derive(Default)]
pub(super) struct Check {
    /// Bytes found valid.
    good: u64,
    /// The incomplete character at the end of the last block.
    begun: Vec<u8>,
}

impl Check {
    /// The error is the offset of the first invalid byte.
    pub fn push(&mut self, block: &[u8]) -> std::result::Result<(), u64> {
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

    pub fn finish(&self) -> std::result::Result<(), u64> {
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
