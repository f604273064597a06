//! One file per format; each passes its documents to the [`Reading`](crate::documents::Reading).

pub(crate) mod json;
pub(crate) mod parquet;
pub(crate) mod plain;
pub(crate) mod table;

/// The longest record: a file without line breaks can't exhaust the memory.
pub(crate) const LONGEST_RECORD: usize = 64 << 20;

/// The fields searched for a record's text if none is named.
pub(crate) const FIELDS: [&str; 2] = ["text", "content"];

/// Fields to look for, the first found wins.
pub(crate) fn fields(o: &crate::ReadOptions) -> Vec<&str> {
    match &o.field {
        Some(field) => vec![field.as_str()],
        None => FIELDS.to_vec(),
    }
}

/// "a field `text` or `content`".
pub(crate) fn wanted(fields: &[&str]) -> String {
    let each: Vec<String> = fields.iter().map(|f| format!("`{f}`")).collect();
    each.join(" or ")
}
