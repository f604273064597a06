//! What was read, what was skipped, and why.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Example paths listed per reason.
const EXAMPLES: usize = 5;

/// Statistics of the input, as stored in data.json and shown by `data inspect`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Files that contained documents.
    pub files: u64,
    /// Documents kept, in both parts.
    pub documents: u64,
    /// Documents of the validation part; the last one may start in the training part.
    pub validation_documents: u64,
    /// Bytes of the documents kept.
    pub bytes: u64,
    /// Bytes of the validation part.
    pub validation_bytes: u64,
    /// Documents dropped because an equal one came before.
    pub duplicates: u64,
    /// Their size in bytes.
    pub duplicate_bytes: u64,
    /// Empty documents, dropped.
    pub empty: u64,
    /// Bad records skipped with `--skip-bad`, by reason.
    pub bad_records: BTreeMap<String, Skipped>,
    /// Skipped files of folders, by reason.
    pub skipped: BTreeMap<String, Skipped>,
    /// Files that were read by a rule of their own, by rule.
    #[serde(default)]
    pub read_as: BTreeMap<String, u64>,
    /// Lines `<|endoftext|>` in plain texts, when no separator was given.
    #[serde(default)]
    pub end_marks: u64,
    /// Characters replaced by U+FFFD with `--lossy`.
    #[serde(default)]
    pub replaced: u64,
    /// Length of the longest line in bytes.
    pub longest_line: u64,
    /// The file that contains it.
    pub longest_line_in: String,
    /// Characters by script, the most frequent first; digits, marks and spaces are "Common".
    pub scripts: Vec<(String, u64)>,
    /// Number of distinct characters.
    pub characters: u64,
    /// How the validation part was chosen: `documents`, `tail` or `given`.
    pub split: String,
}

/// Items skipped for one reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// The size of the files.
    #[serde(default)]
    pub bytes: u64,
    /// The first few, as examples.
    pub examples: Vec<String>,
}

impl Skipped {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(what);
        }
    }
}

impl Report {
    /// Records a skipped file.
    pub(crate) fn skip(&mut self, path: &Path, reason: &str, bytes: u64) {
        let skipped = self.skipped.entry(reason.to_owned()).or_default();
        skipped.bytes += bytes;
        skipped.add(path.display().to_string());
    }

    /// Records that a file was read by a rule.
    pub(crate) fn read_as(&mut self, rule: &str) {
        *self.read_as.entry(rule.to_owned()).or_default() += 1;
    }

    /// Records a skipped record.
    pub(crate) fn bad_record(&mut self, path: &Path, place: &str, reason: &str) {
        let skipped = self.bad_records.entry(reason.to_owned()).or_default();
        skipped.add(format!("{}, {place}", path.display()));
    }

    /// "read 1 of 5 files; skipped: …", if anything was skipped.
    pub fn summary(&self) -> Option<String> {
        let skipped: u64 = self.skipped.values().map(|s| s.count).sum();
        let all = self.files + skipped;
        let words = self.skipped_in_words();
        (!words.is_empty()).then(|| format!("read {} of {all} files{words}", self.files))
    }

    /// Bytes of the files that were skipped.
    pub(crate) fn skipped_bytes(&self) -> u64 {
        self.skipped.values().map(|s| s.bytes).sum()
    }

    /// A clause for messages that lists what was skipped; empty if nothing was.
    pub(crate) fn skipped_in_words(&self) -> String {
        let all = self.skipped.iter().chain(&self.bad_records);
        let each: Vec<String> = all
            .map(|(reason, s)| {
                let example = s.examples.first().map_or("", String::as_str);
                format!("{} × {reason} (for example {example})", s.count)
            })
            .collect();
        match each.is_empty() {
            true => String::new(),
            false => format!("; skipped: {}", each.join(", ")),
        }
    }
}
