//! Classifies characters as letter, number, white space or symbol.

use std::sync::LazyLock;
use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// The classes that the expressions distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// `[^\s\p{L}\p{N}]`
    Symbol,
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s` other than line breaks
    Space,
    /// `[\r\n]`
    Newline,
    /// Beyond the end of the text.
    End,
}

impl Class {
    pub fn is_white(self) -> bool {
        matches!(self, Class::Space | Class::Newline)
    }
}

/// A character of the text.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub class: Class,
    pub end: usize,
}

/// No letter, number or white space has a code point from here on. The classes are those of Unicode
/// 16, as in Hugging Face's `tokenizers` 0.23: letters added later are symbols there.
const CLASSES: usize = 0x34000;

static TABLE: LazyLock<Vec<Class>> = LazyLock::new(|| (0..CLASSES as u32).map(class).collect());

fn class(code: u32) -> Class {
    let Some(c) = char::from_u32(code) else {
        return Class::Symbol;
    };
    match get_general_category(c) {
        _ if c == '\r' || c == '\n' => Class::Newline,
        _ if c.is_whitespace() => Class::Space,
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter => Class::Letter,
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => Class::Number,
        _ => Class::Symbol,
    }
}

/// The character at `at`.
pub(super) fn look(text: &[u8], at: usize) -> Look {
    let Some(&byte) = text.get(at) else {
        return Look {
            class: Class::End,
            end: at,
        };
    };
    if byte < 0x80 {
        return Look {
            class: TABLE[usize::from(byte)],
            end: at + 1,
        };
    }
    let (code, length) = decode(text, at, byte);
    let class = TABLE.get(code).copied().unwrap_or(Class::Symbol);
    Look {
        class,
        end: at + length,
    }
}

/// Code point and length of the character at `at`, which begins with `first`; a byte that isn't
/// UTF-8 is U+FFFD, a symbol.
fn decode(text: &[u8], at: usize, first: u8) -> (usize, usize) {
    const BAD: (usize, usize) = (0xFFFD, 1);
    let more = |n: usize| {
        let byte = text.get(at + n).copied().unwrap_or(0);
        (byte & 0xC0 == 0x80).then_some(usize::from(byte & 0x3F))
    };
    let head = usize::from(first);
    match first {
        0xC2..=0xDF => more(1).map_or(BAD, |a| ((head & 0x1F) << 6 | a, 2)),
        0xE0..=0xEF => match (more(1), more(2)) {
            (Some(a), Some(b)) => {
                let code = (head & 0x0F) << 12 | a << 6 | b;
                let real = code >= 0x800 && !(0xD800..0xE000).contains(&code);
                if real { (code, 3) } else { BAD }
            }
            _ => BAD,
        },
        0xF0..=0xF4 => match (more(1), more(2), more(3)) {
            (Some(a), Some(b), Some(c)) => {
                let code = (head & 0x07) << 18 | a << 12 | b << 6 | c;
                let real = (0x1_0000..0x11_0000).contains(&code);
                if real { (code, 4) } else { BAD }
            }
            _ => BAD,
        },
        _ => BAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_later_versions_are_symbols() {
        let class = |c: char| look(c.to_string().as_bytes(), 0).class;
        assert_eq!(
            (class('\u{A7F1}'), class('\u{323B0}')),
            (Class::Symbol, Class::Symbol)
        );
        assert_eq!(
            (class('\u{A7DC}'), class('\u{323AF}')),
            (Class::Letter, Class::Letter)
        );
    }
}
