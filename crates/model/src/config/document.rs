//! `default.toml` as data: every key in order, its comment, and its allowed values.

/// The values of the `default` preset and the description of every key.
pub(super) const DEFAULT: &str = include_str!("../default.toml");

/// The presets: name and the values that differ from [`DEFAULT`].
pub(super) const PRESETS: [(&str, &str); 10] = [
    ("tiny", include_str!("../presets/tiny.toml")),
    ("default", include_str!("../presets/default.toml")),
    ("gpt2-cpu", include_str!("../presets/gpt2-cpu.toml")),
    ("gpt2-char", include_str!("../presets/gpt2-char.toml")),
    ("gpt2-124m", include_str!("../presets/gpt2-124m.toml")),
    ("tales", include_str!("../presets/tales.toml")),
    ("sums", include_str!("../presets/sums.toml")),
    ("copy", include_str!("../presets/copy.toml")),
    ("reverse", include_str!("../presets/reverse.toml")),
    ("recall", include_str!("../presets/recall.toml")),
];

/// One key of `default.toml`.
pub(super) struct Entry {
    /// Section and key, `optim.lr`.
    pub key: String,
    /// The comment above it.
    pub comment: String,
}

impl Entry {
    /// The allowed values, as text.
    pub fn allowed(&self) -> &str {
        match self.comment.rsplit_once("Allowed: ") {
            Some((_, allowed)) => allowed.trim_end_matches('.'),
            None => "",
        }
    }

    /// The range in that text, if it is about a number.
    pub fn range(&self) -> Option<Range> {
        let (_, range) = self.allowed().split_once("number from ")?;
        let (low, high) = range.split_once(" to ")?;
        let (above, below) = (low.strip_prefix("above "), high.strip_prefix("below "));
        Some(Range {
            low: above.unwrap_or(low).parse().ok()?,
            above: above.is_some(),
            high: below.unwrap_or(high).parse().ok()?,
            below: below.is_some(),
        })
    }
}

/// The numbers a key may take.
pub(super) struct Range {
    low: f64,
    above: bool,
    high: f64,
    below: bool,
}

impl Range {
    /// Whether a number is in the range; never true for NaN.
    pub fn contains(&self, x: f64) -> bool {
        (x > self.low || (x == self.low && !self.above))
            && (x < self.high || (x == self.high && !self.below))
    }
}

/// Every key in file order. A key whose value is derived is written as `#key = …`.
pub(super) fn entries() -> Vec<Entry> {
    let (mut entries, mut section, mut comment) = (Vec::new(), "", Vec::new());
    for line in DEFAULT.lines() {
        if let Some(prose) = line.strip_prefix("# ") {
            comment.push(prose);
        } else if let Some((key, _)) = line.split_once(" = ") {
            entries.push(Entry {
                key: format!("{section}.{}", key.trim_start_matches('#')),
                comment: comment.join(" "),
            });
            comment.clear();
        } else {
            comment.clear();
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
        }
    }
    entries
}

/// The known key closest to a mistyped one, if any is close.
pub(super) fn nearest(entries: &[Entry], key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_string();
    entries
        .iter()
        .map(|entry| {
            let whole = distance(&entry.key, key);
            // `lr` or `train.lr` means `optim.lr`: the right word in the wrong section.
            let moved = distance(&last(&entry.key), &last(key)) + 1;
            (whole.min(moved), entry)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, entry)| *distance <= 1 + entry.key.len() / 5)
        .map(|(_, entry)| entry.key.clone())
}

/// Levenshtein distance: the minimum number of characters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
