//! Makes text from outside safe for a terminal: everything that may hold some passes through here.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width of a text in columns.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// Whether a character can control a terminal, reorder a line or hide in it: controls, directional
/// marks, marks of no width, tags, line separators, the byte-order mark.
pub fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// JSON with every hidden character in its strings escaped.
pub fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The character, or a visible replacement if it is hidden.
fn visible(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if hidden(c) => '\u{fffd}',
        c => c,
    }
}

/// The text as one line, without anything that could control the terminal.
pub fn line(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The text as one line, without anything that could control the terminal, cut or filled up with
/// spaces to `width` columns.
pub fn cell(text: &str, width: usize) -> String {
    let text = line(text);
    let cut = truncate(&text, width);
    format!("{cut}{}", " ".repeat(width - columns(cut)))
}

/// The text without anything that could control the terminal except line breaks and tabs.
pub fn lines(text: &str) -> String {
    let kept = |c: char| {
        if c == '\n' || c == '\t' {
            c
        } else {
            visible(c)
        }
    };
    text.replace("\r\n", "\n").chars().map(kept).collect()
}

/// The text without anything that could control the terminal, in lines of at most `width` columns,
/// broken at spaces where possible.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.replace("\r\n", "\n").split('\n') {
        wrap_paragraph(&line(&paragraph.replace('\t', "    ")), width, &mut lines);
    }
    lines
}

fn wrap_paragraph(paragraph: &str, width: usize, lines: &mut Vec<String>) {
    let mut current = String::new();
    let mut used = 0;
    for c in paragraph.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width && !current.is_empty() {
            if c == ' ' {
                lines.push(std::mem::take(&mut current));
                used = 0;
                continue;
            }
            // The piece after the last space moves to the next line; without a space, break here.
            let rest = match current.rfind(' ') {
                Some(at) if at > 0 => current.split_off(at + 1),
                _ => String::new(),
            };
            lines.push(current.trim_end().to_string());
            used = columns(&rest);
            current = rest;
        }
        current.push(c);
        used += wide;
    }
    lines.push(current);
}

/// The longest prefix of at most `width` columns.
pub(crate) fn truncate(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// The text quoted as a shell argument.
pub fn argument(text: &str) -> String {
    let text = line(text);
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_never_exceed_the_width() {
        let wrapped = wrap("the red ball is in the box\n\nthe end", 10);
        assert_eq!(wrapped, ["the red", "ball is in", "the box", "", "the end"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        // Each character is two columns wide.
        assert_eq!(wrap("从前有座山", 5), ["从前", "有座", "山"]);
        assert_eq!(wrap("山山", 1), ["山", "山"]);
        let long = "一 two 三三三 fourfourfour\tfive ".repeat(20);
        for width in 2..40 {
            let lines = wrap(&long, width);
            assert!(
                lines.iter().all(|l| columns(l) <= width),
                "{width}: {lines:?}"
            );
        }
    }

    #[test]
    fn no_text_controls_the_terminal() {
        let hostile: String = (0..=0x2100).filter_map(char::from_u32).collect();
        for text in wrap(&hostile, 70) {
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{feff}']));
        }
        assert_eq!(lines("a\r\nb\tc\u{9b}\u{2066}"), "a\nb\tc\u{fffd}\u{fffd}");
        assert_eq!(line("\x1b[31mred\x07\r"), "␛[31mred␇␍");
    }

    #[test]
    fn arguments_come_back_from_a_shell() {
        assert_eq!(argument("runs/故事-2"), "runs/故事-2");
        assert_eq!(argument("my run"), "'my run'");
        assert_eq!(argument("a'b$c"), r"'a'\''b$c'");
        assert_eq!(argument(""), "''");
    }
}
