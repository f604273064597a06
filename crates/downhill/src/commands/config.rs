//! `downhill config`: every key with its value and description.

use crate::arguments::ConfigFlags;
use crate::failure::Result;
use crate::output::{self, out};
use crate::session::config;
use serde_json::{Map, Value};
use std::io::Write;

pub fn run(a: &ConfigFlags) -> Result<()> {
    let config = config(&a.configured, &[])?;
    let mut out = out();
    if a.json {
        let mut object = Map::new();
        for key in config.keys() {
            let parsed: Option<Value> = serde_json::from_str(&key.value).ok();
            let value = parsed.unwrap_or_else(|| key.value.clone().into());
            object.insert(key.key, value);
        }
        writeln!(out, "{}", output::json(&object)?)?;
        return Ok(());
    }
    let mut section = String::new();
    for key in config.keys() {
        let (name, rest) = key.key.split_once('.').unwrap_or(("", &key.key));
        if name != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}[{name}]")?;
            section = name.to_owned();
        }
        for line in wrap(&key.comment, 96) {
            writeln!(out, "# {line}")?;
        }
        let mark = if key.derived { "#" } else { "" };
        writeln!(out, "{mark}{rest} = {}", key.value)?;
    }
    Ok(())
}

/// Breaks a comment at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        let room = lines[line].len() + 1 + word.len() <= width;
        match (lines[line].is_empty(), room) {
            (true, _) => lines[line].push_str(word),
            (false, true) => {
                lines[line].push(' ');
                lines[line].push_str(word);
            }
            (false, false) => lines.push(word.to_owned()),
        }
    }
    lines
}
