//! How texts are read: arguments of every command that reads them.

use clap::Args;

/// How texts are read.
#[derive(Debug, Clone, Default, Args)]
pub struct Texts {
    /// The encoding of texts that aren't UTF-8, as gb18030 (data.encoding)
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Replace bytes that are no characters by U+FFFD, if they are few (data.lossy)
    #[arg(long)]
    pub lossy: bool,
    /// The field or column that holds a record's text (data.field)
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
    /// What stands between the fields of a csv or tsv file, as ';' or tab (data.delimiter)
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<String>,
    /// Read quotes in a tsv file as in a csv file (data.quotes)
    #[arg(long)]
    pub quotes: bool,
    /// The line between two documents of a text file (data.separator)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub separator: Option<String>,
    /// Take the content of every file as it is, whatever its format (data.raw)
    #[arg(long)]
    pub raw: bool,
    /// Leave out and count records that hold no text (data.skip_bad)
    #[arg(long)]
    pub skip_bad: bool,
    /// Leave out of folders what a .gitignore names (data.gitignore)
    #[arg(long)]
    pub gitignore: bool,
}

impl Texts {
    /// The flags as assignments.
    pub fn assignments(&self) -> [(&'static str, Option<String>); 9] {
        let yes = |flag: bool| flag.then(|| "true".to_owned());
        [
            ("data.encoding", self.encoding.clone()),
            ("data.lossy", yes(self.lossy)),
            ("data.field", self.field.clone()),
            ("data.delimiter", self.delimiter.clone()),
            ("data.quotes", yes(self.quotes)),
            ("data.separator", self.separator.clone()),
            ("data.raw", yes(self.raw)),
            ("data.skip_bad", yes(self.skip_bad)),
            ("data.gitignore", yes(self.gitignore)),
        ]
    }
}

/// `data cache`
#[derive(Debug, Args)]
pub struct DataCache {
    /// Print one JSON object a text
    #[arg(long)]
    pub json: bool,
}

/// A number of bytes, with a unit or without.
pub fn size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let factor = match lower[digits.len()..].trim() {
        "" | "b" => Some(1.0),
        "k" | "kb" => Some(1e3),
        "m" | "mb" => Some(1e6),
        "g" | "gb" => Some(1e9),
        "t" | "tb" => Some(1e12),
        _ => None,
    };
    match (digits.parse::<f64>(), factor) {
        (Ok(number), Some(factor)) if (0.0..1e15).contains(&(number * factor)) => {
            Ok((number * factor) as u64)
        }
        _ => Err("use a number of bytes, such as 500MB or 20GB".into()),
    }
}
