//! Encoding and writing: texts that were scanned become tokens.

use crate::cache::{cache_limit, claim};
use crate::control::Stage;
use crate::encode::encode;
use crate::prepared::{Index, PartIndex, Prepared, TOKENIZER, corpus_name};
use crate::scan::Scan;
use crate::shard::{DATA, Width};
use crate::writer::{Journal, PartWriter, shards};
use crate::{CorpusPart, Destination, Error, JobControl, Result, Tokens};
use run::{Disk, sha256};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use text::{Tokenizer, TokenizerKind};

/// Version of everything that affects the tokens.
const VERSION: u64 = 3;

impl Scan {
    /// Encodes the texts with a new tokenizer of the given kind, or with an existing one: `given`.
    /// Finished preparations are reused, and interrupted ones continue with the tokenizer that they
    /// started with.
    ///
    /// # Errors
    /// If a text changed since it was scanned or contains something that the tokenizer can't
    /// encode; if the destination can't be written to or contains something else.
    pub fn encode(
        self,
        kind: &TokenizerKind,
        given: Option<&Tokenizer>,
        control: &JobControl,
    ) -> Result<Prepared> {
        let to = self.to.clone();
        let encoded = self.encode_there(kind, given, control);
        encoded.map_err(|error| to.blame(error))
    }

    fn encode_there(
        mut self,
        kind: &TokenizerKind,
        given: Option<&Tokenizer>,
        control: &JobControl,
    ) -> Result<Prepared> {
        let opened = match (given, kind) {
            (None, TokenizerKind::Path(path)) => Some(Tokenizer::open(path)?),
            _ => None,
        };
        let given = given.or(opened.as_ref());
        let (recipe, key) = self.recipe(kind, given);
        let Some(folder) = self.to.folder(&key) else {
            let tokenizer = self.tokenizer(kind, given, control)?;
            return self.in_memory(tokenizer, control);
        };
        let cache = match &self.to {
            Destination::Cache(Some(root)) => {
                let limit = control.cache_limit.unwrap_or_else(|| cache_limit(root));
                Some((root.clone(), limit))
            }
            _ => None,
        };
        let _claim = cache.as_ref().map(|_| claim(&folder));
        if folder.join(DATA).exists() {
            let there = Prepared::open(&folder)?;
            return match there.key() == key {
                true => Ok(there),
                false => Err(Error::prepared(
                    &folder,
                    "contains data from other texts or settings: remove it, or choose another folder \
                     with --out",
                )),
            };
        }
        let mut journal = Journal::open(&Disk, &folder, &key)?;
        journal.cache = cache;
        let tokenizer = match journal.tokenizer()? {
            Some(begun) => begun,
            None => {
                let tokenizer = self.tokenizer(kind, given, control)?;
                journal.begin(&key, &tokenizer)?;
                tokenizer
            }
        };
        self.into_folder(&tokenizer, &mut journal, (recipe, key), control)?;
        journal.remove()?;
        Prepared::open_written(&folder)
    }

    /// The tokenizer's name in the key, and the key, which determines all output. A given tokenizer
    /// has the name of its kind if that kind produces the same one.
    fn recipe(&self, kind: &TokenizerKind, given: Option<&Tokenizer>) -> (String, String) {
        let text = &self.text_sha256;
        let with_key = |recipe: String| {
            let key = sha256(format!("{VERSION}\n{recipe}\n{text}").as_bytes());
            (recipe, key)
        };
        let made = with_key(kind.to_string());
        let Some(given) = given.map(|given| sha256(given.to_json().as_bytes())) else {
            return made;
        };
        if let Destination::Cache(_) = self.to
            && let Some(folder) = self.to.folder(&made.1)
            && std::fs::read(folder.join(TOKENIZER)).is_ok_and(|json| sha256(&json) == given)
        {
            return made;
        }
        with_key(format!("given {given}"))
    }

    /// The given tokenizer, or a new one.
    fn tokenizer(
        &mut self,
        kind: &TokenizerKind,
        given: Option<&Tokenizer>,
        control: &JobControl,
    ) -> Result<Tokenizer> {
        control.tick(Stage::Tokenizer)?;
        // Not needed after this.
        let sample = std::mem::take(&mut self.sample);
        let tokenizer = match given {
            Some(given) => given.clone(),
            None => {
                let characters: String = self.stats.characters().collect();
                let sample: Vec<&[u8]> = sample.iter().map(Vec::as_slice).collect();
                Tokenizer::make(kind, &[characters.as_bytes()], &sample)?
            }
        };
        control.tick(Stage::Tokenizer)?;
        Ok(tokenizer)
    }

    fn in_memory(self, tokenizer: Tokenizer, control: &JobControl) -> Result<Prepared> {
        let width = Width::for_vocabulary(tokenizer.vocabulary_size());
        let mut writers = CorpusPart::ALL.map(|part| PartWriter::new(part, width, &[]));
        encode(&self, &tokenizer, &mut writers, None, control)?;
        let tokens = writers.map(|w| Tokens::stored(width, w.into_stored()));
        let [train, validation] = tokens;
        Ok(Prepared {
            folder: None,
            name: corpus_name(&self.sources[0]),
            tokenizer,
            train: Arc::new(train),
            validation: Arc::new(validation),
            text_sha256: self.text_sha256,
            index: None,
            report: self.report,
        })
    }

    /// Encodes into a folder while another thread writes shards.
    fn into_folder(
        self,
        tokenizer: &Tokenizer,
        journal: &mut Journal,
        (recipe, key): (String, String),
        control: &JobControl,
    ) -> Result<()> {
        let width = Width::for_vocabulary(tokenizer.vocabulary_size());
        let mut writers =
            CorpusPart::ALL.map(|part| PartWriter::new(part, width, &journal.entries));
        let (full, ready) = sync_channel(0);
        std::thread::scope(|scope| {
            let writing = std::thread::Builder::new()
                .spawn_scoped(scope, || journal.write_shards(width, ready))
                .map_err(Error::Thread)?;
            let encoded = encode(&self, tokenizer, &mut writers, Some(&full), control)
                .and_then(|()| writers.iter_mut().try_for_each(|w| w.finish(&full)));
            // The current shard is finished even if encoding failed or was stopped.
            drop(full);
            let written = writing.join().unwrap_or_else(|panic| resume_unwind(panic));
            written.and(encoded)
        })?;
        let [train, validation] =
            CorpusPart::ALL.map(|part| PartIndex::new(shards(&journal.entries, part)));
        Index {
            format: Index::FORMAT.into(),
            version: Index::VERSION,
            key,
            recipe,
            end_of_text: tokenizer.end_of_text(),
            text_sha256: self.text_sha256,
            tokenizer_sha256: journal.tokenizer_sha256.clone(),
            vocabulary: tokenizer.vocabulary_size(),
            width,
            train,
            validation,
            sources: self.sources,
            report: self.report,
        }
        .write(&Disk, journal.folder)
    }
}
