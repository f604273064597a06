//! The corpora that come with the program, by name.

use std::fmt;
use std::str::FromStr;

/// A built-in corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// Children's stories with a known entropy.
    Tales,
    /// The same in Chinese.
    TalesZh,
    /// Sums modulo a prime number.
    Sums,
    /// A word, and the same word again.
    Copy,
    /// A word, and the same word backward.
    Reverse,
    /// Pairs of a letter and a digit, and one of the letters again.
    Recall,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [BuiltIn; 6] = [
        BuiltIn::Tales,
        BuiltIn::TalesZh,
        BuiltIn::Sums,
        BuiltIn::Copy,
        BuiltIn::Reverse,
        BuiltIn::Recall,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            BuiltIn::Tales => "tales",
            BuiltIn::TalesZh => "tales-zh",
            BuiltIn::Sums => "sums",
            BuiltIn::Copy => "copy",
            BuiltIn::Reverse => "reverse",
            BuiltIn::Recall => "recall",
        }
    }

    /// Whether it comes with a preset of the same name.
    pub fn has_preset(self) -> bool {
        self != BuiltIn::TalesZh
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BuiltIn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|corpus| corpus.name() == text);
        let names = || Self::ALL.map(Self::name).join(", ");
        known.ok_or_else(|| format!("{text:?} is not a built-in corpus; they are {}", names()))
    }
}
