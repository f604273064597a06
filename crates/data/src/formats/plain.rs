//! Plain text: a file is a document.

use super::characters::{Check, each_line};
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
