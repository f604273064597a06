//! Records that have no field of text but are a chat or a notebook.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// How they are read, for people.
const CHAT: &str = "chats, each message as `name: text`";
const NOTEBOOK: &str = "notebooks, the source of their cells";

/// Fields that hold the messages of a chat.
const MESSAGES: [&str; 2] = ["messages", "conversations"];

/// Fields of a message: who says it, and what.
const WHO: [&str; 2] = ["role", "from"];
const WHAT: [&str; 3] = ["content", "value", "text"];

/// The documents of a record, and the rule by which it was read. With a field, only that is looked
/// at.
pub(crate) fn texts(json: &str, field: Option<&str>) -> Option<(&'static str, Vec<String>)> {
    let record: Tree = serde_json::from_str(json).ok()?;
    if let Some(field) = field {
        return Some((CHAT, vec![chat(record.get(field)?)?]));
    }
    if let Some(Tree::List(cells)) = record.get("cells") {
        return Some((NOTEBOOK, vec![notebook(cells)]));
    }
    // Telegram's export of everything has a list of chats.
    if let Some(Tree::List(chats)) = record.get("chats").and_then(|chats| chats.get("list")) {
        return Some((CHAT, chats.iter().filter_map(messages).collect()));
    }
    Some((CHAT, vec![messages(&record)?]))
}

fn messages(record: &Tree) -> Option<String> {
    MESSAGES.iter().find_map(|field| chat(record.get(field)?))
}

/// A chat as lines; none if no element is a message.
fn chat(messages: &Tree) -> Option<String> {
    let Tree::List(messages) = messages else {
        return None;
    };
    let mut text = String::new();
    for message in messages {
        let get = |fields: &[&str]| fields.iter().find_map(|field| message.get(field)?.text());
        if let Some(what) = get(&WHAT).filter(|what| !what.is_empty()) {
            if let Some(who) = get(&WHO) {
                text += &who;
                text += ": ";
            }
            text += &what;
            text.push('\n');
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The source of all cells, an empty line between two; not what came out when they ran.
fn notebook(cells: &[Tree]) -> String {
    let each = cells.iter().filter_map(|cell| cell.get("source")?.text());
    let each: Vec<String> = each.filter(|source| !source.is_empty()).collect();
    each.join("\n\n") + "\n"
}

/// JSON without what can't be text.
enum Tree<'a> {
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Map(Vec<(Cow<'a, str>, Tree<'a>)>),
    Other,
}

impl Tree<'_> {
    /// The value of a key: the last one, as other programs have it.
    fn get(&self, key: &str) -> Option<&Self> {
        let Tree::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// A text, or one in parts: strings, and objects with a `text`.
    fn text(&self) -> Option<String> {
        match self {
            Tree::Text(text) => Some(text.to_string()),
            Tree::List(parts) => {
                let part = |part: &Tree| match part {
                    Tree::Text(text) => Some(text.to_string()),
                    part => part.get("text")?.text(),
                };
                Some(parts.iter().filter_map(part).collect())
            }
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tree<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = seq.next_element()? {
            if !matches!(value, Tree::Other) {
                all.push(value);
            }
        }
        Ok(Tree::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if !matches!(entry, (_, Tree::Other)) {
                all.push(entry);
            }
        }
        Ok(Tree::Map(all))
    }
}
