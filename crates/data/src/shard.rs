//! A shard: tokens and the positions where documents start, as a safetensors file.
//!
//! ```text
//! documents  U64 [D]        first token of each document that begins here, counted over the part
//! tokens     U16 or U32 [N]
//! ```
//!
//! The header's metadata names the tokenizer (by hash) and the hash of the two tensors.

use crate::{CorpusPart, Error, Result};
use run::hex;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file that describes a prepared folder.
pub(crate) const DATA: &str = "data.json";

/// Tokens per shard, except for the last one of a part.
pub(crate) const SHARD_TOKENS: u64 = 1 << 24;

/// Version of the layout.
const VERSION: &str = "1";

/// The longest header that is accepted: ours have some 400 bytes.
const LONGEST_HEADER: u64 = 1 << 20;

/// How a token is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Width {
    /// Two bytes, little-endian.
    U16,
    /// Four bytes, little-endian.
    U32,
}

impl Width {
    /// The narrowest type that can store every id below `vocabulary`.
    pub fn for_vocabulary(vocabulary: usize) -> Width {
        match vocabulary <= 1 << 16 {
            true => Width::U16,
            false => Width::U32,
        }
    }

    /// Bytes per token.
    pub fn bytes(self) -> usize {
        match self {
            Width::U16 => 2,
            Width::U32 => 4,
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Width::U16 => Dtype::U16,
            Width::U32 => Dtype::U32,
        }
    }

    /// Appends tokens in their stored form. Ids fit: the width was chosen for their vocabulary.
    pub(crate) fn store(self, tokens: &[u32], into: &mut Vec<u8>) {
        let from = into.len();
        into.resize(from + tokens.len() * self.bytes(), 0);
        let into = &mut into[from..];
        match self {
            Width::U16 => {
                let each = into.as_chunks_mut::<2>().0.iter_mut();
                each.zip(tokens)
                    .for_each(|(bytes, &t)| *bytes = (t as u16).to_le_bytes());
            }
            Width::U32 => {
                let each = into.as_chunks_mut::<4>().0.iter_mut();
                each.zip(tokens)
                    .for_each(|(bytes, &t)| *bytes = t.to_le_bytes());
            }
        }
    }

    /// Decodes tokens from their stored form, which has exactly as many.
    pub(crate) fn load(self, stored: &[u8], tokens: &mut [u32]) {
        match self {
            Width::U16 => {
                let each = stored.as_chunks::<2>().0.iter();
                let each = each.map(|b| u32::from(u16::from_le_bytes(*b)));
                tokens.iter_mut().zip(each).for_each(|(t, id)| *t = id);
            }
            Width::U32 => {
                let each = stored
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|b| u32::from_le_bytes(*b));
                tokens.iter_mut().zip(each).for_each(|(t, id)| *t = id);
            }
        }
    }
}

/// The entry of a shard in data.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardEntry {
    pub file: String,
    pub tokens: u64,
    pub documents: u64,
    pub bytes: u64,
    /// Of the whole file.
    pub sha256: String,
}

/// The name of a shard.
pub(crate) fn file_name(part: CorpusPart, number: usize) -> String {
    format!("{}-{number:05}.safetensors", part.name())
}

/// The whole file of a shard.
pub(crate) fn file(
    width: Width,
    tokenizer_sha256: &str,
    documents: &[u64],
    tokens: &[u8],
) -> Vec<u8> {
    let starts: Vec<u8> = documents.iter().flat_map(|at| at.to_le_bytes()).collect();
    let (count, split, end) = (
        tokens.len() / width.bytes(),
        starts.len(),
        starts.len() + tokens.len(),
    );
    let mut content = Sha256::new();
    content.update(&starts);
    content.update(tokens);
    let header = json!({
        "__metadata__": {
            "format": "downhill-shard",
            "version": VERSION,
            "tokens": count.to_string(),
            "tokenizer_sha256": tokenizer_sha256,
            "content_sha256": hex(&content.finalize()),
        },
        "documents": {"dtype": "U64", "shape": [documents.len()], "data_offsets": [0, split]},
        "tokens": {"dtype": width.dtype(), "shape": [count], "data_offsets": [split, end]},
    });
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    file.extend(starts);
    file.extend(tokens);
    file
}

/// Offsets within a shard file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Offset of the document positions.
    pub documents: u64,
    /// Offset of the tokens.
    pub tokens: u64,
}

/// Reads the header of a shard and checks it against data.json.
pub(crate) fn layout(
    path: &Path,
    file: &mut File,
    entry: &ShardEntry,
    width: Width,
    tokenizer_sha256: &str,
) -> Result<Layout> {
    let damaged = |why: &str| {
        let reason = format!("the shard is damaged: {why}. Prepare the data again");
        Error::prepared(path, reason)
    };
    let bytes = file.metadata().map_err(|e| Error::reading(path, &e))?.len();
    if bytes != entry.bytes {
        let why = format!("it has {bytes} bytes, not {}", entry.bytes);
        return Err(damaged(&why));
    }
    let mut length = [0; 8];
    let read = file.read_exact(&mut length);
    read.map_err(|e| damaged(&e.to_string()))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER.min(bytes) {
        return Err(damaged("its header length is invalid"));
    }
    let mut header = vec![0; length as usize];
    let read = file.read_exact(&mut header);
    read.map_err(|e| damaged(&e.to_string()))?;
    let header: Metadata = serde_json::from_slice(&header).map_err(|e| damaged(&e.to_string()))?;
    let no_words = Default::default();
    let words = header.metadata().as_ref().unwrap_or(&no_words);
    let word = |name: &str| words.get(name).map_or("", String::as_str);
    if word("format") != "downhill-shard" || word("version") != VERSION {
        return Err(damaged("its header is not a shard header"));
    }
    if word("tokenizer_sha256") != tokenizer_sha256 {
        let reason = "the shard was made with another tokenizer, not the folder's tokenizer.json. \
                      Prepare the data again";
        return Err(Error::prepared(path, reason));
    }
    let (Some(documents), Some(tokens)) = (header.info("documents"), header.info("tokens")) else {
        return Err(damaged("it has no tokens"));
    };
    let start = 8 + length;
    let sound = documents.dtype == Dtype::U64
        && documents.shape == [entry.documents as usize]
        && documents.data_offsets == (0, documents.shape[0] * 8)
        && tokens.dtype == width.dtype()
        && tokens.shape == [entry.tokens as usize]
        && tokens.data_offsets.0 == documents.data_offsets.1
        && start + tokens.data_offsets.1 as u64 == bytes;
    match sound {
        true => Ok(Layout {
            documents: start,
            tokens: start + documents.data_offsets.1 as u64,
        }),
        false => Err(damaged("its header doesn't match data.json")),
    }
}

/// Checks every bit of a shard.
pub(crate) fn verify(path: &Path, file: &mut File, entry: &ShardEntry) -> Result<()> {
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    let read = |e: std::io::Error| Error::reading(path, &e);
    std::io::Seek::rewind(file).map_err(read)?;
    loop {
        match file.read(&mut block).map_err(read)? {
            0 => break,
            count => hash.update(&block[..count]),
        }
    }
    match hex(&hash.finalize()) == entry.sha256 {
        true => Ok(()),
        false => Err(Error::prepared(
            path,
            "the shard is damaged: its content doesn't match data.json. Prepare the data again",
        )),
    }
}
