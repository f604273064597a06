//! Adding an operation takes one file and two lines. So inside the engine, an operation's type may
//! be named only in its own file, in the list and in the fusion code.

use super::Fault;
use crate::rust::{code, has_word};
use crate::tree::Tree;

const ENGINE: &str = "crates/engine/src/";
const LIST: &str = "crates/engine/src/ops.rs";
const FUSE: &str = "crates/engine/src/fuse.rs";

/// Finds each operation's name in the code of other files.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let list = tree.get(LIST).unwrap_or_default();
    let operations = operations(list);
    if operations.is_empty() {
        return vec![Fault::new(LIST, 0, "no operation found after `list! {`")];
    }
    let mut faults = Vec::new();
    for (path, source) in tree.rust_files(ENGINE) {
        if path == LIST || path == FUSE {
            continue;
        }
        let code = code(source);
        for (at, line) in code.lines().enumerate() {
            for (module, name) in &operations {
                if has_word(line, name) && !is_home(path, module) {
                    let message = format!(
                        "{name} is named outside ops/{module}.rs, ops.rs and fuse.rs: use the \
                         trait Operation instead, or rename the other item"
                    );
                    faults.push(Fault::new(path, at + 1, message));
                }
            }
        }
    }
    faults
}

/// Whether a file is the operation's own or is in its folder.
fn is_home(path: &str, module: &str) -> bool {
    let inside = path
        .strip_prefix(ENGINE)
        .and_then(|p| p.strip_prefix("ops/"));
    let tail = inside.and_then(|p| p.strip_prefix(module));
    tail.is_some_and(|t| t == ".rs" || t.starts_with('/'))
}

/// Module and type of every entry of the list, from the last `list! {` to its `}`.
fn operations(list: &str) -> Vec<(String, String)> {
    let code = code(list);
    let body = code.rsplit_once("list! {").map_or("", |(_, body)| body);
    let body = body.split('}').next().unwrap_or_default();
    let entries = body
        .split(',')
        .filter_map(|entry| entry.trim().split_once("::"));
    entries
        .map(|(module, name)| (module.to_owned(), name.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const OPS: &str =
        "macro_rules! list { () => {} }\nlist! {\n    gelu::Gelu,\n    attention::Attention,\n}\n";

    #[test]
    fn an_operation_is_named_at_home_only() {
        let home = [
            (LIST, OPS),
            (FUSE, "use crate::ops::Op::Gelu;"),
            ("crates/engine/src/ops/gelu.rs", "pub struct Gelu;"),
            ("crates/engine/src/ops/attention/tiles.rs", "Attention"),
            (
                "crates/engine/src/plan.rs",
                "// as Gelu does\nlet geluGelu = \"Gelu\";",
            ),
            ("crates/model/src/decoder.rs", "Mlp::Gelu"),
        ];
        assert!(check(&Tree::of(&home)).is_empty());
        let mut astray = home;
        astray[4].1 = "\nmatch op { Op::Gelu(_) => {} }";
        assert_eq!(
            places(&check(&Tree::of(&astray))),
            ["crates/engine/src/plan.rs:2"]
        );
        let neighbor = [(LIST, OPS), ("crates/engine/src/ops/gelu_new.rs", "Gelu")];
        assert_eq!(check(&Tree::of(&neighbor)).len(), 1);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_fault() {
        assert_eq!(check(&Tree::of(&[(LIST, "enum Op {}")])).len(), 1);
    }
}
