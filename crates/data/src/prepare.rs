//! From texts to tokens: how is a corpus prepared?

use crate::encode::encode;
use crate::inputs::{self, Places, STANDARD_INPUT};
use crate::prepared::{DATA, Index, PartIndex, Prepared};
use crate::scan::{self, Scan, hex};
use crate::shard::Width;
use crate::watch::Stage;
use crate::writer::{Entry, Journal, PartWriter, read_journal, shards};
use crate::{Error, Options, Part, Report, Result, Tokens, Watch};
use run::{Disk, Files, write_atomic};
use sha2::{Digest, Sha256};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use text::Tokenizer;

/// Version of everything that decides which tokens come out.
const VERSION: u64 = 2;

/// Texts up to this size are prepared in memory where they need not be kept.
const IN_MEMORY: u64 = 8 << 20;

/// Subfolder with what is needed only while a folder is prepared.
const WORK: &str = "work";

/// The tokenizer of a prepared folder.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// The file beside it that names the end of a text, and the context that it says: any.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const LONGEST_CONTEXT: usize = 1 << 20;

/// How the tokenizer is made.
pub struct Recipe<'a> {
    /// Its name, once the text is known: the same name and text give the same tokenizer.
    pub name: &'a dyn Fn(&TextFacts) -> String,
    /// How much text it wants to see, in bytes.
    pub sample_bytes: usize,
    /// Makes it.
    pub make: &'a dyn Fn(&TextFacts) -> std::result::Result<Tokenizer, text::Error>,
}

/// What a tokenizer can be made from.
pub struct TextFacts<'a> {
    /// Sizes and scripts.
    pub report: &'a Report,
    /// Every character that occurs, in rising order.
    pub characters: &'a str,
    /// All of the text, or as much of it as was asked for.
    pub sample: &'a [Vec<u8>],
}

/// Where prepared data goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Into this folder.
    Folder(PathBuf),
    /// Into memory, however large it is.
    Memory,
    /// A small text into memory, a large one into a folder of its own in this folder of caches,
    /// where it is found again.
    Cache(Option<PathBuf>),
}

/// Prepares texts: reads `paths` in the order given, and folders sorted by path; drops equal
/// documents; holds out a part for validation (or takes `validation` as that part); makes the
/// tokenizer and encodes everything. What was prepared before is not prepared again, and what was
/// interrupted goes on.
///
/// # Errors
/// Where something can't be read, is not what it seems, or holds no text; where the place can't be
/// written to or holds something else.
pub fn prepare(
    paths: &[PathBuf],
    validation: Option<&Path>,
    o: &Options,
    recipe: &Recipe,
    place: &Place,
    watch: &Watch,
) -> Result<Prepared> {
    if let Place::Folder(folder) = place {
        check_place(folder)?;
    }
    let once = paths.iter().map(PathBuf::as_path).chain(validation);
    let once = once.filter(|path| read_once(path)).count() > 0;
    let places = places(place);
    let mut report = Report::default();
    let inputs = inputs::list(paths, validation, o, &places, &mut report)?;
    let scan = scan::scan(inputs, report, o, recipe.sample_bytes, watch)?;
    if scan.report.documents == 0 {
        let first = paths.first().cloned().unwrap_or_default();
        return Err(Error::NoText {
            path: first,
            skipped: scan.report.skipped_in_words(),
        });
    }
    let characters: String = scan.stats.characters().collect();
    let name = (recipe.name)(&facts(&scan, &characters));
    let work = Work {
        key: key(&name, &scan),
        name,
        characters,
        sources: paths.iter().map(|p| absolute(p)).collect(),
        scan,
        options: o,
        recipe,
        watch,
    };
    let prepared = match place {
        Place::Folder(folder) => work.into_folder(folder),
        Place::Memory => work.in_memory(),
        Place::Cache(_) if work.scan.report.bytes <= IN_MEMORY && !once => work.in_memory(),
        Place::Cache(None) => Err(Error::damaged(
            Path::new("the cache folder"),
            "can't be found: set XDG_CACHE_HOME to a folder, or prepare the text with \
             downhill data prepare",
        )),
        Place::Cache(Some(caches)) => {
            let folder = caches.join(&work.key[..32]);
            work.into_folder(&folder)
        }
    };
    if let (Place::Cache(_), Some(scratch)) = (place, &places.scratch)
        && scratch.exists()
    {
        Disk.remove_folder(scratch)?;
    }
    prepared
}

fn places(place: &Place) -> Places {
    match place {
        Place::Folder(folder) => Places {
            scratch: Some(folder.join(WORK)),
            exclude: Some(folder.clone()),
        },
        Place::Memory => Places::default(),
        Place::Cache(caches) => Places {
            scratch: caches
                .as_ref()
                .map(|caches| caches.join(format!("input-{}", std::process::id()))),
            exclude: caches.clone(),
        },
    }
}

/// Whether a path can't be read a second time.
fn read_once(path: &Path) -> bool {
    let special = |m: std::fs::Metadata| !m.is_file() && !m.is_dir();
    path.as_os_str() == STANDARD_INPUT || std::fs::metadata(path).is_ok_and(special)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Refuses a folder that holds something else, before anything is read.
fn check_place(folder: &Path) -> Result<()> {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return match folder.exists() {
            true => Err(Error::prepared(folder, "is not a folder")),
            false => Ok(()),
        };
    };
    let ours = folder.join(DATA).exists() || folder.join(WORK).join("journal.jsonl").exists();
    match !ours && entries.any(|e| e.is_ok_and(|e| e.file_name() != WORK)) {
        true => Err(Error::prepared(
            folder,
            "holds something else than prepared data: choose another folder with --out",
        )),
        false => Ok(()),
    }
}

/// What decides everything that comes out.
fn key(name: &str, scan: &Scan) -> String {
    let words = format!("{VERSION}\n{name}\n{}", scan.text_sha256());
    hex(&Sha256::digest(words))
}

fn facts<'a>(scan: &'a Scan, characters: &'a str) -> TextFacts<'a> {
    TextFacts {
        report: &scan.report,
        characters,
        sample: &scan.sample,
    }
}

/// A preparation after its first reading.
struct Work<'a> {
    key: String,
    /// Of the tokenizer's recipe.
    name: String,
    characters: String,
    sources: Vec<PathBuf>,
    scan: Scan,
    options: &'a Options,
    recipe: &'a Recipe<'a>,
    watch: &'a Watch<'a>,
}

impl Work<'_> {
    fn in_memory(mut self) -> Result<Prepared> {
        let tokenizer = self.make_tokenizer()?;
        let width = Width::for_vocabulary(tokenizer.vocabulary_size());
        let mut writers = Part::ALL.map(|part| PartWriter::new(part, width, &[]));
        encode(
            &self.scan,
            self.options,
            &tokenizer,
            &mut writers,
            None,
            self.watch,
        )?;
        let tokens = writers.map(|w| Tokens::stored(width, w.into_stored()));
        let [train, validation] = tokens;
        Ok(Prepared {
            folder: None,
            name: corpus_name(&self.sources[0]),
            tokenizer,
            train: Arc::new(train),
            validation: Arc::new(validation),
            text_sha256: self.scan.text_sha256(),
            index: None,
            report: self.scan.report,
        })
    }

    fn into_folder(self, folder: &Path) -> Result<Prepared> {
        if folder.join(DATA).exists() {
            let there = Prepared::open(folder)?;
            return match there.key() == self.key {
                true => Ok(there),
                false => Err(Error::prepared(
                    folder,
                    "holds data of other texts or settings: remove it, or choose another folder \
                     with --out",
                )),
            };
        }
        self.prepare_folder(folder)?;
        Prepared::open_written(folder)
    }

    /// Prepares into a folder that is new or was begun.
    fn prepare_folder(mut self, folder: &Path) -> Result<()> {
        let work = folder.join(WORK);
        Disk.create_folder(&work)?;
        let path = work.join("journal.jsonl");
        let mut append = Disk.append(&path)?;
        let text = std::fs::read(&path).map_err(|e| Error::reading(&path, &e))?;
        let (mut entries, length) = read_journal(&text);
        append.cut(length)?;
        let begun = match entries.first() {
            Some(Entry::Begin {
                key,
                tokenizer_sha256,
            }) if *key == self.key => Some(tokenizer_sha256.clone()),
            Some(_) => {
                let reason = "holds an unfinished preparation of other texts or settings: remove \
                              it, or choose another folder with --out";
                return Err(Error::prepared(folder, reason));
            }
            None => None,
        };
        let (tokenizer, json) = self.tokenizer_in(folder, begun.as_deref())?;
        let width = Width::for_vocabulary(tokenizer.vocabulary_size());
        let mut journal = Journal {
            files: &Disk,
            folder,
            append,
            tokenizer_sha256: hex(&Sha256::digest(&json)),
        };
        if begun.is_none() {
            journal.write(&Entry::Begin {
                key: self.key.clone(),
                tokenizer_sha256: journal.tokenizer_sha256.clone(),
            })?;
        }
        let writers = Part::ALL.map(|part| PartWriter::new(part, width, &entries));
        entries.extend(self.encode_into(writers, width, &tokenizer, &mut journal)?);
        let tokenizer_sha256 = journal.tokenizer_sha256;
        let [train, validation] = Part::ALL.map(|part| PartIndex::new(shards(&entries, part)));
        Index {
            format: Index::FORMAT.into(),
            version: Index::VERSION,
            key: self.key,
            recipe: self.name,
            end_of_text: tokenizer.end_of_text(),
            text_sha256: self.scan.text_sha256(),
            tokenizer_sha256,
            vocabulary: tokenizer.vocabulary_size(),
            width,
            train,
            validation,
            sources: self.sources,
            report: self.scan.report,
        }
        .write(&Disk, folder)?;
        Ok(Disk.remove_folder(&work)?)
    }

    /// Encodes, while another thread writes shards; gives the entries of these.
    fn encode_into(
        &self,
        mut writers: [PartWriter; 2],
        width: Width,
        tokenizer: &Tokenizer,
        journal: &mut Journal,
    ) -> Result<Vec<Entry>> {
        let (full, shards) = sync_channel(0);
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || journal.write_shards(width, shards));
            let (scan, o, to) = (&self.scan, self.options, Some(&full));
            let encoded = encode(scan, o, tokenizer, &mut writers, to, self.watch)
                .and_then(|()| writers.iter_mut().try_for_each(|w| w.finish(&full)));
            // The shard at hand is finished even where encoding failed or was stopped.
            drop(full);
            let written = writing
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic))?;
            encoded.map(|()| written)
        })
    }

    fn make_tokenizer(&mut self) -> Result<Tokenizer> {
        self.watch.tick(Stage::Tokenizer)?;
        let tokenizer = (self.recipe.make)(&facts(&self.scan, &self.characters))?;
        self.scan.sample = Vec::new();
        self.watch.tick(Stage::Tokenizer)?;
        Ok(tokenizer)
    }

    /// The tokenizer of a folder: made and written there, or the one of a preparation that goes on.
    fn tokenizer_in(&mut self, folder: &Path, begun: Option<&str>) -> Result<(Tokenizer, Vec<u8>)> {
        let path = folder.join(TOKENIZER);
        let Some(sha256) = begun else {
            let tokenizer = self.make_tokenizer()?;
            let json = tokenizer.to_json().into_bytes();
            write_atomic(&Disk, &path, &json)?;
            let config = tokenizer.config_json(LONGEST_CONTEXT);
            write_atomic(&Disk, &folder.join(TOKENIZER_CONFIG), config.as_bytes())?;
            return Ok((tokenizer, json));
        };
        let json = std::fs::read(&path).map_err(|e| Error::reading(&path, &e))?;
        if hex(&Sha256::digest(&json)) != sha256 {
            return Err(Error::prepared(
                &path,
                "isn't the tokenizer with which this preparation began: remove the folder and \
                 prepare again",
            ));
        }
        Ok((Tokenizer::open(folder)?, json))
    }
}

/// A name for a corpus after its first path, good for a folder: letters, digits, `.`, `_` and `-`,
/// no leading `.`.
pub fn corpus_name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stem = if real.is_dir() {
        path.file_name().or(real.file_name())
    } else {
        path.file_stem()
    };
    let stem = stem.map(|s| s.to_string_lossy()).unwrap_or_default();
    let allowed = |c: char| match c.is_ascii_alphanumeric() || "._-".contains(c) {
        true => c,
        false => '-',
    };
    let name: String = stem.chars().map(allowed).collect();
    let name = name.trim_start_matches(['.', '-']);
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
            ("\u{4F60}.txt", Some("text")),
        ] {
            let name = corpus_name(Path::new(path));
            assert!(!name.is_empty() && !name.starts_with('.'), "{name}");
            assert!(expected.is_none_or(|e| e == name), "{name}");
        }
    }
}
