//! What can be wrong with a config.

use std::fmt;

/// The most lines an error takes on the screen.
const LINES: usize = 12;

/// Everything that is wrong with a config, at once; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// The mistakes, in the order they were found.
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mistake {
    /// No preset has this name.
    #[error("there is no preset {name:?}; the presets are {known}")]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// The presets there are.
        known: String,
    },
    /// The file isn't TOML.
    #[error("{path}, line {line}: not valid TOML: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What the TOML reader says.
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
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("{key} = {value} ({origin}): allowed is {allowed}")]
    NotAllowed {
        /// The key.
        key: String,
        /// The value as given.
        value: String,
        /// Where it was given.
        origin: String,
        /// What is allowed.
        allowed: String,
    },
    /// Values that don't go together.
    #[error("{0}")]
    Conflict(
        /// The keys, their values, and what would fit.
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
