//! Writes encoded tokens to memory, or shard by shard to a folder, with a journal from which an
//! interrupted preparation continues.

use crate::cache::make_room;
use crate::prepared::TOKENIZER;
use crate::shard::{self, SHARD_TOKENS, ShardEntry, Width};
use crate::{CorpusPart, Error, Result, space};
use run::{AppendFile, Files, sha256, write_atomic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};
use text::Tokenizer;

/// Subfolder for files needed only during preparation.
pub(crate) const WORK: &str = "work";

/// The journal in that subfolder.
pub(crate) const JOURNAL: &str = "journal.jsonl";

/// The file beside the tokenizer that names the end-of-text token. Its context length is longer
/// than that of any model.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const LONGEST_CONTEXT: usize = 1 << 20;

/// The tokens of one part from one batch.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub tokens: Vec<u32>,
    /// Indices of those that start a document.
    pub starts: Vec<usize>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The preparation: the first line.
    Begin {
        key: String,
        tokenizer_sha256: String,
    },
    /// A shard is on disk. Its last token is number `used` of the tokens that batch `batch`
    /// produced for the part.
    Shard {
        part: CorpusPart,
        batch: u64,
        used: usize,
        shard: ShardEntry,
    },
}

/// The journal of a preparation, and its folder.
pub(crate) struct Journal<'a> {
    files: &'a dyn Files,
    pub folder: &'a Path,
    append: Box<dyn AppendFile>,
    pub entries: Vec<Entry>,
    /// The tokenizer that it started with; empty before.
    pub tokenizer_sha256: String,
    /// The cache that the folder is in, and how many bytes all of it may have.
    pub cache: Option<(PathBuf, u64)>,
}

impl<'a> Journal<'a> {
    /// Opens the journal of a new folder or of an interrupted preparation with this key.
    pub fn open(files: &'a dyn Files, folder: &'a Path, key: &str) -> Result<Journal<'a>> {
        let work = folder.join(WORK);
        files.create_folder(&work)?;
        let path = work.join(JOURNAL);
        let mut append = files.append(&path)?;
        let text = std::fs::read(&path).map_err(|e| Error::reading(&path, &e))?;
        let (entries, length) = read_journal(&text);
        append.cut(length)?;
        let tokenizer_sha256 = match entries.first() {
            None => String::new(),
            Some(Entry::Begin {
                key: begun,
                tokenizer_sha256,
            }) if begun == key => tokenizer_sha256.clone(),
            Some(_) => {
                let reason = "holds an unfinished preparation of other texts or settings: remove \
                              it, or choose another folder with --out";
                return Err(Error::prepared(folder, reason));
            }
        };
        Ok(Journal {
            files,
            folder,
            append,
            entries,
            tokenizer_sha256,
            cache: None,
        })
    }

    /// The tokenizer that the preparation started with, if it was started.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        let path = self.folder.join(TOKENIZER);
        let json = std::fs::read(&path).map_err(|e| Error::reading(&path, &e))?;
        if sha256(&json) != self.tokenizer_sha256 {
            return Err(Error::prepared(
                &path,
                "isn't the tokenizer with which this preparation began: remove the folder and \
                 prepare again",
            ));
        }
        Ok(Some(Tokenizer::open(self.folder)?))
    }

    /// Starts the preparation.
    pub fn begin(&mut self, key: &str, tokenizer: &Tokenizer) -> Result<()> {
        let json = tokenizer.to_json();
        let config = tokenizer.config_json(LONGEST_CONTEXT);
        for (name, content) in [(TOKENIZER, &json), (TOKENIZER_CONFIG, &config)] {
            write_atomic(self.files, &self.folder.join(name), content.as_bytes())?;
        }
        self.tokenizer_sha256 = sha256(json.as_bytes());
        self.add(Entry::Begin {
            key: key.to_owned(),
            tokenizer_sha256: self.tokenizer_sha256.clone(),
        })
    }

    /// Removes files needed only during preparation.
    pub fn remove(self) -> Result<()> {
        Ok(self.files.remove_folder(&self.folder.join(WORK))?)
    }

    fn add(&mut self, entry: Entry) -> Result<()> {
        let mut line = serde_json::to_string(&entry)
            .map_err(|e| Error::prepared(self.folder, format!("its journal can't be made: {e}")))?;
        line.push('\n');
        self.append.write(line.as_bytes())?;
        self.append.sync()?;
        self.entries.push(entry);
        Ok(())
    }

    /// Writes shards until the channel closes. Runs on its own thread: hashing, writing and syncing
    /// a shard takes long, and encoding continues meanwhile.
    pub fn write_shards(&mut self, width: Width, full: Receiver<Full>) -> Result<()> {
        full.into_iter()
            .try_for_each(|full| self.write_shard(width, full))
    }

    fn write_shard(&mut self, width: Width, full: Full) -> Result<()> {
        let name = shard::file_name(full.part, full.number);
        let tokenizer = &self.tokenizer_sha256;
        let file = shard::file(width, tokenizer, &full.documents, &full.stored);
        space::check(self.folder, file.len() as u64)?;
        let written = CorpusPart::ALL
            .map(|part| shards(&self.entries, part))
            .concat();
        let written: u64 = written.iter().map(|shard| shard.bytes).sum();
        let bytes = written + file.len() as u64;
        if let Some((root, limit)) = &self.cache
            && make_room(root, self.folder, bytes, *limit).saturating_add(bytes) > *limit
        {
            return Err(Error::CacheLimit { limit: limit >> 20 });
        }
        write_atomic(self.files, &self.folder.join(&name), &file)?;
        self.add(Entry::Shard {
            part: full.part,
            batch: full.batch,
            used: full.used,
            shard: ShardEntry {
                file: name,
                tokens: (full.stored.len() / width.bytes()) as u64,
                documents: full.documents.len() as u64,
                bytes: file.len() as u64,
                sha256: sha256(&file),
            },
        })
    }
}

/// The content of a shard: full, or the last of its part.
pub(crate) struct Full {
    part: CorpusPart,
    /// Number of the shard in its part.
    number: usize,
    stored: Vec<u8>,
    documents: Vec<u64>,
    batch: u64,
    used: usize,
}

/// The shards of a part listed in a journal.
pub(crate) fn shards(journal: &[Entry], of: CorpusPart) -> Vec<ShardEntry> {
    let each = journal.iter().filter_map(|entry| match entry {
        Entry::Shard { part, shard, .. } if *part == of => Some(shard.clone()),
        _ => None,
    });
    each.collect()
}

/// Reads a journal; a line cut off by a kill, and anything after it, is ignored. Returns the
/// entries and how many bytes they take.
fn read_journal(text: &[u8]) -> (Vec<Entry>, u64) {
    let (mut entries, mut length) = (Vec::new(), 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(entry) if line.ends_with(b"\n") => entries.push(entry),
            _ => break,
        }
        length += line.len() as u64;
    }
    (entries, length)
}

/// Collects the tokens of one part, batch by batch.
pub(crate) struct PartWriter {
    part: CorpusPart,
    width: Width,
    /// Tokens not in a shard yet, in their stored form.
    stored: Vec<u8>,
    /// Positions of documents that start in them.
    documents: Vec<u64>,
    /// Tokens already in shards.
    before: u64,
    shards: usize,
    /// Batch, and tokens of it, up to which everything is in shards already.
    done: (u64, usize),
}

impl PartWriter {
    /// A writer that continues after the shards of a journal.
    pub fn new(part: CorpusPart, width: Width, journal: &[Entry]) -> PartWriter {
        let mut writer = PartWriter {
            part,
            width,
            stored: Vec::new(),
            documents: Vec::new(),
            before: 0,
            shards: 0,
            done: (0, 0),
        };
        for entry in journal {
            if let Entry::Shard {
                part,
                batch,
                used,
                shard,
            } = entry
                && *part == writer.part
            {
                writer.before += shard.tokens;
                writer.shards += 1;
                writer.done = (*batch, *used);
            }
        }
        writer
    }

    /// The first batch still needed.
    pub fn first_batch(&self) -> u64 {
        self.done.0
    }

    /// Adds the tokens of a batch; full shards are passed on to be written.
    pub fn add(&mut self, batch: u64, run: &Run, full: Option<&SyncSender<Full>>) -> Result<()> {
        let mut used = match batch == self.done.0 {
            true => self.done.1.min(run.tokens.len()),
            false => 0,
        };
        let mut starts = run.starts.iter().peekable();
        while starts.next_if(|&&at| at < used).is_some() {}
        loop {
            let waiting = (self.stored.len() / self.width.bytes()) as u64;
            let room = match full {
                Some(_) => (SHARD_TOKENS - waiting) as usize,
                None => usize::MAX,
            };
            let take = room.min(run.tokens.len() - used);
            while let Some(&at) = starts.next_if(|&&at| at < used + take) {
                self.documents
                    .push(self.before + waiting + (at - used) as u64);
            }
            self.width
                .store(&run.tokens[used..used + take], &mut self.stored);
            used += take;
            match full {
                Some(full) if take == room => self.flush(batch, used, full)?,
                _ => return Ok(()),
            }
        }
    }

    /// Passes on the waiting tokens; blocks while the previous shard is being written, so that
    /// memory holds two at most.
    fn flush(&mut self, batch: u64, used: usize, full: &SyncSender<Full>) -> Result<()> {
        let shard = Full {
            part: self.part,
            number: self.shards,
            stored: std::mem::take(&mut self.stored),
            documents: std::mem::take(&mut self.documents),
            batch,
            used,
        };
        self.shards += 1;
        self.before += (shard.stored.len() / self.width.bytes()) as u64;
        // If the receiver is gone, writing failed, and that error is the one reported.
        full.send(shard).map_err(|_| Error::Stopped)
    }

    /// Passes on the last shard.
    pub fn finish(&mut self, full: &SyncSender<Full>) -> Result<()> {
        match self.stored.is_empty() {
            true => Ok(()),
            false => self.flush(u64::MAX, 0, full),
        }
    }

    /// The waiting tokens: all of them if there is no journal.
    pub fn into_stored(self) -> Vec<u8> {
        self.stored
    }
}
