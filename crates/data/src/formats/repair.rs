//! JSON as other programs write it, made strict.

/// The same record with numbers in the place of `NaN` and `Infinity`, and U+FFFD in the place of
/// half a surrogate pair; none if it has neither. Nothing moves.
pub(crate) fn repair(json: &str) -> Option<String> {
    let mut bytes = json.as_bytes().to_vec();
    let (mut at, mut in_string, mut changed) = (0, false, false);
    while at < bytes.len() {
        let length = match bytes[at] {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' if in_string => {
                let (length, lone) = escape(&bytes[at..]);
                if lone {
                    bytes[at + 2..at + 6].copy_from_slice(b"FFFD");
                    changed = true;
                }
                length
            }
            b'N' | b'I' if !in_string => {
                let rest = &bytes[at..];
                let word = [&b"NaN"[..], b"Infinity"]
                    .into_iter()
                    .find(|w| rest.starts_with(w));
                let length = word.map_or(0, <[u8]>::len);
                bytes[at..at + length].fill(b' ');
                if length > 0 {
                    bytes[at] = b'0';
                    changed = true;
                }
                length.max(1)
            }
            _ => 1,
        };
        at += length;
    }
    // Only whole ASCII sequences were replaced.
    changed.then(|| String::from_utf8(bytes).ok()).flatten()
}

/// The length of an escape sequence, and whether it is half a surrogate pair.
fn escape(rest: &[u8]) -> (usize, bool) {
    let unit = |at: usize| -> Option<u16> {
        let digits = rest.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => (12, false),
        (Some(0xD800..0xE000), _) => (6, true),
        _ => (2, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_json_changes() {
        let odd = r#"{"NaN": NaN, "a": [-Infinity], "b": "\uD83D\uDE00 \ud83dx \\ud800"}"#;
        let strict = r#"{"NaN": 0  , "a": [-0       ], "b": "\uD83D\uDE00 \uFFFDx \\ud800"}"#;
        assert_eq!(repair(odd).as_deref(), Some(strict));
        for fine in [r#"{"a": "NaN \" Infinity"}"#, r#""\uDE00\u""#, "N", "\"\\"] {
            assert_eq!(repair(fine).is_some(), fine.contains("DE00"), "{fine}");
        }
    }
}
