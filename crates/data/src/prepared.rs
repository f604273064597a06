//! A tokenized corpus, prepared just now or opened from a folder.

use crate::shard::{DATA, SHARD_TOKENS, ShardEntry, Width};
use crate::tokens::CHECKED_AT_ONCE;
use crate::{CorpusPart, Error, Report, Result, Tokens};
use run::{Files, sha256, write_atomic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::random::{Random, RandomUse};
use text::{Tokenizer, TokenizerKind};

/// The tokenizer beside it.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// data.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub format: String,
    pub version: u64,
    pub key: String,
    pub recipe: String,
    pub text_sha256: String,
    pub tokenizer_sha256: String,
    pub vocabulary: usize,
    pub end_of_text: u32,
    pub width: Width,
    pub train: PartIndex,
    pub validation: PartIndex,
    pub sources: Vec<PathBuf>,
    pub report: Report,
}

/// The shards of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PartIndex {
    pub tokens: u64,
    pub shards: Vec<ShardEntry>,
}

impl PartIndex {
    pub fn new(shards: Vec<ShardEntry>) -> Self {
        PartIndex {
            tokens: shards.iter().map(|s| s.tokens).sum(),
            shards,
        }
    }
}

impl Index {
    pub const FORMAT: &str = "downhill-data";
    pub const VERSION: u64 = 1;

    pub fn write(&self, files: &dyn Files, folder: &Path) -> Result<()> {
        let mut json = serde_json::to_string_pretty(self)
            .map_err(|e| Error::prepared(folder, format!("data.json can't be made: {e}")))?;
        json.push('\n');
        Ok(write_atomic(files, &folder.join(DATA), json.as_bytes())?)
    }
}

/// A tokenized corpus.
#[derive(Debug)]
pub struct Prepared {
    /// Its folder, unless it is in memory.
    pub folder: Option<PathBuf>,
    /// A short name, usable as a folder name.
    pub name: String,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The training part.
    pub train: Arc<Tokens>,
    /// The validation part.
    pub validation: Arc<Tokens>,
    /// SHA-256 of the text and its split: equal for equal texts.
    pub text_sha256: String,
    /// What was read and what was skipped.
    pub report: Report,
    pub(crate) index: Option<Index>,
}

/// The start of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Excerpt {
    /// The position of its first token in the training part.
    pub token: u64,
    /// Number of tokens in the document; unknown if it continues in another shard.
    pub tokens: Option<u64>,
    /// Its text, up to the requested length.
    pub text: String,
    /// Whether the document continues after this text.
    pub cut: bool,
}

impl Prepared {
    /// Whether a folder contains prepared data.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(DATA).is_file() && folder.join(TOKENIZER).is_file()
    }

    /// The kind that the tokenizer was learned as, if it was learned from this text.
    fn learned(&self) -> Option<TokenizerKind> {
        let recipe: TokenizerKind = self.index.as_ref()?.recipe.parse().ok()?;
        recipe.learned().is_some().then_some(recipe)
    }

    /// How many bytes the tokenizer was learned from, if that was a sample of the text.
    pub fn sampled(&self) -> Option<u64> {
        let sample = text::SAMPLE_BYTES as u64;
        (self.learned().is_some() && self.report.bytes > sample).then_some(sample)
    }

    /// The kind of the tokenizer.
    pub fn kind(&self) -> TokenizerKind {
        self.learned().unwrap_or_else(|| self.tokenizer.kind())
    }

    /// Opens a prepared folder.
    ///
    /// # Errors
    /// If a file is missing, damaged, or belongs to another preparation.
    pub fn open(folder: &Path) -> Result<Prepared> {
        Prepared::open_checking(folder, CHECKED_AT_ONCE)
    }

    /// Opens a folder that was just written: every shard is checked when it is first read.
    pub(crate) fn open_written(folder: &Path) -> Result<Prepared> {
        Prepared::open_checking(folder, 0)
    }

    fn open_checking(folder: &Path, at_once: usize) -> Result<Prepared> {
        let path = folder.join(DATA);
        let json = std::fs::read(&path).map_err(|e| Error::reading(&path, &e))?;
        let damaged =
            |why: String| Error::prepared(&path, format!("damaged: {why}. Prepare the data again"));
        let index: Index = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
        if index.format != Index::FORMAT || index.version != Index::VERSION {
            let why = format!("it is {} version {}", index.format, index.version);
            return Err(damaged(why));
        }
        let sums = [&index.train, &index.validation];
        if sums.iter().any(|p| **p != PartIndex::new(p.shards.clone())) {
            return Err(damaged("its numbers don't add up".into()));
        }
        let path = folder.join(TOKENIZER);
        let json = std::fs::read(&path).map_err(|e| Error::reading(&path, &e))?;
        let tokenizer = Tokenizer::open(folder)?;
        let same = sha256(&json) == index.tokenizer_sha256
            && tokenizer.end_of_text() == index.end_of_text
            && tokenizer.vocabulary_size() == index.vocabulary;
        if !same {
            let reason = "isn't the tokenizer that the data was prepared with. Put it back, or \
                          prepare the data again";
            return Err(Error::prepared(&path, reason));
        }
        let open = |part: &PartIndex| {
            let shards = part.shards.clone();
            let sha256 = &index.tokenizer_sha256;
            Tokens::open(folder, shards, index.width, sha256, at_once)
        };
        Ok(Prepared {
            folder: Some(folder.to_owned()),
            name: match index.sources.first() {
                Some(first) => corpus_name(first),
                None => corpus_name(folder),
            },
            tokenizer,
            train: Arc::new(open(&index.train)?),
            validation: Arc::new(open(&index.validation)?),
            text_sha256: index.text_sha256.clone(),
            report: index.report.clone(),
            index: Some(index),
        })
    }

    /// The key that determines all output; empty in memory.
    pub(crate) fn key(&self) -> &str {
        self.index.as_ref().map_or("", |index| &index.key)
    }

    /// The tokens of a part.
    pub fn part(&self, part: CorpusPart) -> &Arc<Tokens> {
        match part {
            CorpusPart::Train => &self.train,
            CorpusPart::Validation => &self.validation,
        }
    }

    /// Shards of both parts, and their size on disk in bytes.
    pub fn shards(&self) -> (usize, u64) {
        let parts = self.index.iter().flat_map(|i| [&i.train, &i.validation]);
        let shards = parts.flat_map(|part| &part.shards);
        shards.fold((0, 0), |(count, bytes), s| (count + 1, bytes + s.bytes))
    }

    /// The paths of the texts when they were prepared; none in memory.
    pub fn sources(&self) -> &[PathBuf] {
        self.index.as_ref().map_or(&[], |index| &index.sources)
    }

    /// Randomly chosen documents of the training part: the first `most` tokens of each.
    ///
    /// # Errors
    /// If a shard can't be read or is damaged.
    pub fn sample(&self, count: usize, most: usize, seed: u64) -> Result<Vec<Excerpt>> {
        let shards = self.index.as_ref().map_or(&[][..], |i| &i.train.shards);
        let documents: u64 = shards.iter().map(|s| s.documents).sum();
        let mut random = Random::new(seed, RandomUse::Documents, 0);
        let mut excerpts = Vec::new();
        let mut drawn = BTreeSet::new();
        // Each set of documents is equally likely (Floyd; Bentley, 1987).
        for last in documents.saturating_sub(count as u64)..documents {
            let mut number = random.below(last + 1);
            if !drawn.insert(number) {
                number = last;
                drawn.insert(number);
            }
            let mut shard = 0;
            while number >= shards[shard].documents {
                number -= shards[shard].documents;
                shard += 1;
            }
            let starts = self.train.documents(shard)?;
            let start = starts[number as usize];
            let next = starts.get(number as usize + 1).copied();
            let last = shard + 1 == shards.len();
            let end = next.or(last.then_some(self.train.len() as u64));
            let known = end.map(|end| end.saturating_sub(start));
            let room = (self.train.len() as u64).saturating_sub(start);
            let room = known.unwrap_or(SHARD_TOKENS).min(room);
            let taken = room.min(most as u64);
            let mut tokens = vec![0; taken as usize];
            self.train.read(start as usize, &mut tokens)?;
            let mut stream = text::Utf8Stream::new();
            let text = stream.push(&self.tokenizer.decode(&tokens));
            excerpts.push(Excerpt {
                token: start,
                tokens: known,
                text,
                cut: taken < room,
            });
        }
        Ok(excerpts)
    }
}

/// Bytes of a name: a folder's name has 255 at most, and a number may follow.
const LONGEST_NAME: usize = 80;

/// A name for a corpus derived from its first path and usable as a folder name: letters and digits
/// of any script, `.`, `_` and `-`, no leading `.`, at most 80 bytes.
pub(crate) fn corpus_name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stem = if real.is_dir() {
        path.file_name().or(real.file_name())
    } else {
        path.file_stem()
    };
    let stem = stem.map(|s| s.to_string_lossy()).unwrap_or_default();
    let allowed = |c: char| match c.is_alphanumeric() || "._-".contains(c) {
        true => c,
        false => '-',
    };
    let name: String = stem.chars().map(allowed).collect();
    let name = name.trim_start_matches(['.', '-']);
    let name = &name[..name.floor_char_boundary(LONGEST_NAME)];
    match name.is_empty() {
        true => "text".to_owned(),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_for_folders() {
        for (path, expected) in [
            ("..", None),
            ("a/.hidden", Some("hidden")),
            ("My novel!.txt", Some("My-novel-")),
            ("唐诗 300.txt", Some("唐诗-300")),
            ("!!.txt", Some("text")),
        ] {
            let name = corpus_name(Path::new(path));
            assert!(!name.is_empty() && !name.starts_with('.'), "{name}");
            assert!(expected.is_none_or(|e| e == name), "{name}");
        }
    }
}
