//! The kind of a run, and run.toml, which names it: `kind`, the whole config as used, and a section of
//! the kind's own. In older runs, which have no `kind`, that section tells.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use toml::de::DeTable;

use crate::{Error, Result};

/// What a run learns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A language model.
    Language,
    /// A line or plane through points.
    Fit,
    /// Something that only a newer version knows, by its name.
    #[serde(untagged)]
    Unknown(String),
}

impl Kind {
    /// The section of run.toml that runs of this kind alone have.
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
            Self::Language => write!(f, "a language model's run"),
            Self::Fit => write!(f, "a run of `downhill fit`"),
            Self::Unknown(name) => write!(f, "a run of an unknown kind, {name:?}"),
        }
    }
}

/// What run.toml holds.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The file.
    pub path: PathBuf,
    /// What is learned.
    pub kind: Kind,
    /// The config as used: the file's text, its other lines left blank, so that their numbers hold.
    pub config: String,
    /// The section of the kind's own, in the same way.
    section: String,
}

impl RunConfig {
    /// The text of a run.toml.
    ///
    /// # Errors
    /// Where the section has something that TOML can't hold, as a path that isn't UTF-8.
    pub fn text(kind: &Kind, config: &str, section: &impl Serialize) -> Result<String> {
        let write = || {
            let head = toml::to_string(&BTreeMap::from([("kind", kind)]))?;
            let section = toml::to_string(&BTreeMap::from([(kind.section(), section)]))?;
            Ok(format!("{head}\n{config}\n{section}"))
        };
        let failed = |e: toml::ser::Error| broken(Path::new("run.toml"), e.to_string());
        write().map_err(failed)
    }

    /// Reads the text of a run.toml.
    ///
    /// # Errors
    /// Where it isn't TOML, or doesn't tell what is learned.
    pub fn parse(path: &Path, text: &str) -> Result<RunConfig> {
        let table = DeTable::parse(text).map_err(|e| at_line(path, text, &e))?;
        let entries = table.get_ref().iter().map(|(key, value)| {
            let from = key.span().start.min(value.span().start);
            (from, (key.get_ref().as_ref(), value.get_ref().as_str()))
        });
        let entries: BTreeMap<usize, (&str, Option<&str>)> = entries.collect();
        let find = |name: &str| entries.values().find(|(key, _)| *key == name);
        let kind = match find("kind") {
            Some((_, name)) => name.and_then(named),
            None => [Kind::Fit, Kind::Language]
                .into_iter()
                .find(|kind| find(kind.section()).is_some()),
        };
        let kind = kind.ok_or_else(|| {
            let missing = "a line `kind = \"language\"` or `kind = \"fit\"` is missing at its top";
            broken(path, missing.into())
        })?;
        let (mut config, mut section, mut from) = (String::new(), String::new(), 0);
        let ends = entries.keys().skip(1).copied().chain([text.len()]);
        for ((key, _), to) in entries.values().zip(ends) {
            let here = &text[from..to];
            let blank: String = here.matches('\n').collect();
            let own = *key == kind.section();
            config.push_str(if own || *key == "kind" { &blank } else { here });
            section.push_str(if own { here } else { &blank });
            from = to;
        }
        let path = path.to_path_buf();
        Ok(RunConfig {
            path,
            kind,
            config,
            section,
        })
    }

    /// Refuses a run of another kind.
    ///
    /// # Errors
    /// Where it is one.
    pub fn expect(&self, kind: &Kind) -> Result<()> {
        if self.kind == *kind {
            return Ok(());
        }
        let reason = format!("this is {}; {kind} is needed", self.kind);
        Err(broken(&self.path, reason))
    }

    /// The section of the kind's own.
    ///
    /// # Errors
    /// Where this is a run of another kind, or the section has something else than expected.
    pub fn section<T: DeserializeOwned>(&self, kind: &Kind) -> Result<T> {
        self.expect(kind)?;
        let read = toml::from_str::<BTreeMap<String, T>>(&self.section);
        let read = read.map_err(|e| at_line(&self.path, &self.section, &e))?;
        let missing = || {
            broken(
                &self.path,
                format!("its section [{}] is missing", kind.section()),
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
