//! Turns bytes that arrive in pieces into whole characters.

/// Collects bytes and returns complete characters, so that a character split between two tokens is
/// never shown broken.
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    waiting: Vec<u8>,
}

impl Utf8Stream {
    /// An empty stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes and returns the characters that are complete by now; bytes that can't become a
    /// character become U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.waiting.extend_from_slice(bytes);
        let mut text = String::new();
        let mut done = 0;
        for chunk in self.waiting.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let rest = &self.waiting[done..];
            let unfinished = std::str::from_utf8(rest)
                .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
            if chunk.invalid().is_empty() || unfinished {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            done += chunk.invalid().len();
        }
        self.waiting.drain(..done);
        text
    }

    /// Ends the stream: an unfinished character becomes one U+FFFD.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.waiting).into_owned();
        self.waiting.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_what_lossy_conversion_gives() {
        let text = b"a\xC3\xA9 \xE4\xBD\xA0 \xF0\x9F\x98\x80 \xFF\xE4\xBD\xF0\x9F x\xF0\x9F\x98";
        for size in 1..=text.len() {
            let mut stream = Utf8Stream::new();
            let mut shown = String::new();
            for piece in text.chunks(size) {
                shown += &stream.push(piece);
            }
            shown += &stream.finish();
            assert_eq!(
                shown,
                String::from_utf8_lossy(text),
                "pieces of {size} bytes"
            );
        }
    }

    #[test]
    fn complete_characters_do_not_wait() {
        let mut stream = Utf8Stream::new();
        assert_eq!(stream.push(b"ab\xE4"), "ab");
        assert_eq!(stream.push(b"\xBD\xA0"), "\u{4F60}");
    }
}
