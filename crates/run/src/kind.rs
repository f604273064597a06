//! The kind of a run, and run.toml, which contains it: `kind`, `given` (the keys that the user
//! set), the complete config as used, and a section specific to the kind. Older runs have no
//! `kind`, since the section identifies them, and no `given`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::{Error, Result};

/// What a run trains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A language model.
    Language,
    /// A line or plane through points.
    Fit,
    /// A kind from a newer version, by its name.
    #[serde(untagged)]
    Unknown(String),
}

impl Kind {
    /// The section of run.toml that only runs of this kind have.
    fn section(&self) -> &str {
        match self {
            Self::Language => "source",
            Self::Fit => "fit",
            Self::Unknown(name) => name,
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Language => write!(f, "a language model run"),
            Self::Fit => write!(f, "a `downhill fit` run"),
            Self::Unknown(name) => write!(f, "a run of unknown kind {name:?}"),
        }
    }
}

/// The content of run.toml.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The file.
    pub path: PathBuf,
    /// The run's kind.
    pub kind: Kind,
    /// The config as used: the file's text with all other lines blank, so that line numbers match.
    pub config: String,
    /// The keys of the config that the user set, if the run has recorded them.
    pub given: Option<Vec<String>>,
    /// The kind's own section, in the same form.
    section: String,
}

impl RunConfig {
    /// The text of a run.toml.
    ///
    /// # Errors
    /// If the section has a value that TOML can't represent, such as a path that isn't UTF-8.
    pub fn text(kind: &Kind, config: &str, section: &impl Serialize) -> Result<String> {
        let write = || {
            let head = toml::to_string(&BTreeMap::from([("kind", kind)]))?;
            let section = toml::to_string(&BTreeMap::from([(kind.section(), section)]))?;
            Ok(format!("{head}\n{config}\n{section}"))
        };
        let failed = |e: toml::ser::Error| broken(Path::new("run.toml"), e.to_string());
        write().map_err(failed)
    }

    /// Parses the text of a run.toml.
    ///
    /// # Errors
    /// If it isn't TOML, or its kind can't be determined.
    pub fn parse(path: &Path, text: &str) -> Result<RunConfig> {
        let table = DeTable::parse(text).map_err(|e| at_line(path, text, &e))?;
        let entries = table.get_ref().iter().map(|(key, value)| {
            let from = key.span().start.min(value.span().start);
            (from, (key.get_ref().as_ref(), value.get_ref()))
        });
        let entries: BTreeMap<usize, (&str, &DeValue)> = entries.collect();
        let find = |name: &str| entries.values().find(|(key, _)| *key == name);
        let given = find("given").and_then(|(_, value)| value.as_array());
        let given = given.map(|keys| {
            let keys = keys.iter().filter_map(|key| key.get_ref().as_str());
            keys.map(String::from).collect()
        });
        let kind = match find("kind") {
            Some((_, name)) => name.as_str().and_then(named),
            None => [Kind::Fit, Kind::Language]
                .into_iter()
                .find(|kind| find(kind.section()).is_some()),
        };
        let kind = kind.ok_or_else(|| {
            let missing = "its first line must be `kind = \"language\"` or `kind = \"fit\"`";
            broken(path, missing.into())
        })?;
        let (mut config, mut section, mut from) = (String::new(), String::new(), 0);
        let ends = entries.keys().skip(1).copied().chain([text.len()]);
        for ((key, _), to) in entries.values().zip(ends) {
            let here = &text[from..to];
            let blank: String = here.matches('\n').collect();
            let own = *key == kind.section();
            let other = own || *key == "kind" || *key == "given";
            config.push_str(if other { &blank } else { here });
            section.push_str(if own { here } else { &blank });
            from = to;
        }
        let path = path.to_path_buf();
        Ok(RunConfig {
            path,
            kind,
            config,
            given,
            section,
        })
    }

    /// Checks the run's kind.
    ///
    /// # Errors
    /// If it is another.
    pub fn expect(&self, kind: &Kind) -> Result<()> {
        if self.kind == *kind {
            return Ok(());
        }
        let reason = format!("this is {}, but {kind} is needed", self.kind);
        Err(broken(&self.path, reason))
    }

    /// Parses the kind's own section.
    ///
    /// # Errors
    /// If this is a run of another kind, or the section doesn't parse as `T`.
    pub fn section<T: DeserializeOwned>(&self, kind: &Kind) -> Result<T> {
        self.expect(kind)?;
        let read = toml::from_str::<BTreeMap<String, T>>(&self.section);
        let read = read.map_err(|e| at_line(&self.path, &self.section, &e))?;
        let missing = || {
            broken(
                &self.path,
                format!("section [{}] is missing", kind.section()),
            )
        };
        read.into_values().next().ok_or_else(missing)
    }
}

fn named(name: &str) -> Option<Kind> {
    Kind::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name)).ok()
}

fn at_line(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start);
    let line = 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
    let message = error.message().replace(char::is_control, " ");
    broken(path, format!("line {line}: {message}"))
}

fn broken(path: &Path, reason: String) -> Error {
    let path = path.to_path_buf();
    Error::Broken { path, reason }
}
