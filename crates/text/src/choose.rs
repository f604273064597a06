//! The rule for `data.tokenizer = "auto"`: chooses a tokenizer for a text.
//!
//! The criterion is bits per byte after one minute of training, measured in EXPERIMENTS.md:
//!
//! | text | tokenizer | why |
//! |---|---|---|
//! | mostly Han, kana or Hangul | `chars` | a character is a syllable or a word already |
//! | below 100 kB | `chars` | too short for tokens of several letters to occur often |
//! | below 150 kB | `bpe:1024` | a window sees twice as much text |
//! | any other | `bpe:4096` | a window sees three times as much text |
//!
//! For Han, kana and Hangul, BPE needs a large vocabulary to catch up. A vocabulary above 4,096
//! costs more than it saves in models of this size.

use crate::TokenizerKind;

/// Below this many bytes, words are too rare.
const SMALL: usize = 100_000;

/// Below this many bytes, long words are too rare.
const MIDDLE: usize = 150_000;

/// Vocabulary size below `MIDDLE` and from there on.
const TOKENS: [usize; 2] = [1024, 4096];

/// How many parts of a text are examined, and how many bytes of each.
const PARTS: (usize, usize) = (64, 4096);

/// Chooses `chars` or `bpe` by size and script.
pub fn choose(text: &[u8]) -> TokenizerKind {
    if text.len() < SMALL || is_syllabic(text) {
        TokenizerKind::Chars
    } else {
        TokenizerKind::Bpe(TOKENS[usize::from(text.len() >= MIDDLE)])
    }
}

/// Whether a text is mostly in a script whose characters are syllables or words.
pub fn is_syllabic(text: &[u8]) -> bool {
    let stride = (text.len() / PARTS.0).max(PARTS.1);
    let (mut characters, mut syllables) = (0, 0);
    for part in text.chunks(stride) {
        let part = String::from_utf8_lossy(&part[..part.len().min(PARTS.1)]);
        let letters = part.chars().filter(|c| c.is_alphabetic());
        for c in letters {
            characters += 1;
            syllables += usize::from(is_syllable(c));
        }
    }
    // A syllable carries about as much information as three letters.
    4 * syllables > characters
}

/// Whether a character belongs to a script where each is a syllable or a word: kana and CJK
/// ideographs with their extensions, Hangul.
pub(crate) fn is_syllable(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{312F}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{33FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_script_decide() {
        let of = |unit: &str, bytes: usize| choose(unit.repeat(bytes / unit.len() + 1).as_bytes());
        let (chars, bpe) = (TokenizerKind::Chars, TokenizerKind::Bpe(4096));
        for (unit, large) in [
            ("To be, or not to be. ", &bpe),
            ("\u{411}\u{44B}\u{442}\u{44C} \u{438}\u{43B}\u{438} ", &bpe),
            ("\u{5E8A}\u{524D}\u{660E}\u{6708}\u{5149}\u{3002}\n", &chars),
            ("\u{5B66}\u{4E60} Rust \u{8BED}\u{8A00}\n", &chars),
            ("// \u{6CE8}\u{91CA}\nlet mut words = Vec::new();\n", &bpe),
        ] {
            assert_eq!(of(unit, 50_000), chars, "{unit}");
            assert_eq!(of(unit, 3_000_000), *large, "{unit}");
        }
        // Digits have no script, and an empty text is small.
        assert_eq!((of("12 34\n", 200_000), choose(b"")), (bpe, chars));
        assert_eq!(of("12 34\n", 120_000), TokenizerKind::Bpe(1024));
    }
}
