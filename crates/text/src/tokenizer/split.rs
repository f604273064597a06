//! The split before byte-level BPE: it cuts a text into pieces that no token crosses.
//!
//! The published tokenizers cut a text into words, numbers, symbols and white space by a regular
//! expression, and BPE merges within these pieces only. There are few such expressions. Each is a
//! scanner here, which finds the same pieces in one pass and in bounded time; an expression from a
//! file is never run. llama.cpp knows each by the name in [`Split::name`].
//!
//! Before the expression, a run of more than [`LONGEST_RUN`] bytes without ASCII white space, or of
//! nothing else, is cut at a character, so that no piece is much longer.
//!
//! Bytes that aren't UTF-8 count as symbols, one by one.

mod class;

use class::{Class, look};

/// The longest run, in bytes, that isn't cut.
pub const LONGEST_RUN: usize = 4096;

/// A known split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// GPT-2's; `ByteLevel` with `use_regex` in a tokenizer.json.
    Gpt2,
    /// Llama 3's, which is also GPT-4's: numbers in groups of three, contractions in any case, a
    /// symbol before a word stays with it.
    Llama3,
    /// Qwen2's: Llama 3's with single digits. Our own BPE uses it.
    Qwen2,
}

impl Split {
    /// All splits.
    pub const ALL: [Split; 3] = [Split::Gpt2, Split::Llama3, Split::Qwen2];

    /// The name in llama.cpp (`tokenizer.ggml.pre` of a GGUF file).
    pub fn name(self) -> &'static str {
        match self {
            Split::Gpt2 => "gpt-2",
            Split::Llama3 => "llama-bpe",
            Split::Qwen2 => "qwen2",
        }
    }

    /// The expression, exactly as in the published files.
    pub fn expression(self) -> &'static str {
        match self {
            Split::Gpt2 => {
                r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
            }
            Split::Llama3 => {
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            }
            Split::Qwen2 => {
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            }
        }
    }

    /// The end of the piece that begins at `at`, in a text without forced cuts.
    fn end(self, text: &[u8], at: usize) -> usize {
        if let Some(end) = contraction(text, at, self != Split::Gpt2) {
            return end;
        }
        let first = look(text, at);
        let next = look(text, first.end);
        let space = text.get(at) == Some(&b' ');
        match self {
            Split::Gpt2 => {
                let head = if space { next } else { first };
                if matches!(head.class, Class::Letter | Class::Number | Class::Symbol) {
                    return run(text, head.end, |class| class == head.class);
                }
            }
            Split::Llama3 | Split::Qwen2 => match (first.class, next.class) {
                (Class::Letter, _) | (Class::Symbol | Class::Space, Class::Letter) => {
                    return run(text, first.end, |class| class == Class::Letter);
                }
                (Class::Number, _) if self == Split::Qwen2 => return first.end,
                (Class::Number, Class::Number) => {
                    let third = look(text, next.end);
                    let whole = third.class == Class::Number;
                    return if whole { third.end } else { next.end };
                }
                (Class::Number, _) => return first.end,
                (Class::Symbol, _) | (Class::Space, Class::Symbol)
                    if first.class == Class::Symbol || space =>
                {
                    let symbols = run(text, first.end, |class| class == Class::Symbol);
                    return run(text, symbols, |class| class == Class::Newline);
                }
                _ => {}
            },
        }
        self.white_space(text, at)
    }

    /// The end of a piece of white space that begins at `at`: after the last line break of the run
    /// (not in GPT-2's), else before the run's last character, which may belong to a word.
    fn white_space(self, text: &[u8], at: usize) -> usize {
        let (mut end, mut last, mut line) = (at, at, None);
        loop {
            let here = look(text, end);
            if !matches!(here.class, Class::Space | Class::Newline) {
                break;
            }
            (last, end) = (end, here.end);
            if here.class == Class::Newline {
                line = Some(end);
            }
        }
        match line {
            Some(line) if self != Split::Gpt2 => line,
            _ if end < text.len() && last > at => last,
            _ => end,
        }
    }

    /// The pieces of a text, in order; together they are the text.
    pub fn pieces(self, text: &[u8]) -> Pieces<'_> {
        Pieces {
            split: self,
            text,
            at: 0,
            cut: next_cut(text, 0),
        }
    }

    /// The last place up to `most` where `text` can be cut and both parts encoded separately,
    /// whatever follows. `None` if there is no such place, which happens only in short texts.
    pub fn safe_end(self, text: &[u8], most: usize) -> Option<usize> {
        let most = most.min(text.len());
        let near = most.saturating_sub(2 * LONGEST_RUN).max(1);
        if let Some(at) = (near..=most).rev().find(|&at| is_safe(text, at)) {
            return Some(at);
        }
        // An unusual text: walk through its pieces. Those that end well before the end of the text
        // can't be changed by what follows.
        let mut pieces = self.pieces(text);
        let mut found = None;
        let sure = most.min(text.len().saturating_sub(2 * LONGEST_RUN + 8));
        while let Some(piece) = pieces.next() {
            let at = pieces.at;
            if at > sure {
                break;
            }
            let forced = pieces.restarted(at);
            let word_ends =
                !piece.last().is_some_and(is_blank) && text.get(at).is_some_and(is_blank);
            if forced || word_ends {
                found = Some(at);
            }
        }
        found
    }
}

/// Whether every split has a boundary at `at`, whether or not the text ends there: after a single
/// line break before a word, or before a single space between words.
fn is_safe(text: &[u8], at: usize) -> bool {
    let (Some(&before), Some(&here)) = (text.get(at.wrapping_sub(1)), text.get(at)) else {
        return false;
    };
    let word = |at: usize| at < text.len() && !look(text, at).class.is_white();
    let after_word = |at: usize| {
        let begins = |from: &usize| text[*from] & 0xC0 != 0x80;
        let from = (at.saturating_sub(4)..at).rev().find(begins);
        from.is_some_and(word)
    };
    (before == b'\n' && word(at) && after_word(at - 1))
        || (here == b' ' && word(at + 1) && after_word(at))
}

/// Iterator over the pieces of a text.
pub struct Pieces<'a> {
    split: Split,
    text: &'a [u8],
    at: usize,
    /// The next forced cut; the text's length if there is none.
    cut: usize,
}

impl Pieces<'_> {
    /// Whether `at` is a forced cut.
    fn restarted(&self, at: usize) -> bool {
        at == self.cut && at < self.text.len()
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.at >= self.text.len() {
            return None;
        }
        if self.at >= self.cut {
            self.cut = next_cut(self.text, self.at);
        }
        let from = self.at;
        self.at = self.split.end(&self.text[..self.cut], from);
        Some(&self.text[from..self.at])
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The next forced cut after `from`, where a run begins; the text's length if there is none. Looks
/// at few bytes: the last change to or from white space within reach begins another run.
fn next_cut(text: &[u8], from: usize) -> usize {
    let mut run = from;
    while text.len() - run > LONGEST_RUN {
        let reach = run + LONGEST_RUN;
        let turn = |at: &usize| is_blank(&text[*at - 1]) != is_blank(&text[*at]);
        match (run + 1..=reach).rev().find(turn) {
            Some(turn) => run = turn,
            None => {
                let begins = |at: &usize| text[*at] & 0xC0 != 0x80;
                return (reach - 3..=reach).rev().find(begins).unwrap_or(reach);
            }
        }
    }
    text.len()
}

/// The end of a contraction's suffix (`'s`, `'re`, …).
fn contraction(text: &[u8], at: usize, any_case: bool) -> Option<usize> {
    if text.get(at) != Some(&b'\'') {
        return None;
    }
    // Ignoring case, the long s (U+017F) is an s.
    if any_case && text.get(at + 1..at + 3) == Some("\u{17F}".as_bytes()) {
        return Some(at + 3);
    }
    let letter = |at: usize| {
        let byte = text.get(at).copied().unwrap_or(0);
        if any_case {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    match (letter(at + 1), letter(at + 2)) {
        (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
        (b'r' | b'v', b'e') | (b'l', b'l') => Some(at + 3),
        _ => None,
    }
}

/// The end of the run that reaches up to `at`.
fn run(text: &[u8], mut at: usize, belongs: impl Fn(Class) -> bool) -> usize {
    loop {
        let here = look(text, at);
        if !belongs(here.class) {
            return at;
        }
        at = here.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Random, RandomUse};

    /// Characters that the expressions treat differently, and edge cases.
    const ALPHABET: [&str; 40] = [
        "a",
        "b",
        "s",
        "t",
        "re",
        "LL",
        "'",
        "'s",
        "'S",
        "\u{17F}",
        "\u{E9}",
        "\u{4F60}",
        "\u{597D}",
        "\u{FF0C}",
        "\u{3002}",
        "\u{3000}",
        "1",
        "23",
        "\u{B2}",
        "\u{2167}",
        "\u{664}",
        " ",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        "\u{85}",
        "\u{2028}",
        "\u{A0}",
        ".",
        "!",
        "-",
        "_",
        "\u{301}",
        "\u{1F600}",
        "\u{10FFFF}",
        "\u{200D}",
        "\u{0}",
    ];

    fn texts() -> impl Iterator<Item = String> {
        let mut random = Random::new(7, RandomUse::TrainTales, 0);
        (0..4000).map(move |i| {
            let length = 1 + random.below(if i % 8 == 0 { 60 } else { 8 });
            let pick = |_| ALPHABET[random.below(ALPHABET.len() as u64) as usize];
            (0..length).map(pick).collect()
        })
    }

    #[test]
    fn scanners_give_what_the_expressions_give() {
        for split in Split::ALL {
            let expression = fancy_regex::Regex::new(split.expression()).unwrap();
            for text in texts() {
                let expected: Vec<&str> = expression
                    .find_iter(&text)
                    .map(|found| found.unwrap().as_str())
                    .collect();
                let found: Vec<&str> = split
                    .pieces(text.as_bytes())
                    .map(|piece| std::str::from_utf8(piece).unwrap())
                    .collect();
                assert_eq!(found, expected, "{split:?} on {text:?}");
            }
        }
    }

    /// Two parts have the same pieces as the whole.
    #[test]
    fn safe_ends_are_safe() {
        let mut found = 0;
        let long = "ab\u{4F60}".repeat(3000);
        let strange = [
            "a  b  ".repeat(9000),
            long.clone(),
            format!("{long}\n\n x{long}"),
            " ".repeat(30_000),
        ];
        for text in texts().map(|t| t.repeat(2)).chain(strange) {
            let text = text.as_bytes();
            for split in Split::ALL {
                for most in [text.len() / 3, text.len() / 2, text.len() - 1] {
                    let Some(end) = split.safe_end(text, most) else {
                        assert!(text.len() < 40_000);
                        continue;
                    };
                    assert!(end > 0 && end <= most);
                    let (a, b) = text.split_at(end);
                    let parts: Vec<&[u8]> = split.pieces(a).chain(split.pieces(b)).collect();
                    assert_eq!(
                        parts,
                        split.pieces(text).collect::<Vec<_>>(),
                        "{split:?}, {end}"
                    );
                    found += 1;
                }
            }
        }
        assert!(found > 1000, "{found}");
    }

    #[test]
    fn long_runs_are_cut_at_a_character() {
        for (unit, longest) in [
            ("a", 4096),
            ("\u{4F60}", 4095),
            (" ", 4096),
            ("\n", 4096),
            ("\u{1F600}", 4096),
        ] {
            let text = format!("x{}", unit.repeat(4096));
            let text = &text.as_bytes()[1..];
            for split in Split::ALL {
                let pieces: Vec<&[u8]> = split.pieces(text).collect();
                assert_eq!(pieces.concat(), text);
                let most = pieces.iter().map(|piece| piece.len()).max();
                assert_eq!(most, Some(longest), "{unit:?}");
                assert!(
                    pieces
                        .iter()
                        .all(|piece| std::str::from_utf8(piece).is_ok())
                );
            }
        }
        // A run restarts after white space, and one of exactly the limit isn't cut.
        let text = format!("{} {}", "a".repeat(4000), "b".repeat(4096));
        assert_eq!(Split::Qwen2.pieces(text.as_bytes()).count(), 2);
        // Bytes that aren't UTF-8 are cut anywhere.
        let bad = vec![0x80; 10_000];
        assert_eq!(Split::Gpt2.pieces(&bad).collect::<Vec<_>>().concat(), bad);
    }
}
