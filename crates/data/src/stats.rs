//! Counts characters and the scripts they belong to.

/// Character counts: one per ASCII character, one per row of 16 code points beyond.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stats {
    ascii: [u64; 128],
    /// Counts of code points by their value / 16; empty until the first one beyond ASCII.
    rows: Vec<u64>,
    /// One bit per code point beyond ASCII that occurs; empty until the first one.
    seen: Vec<u64>,
}

/// Number of Unicode code points.
const CODES: usize = char::MAX as usize + 1;

/// Block size for the fast path of ASCII text.
const STRETCH: usize = 4096;

impl Default for Stats {
    fn default() -> Self {
        Stats {
            ascii: [0; 128],
            rows: Vec::new(),
            seen: Vec::new(),
        }
    }
}

impl Stats {
    /// Counts a text; bytes that are not UTF-8 are ignored.
    pub fn add(&mut self, text: &[u8]) {
        // Validating everything first takes a sixth of the time of searching for invalid bytes.
        match std::str::from_utf8(text) {
            Ok(text) => self.add_valid(text),
            Err(_) => text
                .utf8_chunks()
                .for_each(|chunk| self.add_valid(chunk.valid())),
        }
    }

    fn add_valid(&mut self, mut text: &str) {
        while !text.is_empty() {
            let (head, rest) = text.split_at(text.floor_char_boundary(STRETCH));
            if head.is_ascii() {
                // Neighbors go to different tables: equal ones in a row would wait for each other's
                // store.
                let mut tables = [[0u32; 128]; 4];
                for (at, byte) in head.bytes().enumerate() {
                    tables[at % 4][usize::from(byte & 127)] += 1;
                }
                for (at, count) in self.ascii.iter_mut().enumerate() {
                    *count += tables.iter().map(|t| u64::from(t[at])).sum::<u64>();
                }
            } else {
                self.add_characters(head);
            }
            text = rest;
        }
    }

    fn add_characters(&mut self, text: &str) {
        self.rows.resize(CODES / 16, 0);
        self.seen.resize(CODES / 64, 0);
        for c in text.chars() {
            let code = c as usize;
            match self.ascii.get_mut(code) {
                Some(count) => *count += 1,
                None => {
                    self.rows[code / 16] += 1;
                    self.seen[code / 64] |= 1 << (code % 64);
                }
            }
        }
    }

    /// Adds the counts of another text.
    pub fn merge(&mut self, other: &Stats) {
        let add = |mine: &mut [u64], theirs: &[u64]| {
            mine.iter_mut().zip(theirs).for_each(|(m, t)| *m += t);
        };
        add(&mut self.ascii, &other.ascii);
        if !other.rows.is_empty() {
            self.rows.resize(CODES / 16, 0);
            self.seen.resize(CODES / 64, 0);
            add(&mut self.rows, &other.rows);
            let bits = self.seen.iter_mut().zip(&other.seen);
            bits.for_each(|(m, t)| *m |= t);
        }
    }

    /// Every character that occurs, in ascending order.
    pub fn characters(&self) -> impl Iterator<Item = char> {
        let ascii = self.ascii.iter().map(|&count| count > 0);
        let beyond = |code: usize| {
            let bits = self.seen.get(code / 64);
            bits.is_some_and(|bits| bits >> (code % 64) & 1 == 1)
        };
        let occurs = ascii.chain((128..CODES).map(beyond));
        let codes = occurs.zip(0u32..).filter(|(occurs, _)| *occurs);
        codes.filter_map(|(_, code)| char::from_u32(code))
    }

    /// Characters by script, the most frequent first.
    pub fn scripts(&self) -> Vec<(String, u64)> {
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        for (code, count) in self.ascii.iter().enumerate() {
            let letter = (code as u8).is_ascii_alphabetic();
            *counts
                .entry(if letter { "Latin" } else { COMMON })
                .or_default() += count;
        }
        for (row, count) in self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            *counts.entry(script(row as u32 * 16)).or_default() += count;
        }
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        let mut scripts: Vec<_> = counted.map(|(name, n)| (name.to_owned(), n)).collect();
        scripts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        scripts
    }
}

/// Characters of no particular script: digits, spaces, punctuation, signs.
const COMMON: &str = "Common";

/// Ranges of scripts, from the blocks of Unicode 17 (Blocks.txt): first and last code point.
const SCRIPTS: &[(u32, u32, &str)] = &[
    (0x80, 0xBF, COMMON),
    (0xC0, 0x24F, "Latin"),
    (0x2B0, 0x36F, COMMON),
    (0x370, 0x3FF, "Greek"),
    (0x400, 0x52F, "Cyrillic"),
    (0x530, 0x58F, "Armenian"),
    (0x590, 0x5FF, "Hebrew"),
    (0x600, 0x6FF, "Arabic"),
    (0x750, 0x77F, "Arabic"),
    (0x8A0, 0x8FF, "Arabic"),
    (0x900, 0x97F, "Devanagari"),
    (0x980, 0x9FF, "Bengali"),
    (0xA00, 0xA7F, "Gurmukhi"),
    (0xA80, 0xAFF, "Gujarati"),
    (0xB00, 0xB7F, "Odia"),
    (0xB80, 0xBFF, "Tamil"),
    (0xC00, 0xC7F, "Telugu"),
    (0xC80, 0xCFF, "Kannada"),
    (0xD00, 0xD7F, "Malayalam"),
    (0xD80, 0xDFF, "Sinhala"),
    (0xE00, 0xE7F, "Thai"),
    (0xE80, 0xEFF, "Lao"),
    (0xF00, 0xFFF, "Tibetan"),
    (0x1000, 0x109F, "Myanmar"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Hangul"),
    (0x1200, 0x139F, "Ethiopic"),
    (0x1780, 0x17FF, "Khmer"),
    (0x1800, 0x18AF, "Mongolian"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "Greek"),
    (0x2000, 0x2BFF, COMMON),
    (0x2C60, 0x2C7F, "Latin"),
    (0x2DE0, 0x2DFF, "Cyrillic"),
    (0x2E00, 0x2E7F, COMMON),
    (0x2E80, 0x2FDF, "Han"),
    (0x2FF0, 0x303F, COMMON),
    (0x3040, 0x309F, "Hiragana"),
    (0x30A0, 0x30FF, "Katakana"),
    (0x3100, 0x312F, "Bopomofo"),
    (0x3130, 0x318F, "Hangul"),
    (0x31F0, 0x31FF, "Katakana"),
    (0x3200, 0x33FF, COMMON),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xA640, 0xA69F, "Cyrillic"),
    (0xA720, 0xA7FF, "Latin"),
    (0xAC00, 0xD7AF, "Hangul"),
    (0xE000, 0xF8FF, COMMON),
    (0xF900, 0xFAFF, "Han"),
    (0xFB50, 0xFDFF, "Arabic"),
    (0xFE00, 0xFE6F, COMMON),
    (0xFE70, 0xFEFF, "Arabic"),
    (0xFF00, 0xFF5F, COMMON),
    (0xFF60, 0xFF9F, "Katakana"),
    (0xFFA0, 0xFFFF, COMMON),
    (0x1D000, 0x1D7FF, COMMON),
    (0x1F000, 0x1FAFF, COMMON),
    (0x20000, 0x3347F, "Han"),
    (0xE0000, 0x0010_FFFF, COMMON),
];

fn script(code: u32) -> &'static str {
    let found = SCRIPTS
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&code));
    found.map_or("Other", |(_, _, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_scripts_are_counted() {
        let mut stats = Stats::default();
        stats.add("ab 1你\u{1F600}".as_bytes());
        let mut other = Stats::default();
        other.add("Жa\u{FFFD}".as_bytes());
        other.add(b"x\xFFy");
        stats.merge(&other);
        let all: String = stats.characters().collect();
        assert_eq!(all, " 1abxyЖ你\u{FFFD}\u{1F600}");
        let scripts = stats.scripts();
        let of = |name: &str| {
            scripts
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, count)| *count)
        };
        assert_eq!(of("Latin"), Some(5));
        assert_eq!(
            (of("Han"), of("Cyrillic"), of("Common")),
            (Some(1), Some(1), Some(4))
        );
    }

    #[test]
    fn blocks_are_whole_rows_in_rising_order() {
        let mut before = 0x7F;
        for (first, last, name) in SCRIPTS {
            assert!(
                *first > before && first % 16 == 0 && last % 16 == 15,
                "{name}"
            );
            before = *last;
        }
        assert_eq!(script(0x4F60), "Han");
    }
}
