//! Default ← preset ← file ← `--set`, collecting every mistake on the way.

use std::collections::BTreeSet;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::document::{DEFAULT, Entry, PRESETS, entries, nearest};
use super::error::{ConfigError, Mistake};
use super::family::{Family, fill, read};
use super::{Config, Position, conflict};

/// The longest value that a message quotes in full, in characters.
const SHOWN: usize = 60;

/// Values to be merged into a [`Config`].
pub(super) struct Merge {
    entries: Vec<Entry>,
    /// Defaults and preset.
    base: Table,
    /// The valid values of the user's file and assignments.
    given: Table,
    /// Keys whose value was refused: checks that depend on them are skipped.
    refused: BTreeSet<String>,
    mistakes: Vec<Mistake>,
}

impl Merge {
    /// Starts from `default.toml` and a preset.
    pub fn new(preset: Option<&str>) -> Self {
        let mut merge = Merge {
            entries: entries(),
            base: embedded(DEFAULT),
            given: Table::new(),
            refused: BTreeSet::new(),
            mistakes: Vec::new(),
        };
        let Some(preset) = preset else {
            return merge;
        };
        match PRESETS.iter().find(|(name, _)| *name == preset) {
            Some((_, text)) => overlay(&mut merge.base, &embedded(text)),
            None => merge.mistakes.push(Mistake::UnknownPreset {
                name: shortened(preset),
                known: PRESETS.map(|(name, _)| name).join(", "),
            }),
        }
        merge
    }

    /// Adds a file's values.
    pub fn file(&mut self, path: &Path, text: &str) {
        let path = path.display().to_string();
        let line = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
        let parsed = DeTable::parse(text).and_then(|spans| Ok((spans, text.parse::<Table>()?)));
        match parsed {
            Ok((spans, values)) => {
                let mut leaves = Vec::new();
                collect(spans.get_ref(), &values, "", &mut leaves);
                leaves.sort_by_key(|leaf| leaf.at);
                for leaf in leaves {
                    let origin = format!("{path}, line {}", line(leaf.at));
                    self.give(&leaf.key, leaf.value, &origin);
                }
            }
            Err(error) => self.mistakes.push(Mistake::Syntax {
                path,
                line: line(error.span().map_or(0, |span| span.start)),
                message: error.message().replace('\n', ", "),
            }),
        }
    }

    /// Adds one `key=value`; a value that isn't TOML counts as text.
    pub fn set(&mut self, assignment: &str) {
        let Some((key, text)) = assignment.split_once('=') else {
            self.mistakes.push(Mistake::NoValue {
                text: shortened(assignment),
            });
            return;
        };
        let (key, word) = (key.trim(), Value::String(text.to_string()));
        let value = text.trim().parse().unwrap_or_else(|_| word.clone());
        // `sample.prompt=1984` is text too if the key takes text.
        let value = match self.fits(key, &value) {
            false if self.fits(key, &word) => word,
            _ => value,
        };
        self.give(key, value, "--set");
    }

    /// The keys that were set, and those of a preset.
    pub fn keys(&self, preset: Option<&str>) -> Vec<String> {
        let preset = PRESETS.iter().find(|(name, _)| Some(*name) == preset);
        let mut all = preset.map_or(Table::new(), |(_, text)| embedded(text));
        overlay(&mut all, &self.given);
        let keys = all.iter().flat_map(|(section, values)| {
            let keys = values.as_table().into_iter().flat_map(Table::keys);
            keys.map(move |key| format!("{section}.{key}"))
        });
        keys.collect()
    }

    /// The config, or everything that is wrong with it.
    pub fn finish(mut self) -> Result<Config, ConfigError> {
        let mut table = self.base.clone();
        overlay(&mut table, &self.given);
        self.give_way(&mut table);
        if let Some(model) = section(&mut table, "model") {
            fill(model);
        }
        match Config::from_table(table) {
            Ok(config) => {
                let conflicts = conflict::find(&config, &self.refused);
                self.mistakes
                    .extend(conflicts.into_iter().map(Mistake::Conflict));
                if self.mistakes.is_empty() {
                    return Ok(config);
                }
            }
            Err(error) => self
                .mistakes
                .push(Mistake::Conflict(error.message().to_string())),
        }
        Err(ConfigError {
            mistakes: self.mistakes,
        })
    }

    /// Adds a value, or records why it is refused.
    pub fn give(&mut self, key: &str, value: Value, origin: &str) {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else {
            self.mistakes.push(Mistake::UnknownKey {
                key: shortened(key),
                origin: origin.to_string(),
                nearest: nearest(&self.entries, key),
            });
            return;
        };
        let number = match value {
            Value::Integer(n) => Some(n as f64),
            Value::Float(x) => Some(x),
            _ => None,
        };
        let outside =
            matches!((number, entry.range()), (Some(x), Some(range)) if !range.contains(x));
        if outside || !self.fits(key, &value) {
            self.refused.insert(key.to_string());
            self.mistakes.push(Mistake::NotAllowed {
                key: key.to_string(),
                value: shown(&value),
                origin: origin.to_string(),
                allowed: entry.allowed().to_string(),
            });
            return;
        }
        put(&mut self.given, key, value);
    }

    /// Whether a value has its key's type, as decided by the struct's deserializer.
    fn fits(&self, key: &str, value: &Value) -> bool {
        let mut table = self.base.clone();
        put(&mut table, key, value.clone());
        if let Some(model) = section(&mut table, "model") {
            fill(model);
        }
        Config::from_table(table).is_ok()
    }

    /// A preset's derived values give way to the user's values.
    fn give_way(&self, table: &mut Table) {
        let given = |section: &str, key: &str| {
            let section = self.given.get(section).and_then(Value::as_table);
            section.is_some_and(|section| section.contains_key(key))
        };
        if let Some(model) = section(table, "model")
            && !given("model", "kv_heads")
            && let Some(family) = read::<Family>(model, "family")
            && let Some(heads) = read::<usize>(model, "heads")
            && let Some(shared) = read::<usize>(model, "kv_heads")
            && (!family.shares_heads() || (given("model", "heads") && heads % shared.max(1) != 0))
            && let Some(heads) = model.get("heads").cloned()
        {
            model.insert("kv_heads".to_string(), heads);
        }
        if let Some(optim) = section(table, "optim")
            && !given("optim", "lr_min")
            && let (Some(lr), Some(lr_min)) = (read::<f64>(optim, "lr"), read(optim, "lr_min"))
            && lr < lr_min
        {
            optim.insert("lr_min".to_string(), Value::Float(lr / 10.0));
        }
        let model = section(table, "model");
        let family = model.as_ref().and_then(|m| read::<Family>(m, "family"));
        let context = model.and_then(|model| read::<usize>(model, "context"));
        let rotary = family.is_none_or(|family| family.position() == Position::Rope);
        if !given("train", "short_context")
            && let (Some(context), Some(train)) = (context, section(table, "train"))
            && let Some(short) = read::<usize>(train, "short_context")
            && short != 0
            && (!rotary || given("model", "context") && !context.is_multiple_of(short))
        {
            train.insert("short_context".to_string(), Value::Integer(0));
        }
    }
}

/// One value of a file.
struct Leaf {
    key: String,
    value: Value,
    /// Byte offset of its key.
    at: usize,
}

/// Collects the values of nested tables under dotted keys.
fn collect(spans: &DeTable<'_>, values: &Table, section: &str, leaves: &mut Vec<Leaf>) {
    for (name, span) in spans {
        let key = match section {
            "" => name.get_ref().to_string(),
            section => format!("{section}.{}", name.get_ref()),
        };
        match (span.get_ref(), values.get(name.get_ref().as_ref())) {
            (DeValue::Table(inner), Some(Value::Table(values))) if !inner.is_empty() => {
                collect(inner, values, &key, leaves);
            }
            // An empty section sets nothing.
            (DeValue::Table(_), _) if DEFAULT.contains(&format!("\n[{key}]\n")) => {}
            (_, value) => leaves.push(Leaf {
                key,
                value: value.cloned().unwrap_or(Value::Boolean(false)),
                at: name.span().start,
            }),
        }
    }
}

/// A TOML file embedded in this crate; the tests read each one.
fn embedded(text: &str) -> Table {
    text.parse().expect("the embedded files are TOML")
}

/// Copies the sections of `over` into `table`.
fn overlay(table: &mut Table, over: &Table) {
    for (name, values) in over {
        match (section(table, name), values) {
            (Some(section), Value::Table(values)) => section.extend(values.clone()),
            _ => {
                table.insert(name.clone(), values.clone());
            }
        }
    }
}

fn section<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    table.get_mut(name).and_then(Value::as_table_mut)
}

/// Inserts a value into its section.
fn put(table: &mut Table, key: &str, value: Value) {
    if let Some((name, key)) = key.split_once('.') {
        let entry = table.entry(name.to_string());
        if let Value::Table(section) = entry.or_insert_with(|| Value::Table(Table::new())) {
            section.insert(key.to_string(), value);
        }
    }
}

/// A value shortened to one line of a message.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", shortened(text)),
        other => shortened(&other.to_string().replace('\n', " ")),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_string(),
    }
}
