//! Errors in a config.

use std::fmt;

/// The maximum number of lines of an error message.
const LINES: usize = 12;

/// All mistakes in a config; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// The mistakes, in the order they were found.
    pub mistakes: Vec<Mistake>,
}

/// A mistake in a config.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mistake {
    /// No preset has this name.
    #[error("there is no preset {name:?}; the presets are {known}")]
    UnknownPreset {
        /// The requested name.
        name: String,
        /// The known presets.
        known: String,
    },
    /// The file isn't TOML.
    #[error("{path}, line {line}: not valid TOML: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The message of the TOML parser.
        message: String,
    },
    /// An assignment without an equals sign.
    #[error("--set {text:?} has no value; write --set key=value")]
    NoValue {
        /// What was given.
        text: String,
    },
    /// No setting has this name.
    #[error("there is no key {key} ({origin}){}", suggestion(.nearest))]
    UnknownKey {
        /// The key as given.
        key: String,
        /// Where it was given.
        origin: String,
        /// The most similar known key.
        nearest: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("{key} = {value} ({origin}): must be {allowed}")]
    NotAllowed {
        /// The key.
        key: String,
        /// The value as given.
        value: String,
        /// Where it was given.
        origin: String,
        /// The allowed values.
        allowed: String,
    },
    /// Values that are incompatible.
    #[error("{0}")]
    Conflict(
        /// The keys, their values, and how to fix them.
        String,
    ),
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(key) => format!("; did you mean {key}?"),
        None => "; `downhill config` lists them all".to_string(),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.mistakes.as_slice() {
            return write!(f, "the config has a mistake: {only}");
        }
        write!(f, "the config has {} mistakes:", self.mistakes.len())?;
        let shown = if self.mistakes.len() < LINES {
            self.mistakes.len()
        } else {
            LINES - 2
        };
        for mistake in self.mistakes.iter().take(shown) {
            write!(f, "\n  {mistake}")?;
        }
        if shown < self.mistakes.len() {
            write!(f, "\n  and {} more", self.mistakes.len() - shown)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
