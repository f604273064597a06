//! `data.delimiter` as a word: `auto`, `tab`, or the character itself.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(value: &Option<u8>, s: S) -> Result<S::Ok, S::Error> {
    match value {
        None => s.serialize_str("auto"),
        Some(b'\t') => s.serialize_str("tab"),
        Some(byte) => s.serialize_char(char::from(*byte)),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u8>, D::Error> {
    let word = String::deserialize(d)?;
    match (&word[..], word.as_bytes()) {
        ("auto", _) => Ok(None),
        ("tab" | "\\t", _) => Ok(Some(b'\t')),
        // These have a meaning of their own.
        ("\"" | "\n" | "\r", _) => Err(D::Error::custom("no delimiter")),
        (_, [byte]) if byte.is_ascii() => Ok(Some(*byte)),
        _ => Err(D::Error::custom("no delimiter")),
    }
}
