//! Checks that a type name means one thing: it isn't public in two crates, nor declared twice in
//! one crate where other files can see it.

use super::Fault;
use crate::rust::{Token, code, is_name, is_test_file, tokens};
use crate::tree::Tree;
use std::collections::BTreeMap;

/// Names that may be declared more than once, with the reason. An entry that is no longer needed is
/// a fault.
const SHARED: &[(&str, &str)] = &[
    (
        "Error",
        "each crate has its own, always qualified with the crate",
    ),
    (
        "Result",
        "each crate has its own, always qualified with the crate",
    ),
];

/// The visibility of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// Its own module.
    Module,
    /// Other modules of its crate: `pub(crate)`, `pub(super)`, or anything in a program.
    Crate,
    /// Other crates.
    All,
}

struct Declared<'a> {
    owner: &'a str,
    path: &'a str,
    line: usize,
    seen: Seen,
}

/// Finds names that are declared twice.
pub fn check(tree: &Tree) -> Vec<Fault> {
    against(tree, SHARED)
}

fn against(tree: &Tree, shared: &[(&str, &str)]) -> Vec<Fault> {
    let mut names: BTreeMap<String, Vec<Declared>> = BTreeMap::new();
    let crates = tree.crates().into_iter();
    let folders = crates.map(|name| (name, format!("crates/{name}/src/")));
    let folders: Vec<_> = folders
        .chain([("xtask", "xtask/src/".to_owned())])
        .collect();
    for (owner, folder) in &folders {
        let most = match tree.get(&format!("{folder}lib.rs")) {
            Some(_) => Seen::All,
            None => Seen::Crate,
        };
        for (path, source) in tree
            .rust_files(folder)
            .filter(|(path, _)| !is_test_file(path))
        {
            for (name, line, seen) in declared(&tokens(&code(source))) {
                let seen = seen.min(most);
                names.entry(name).or_default().push(Declared {
                    owner,
                    path,
                    line,
                    seen,
                });
            }
        }
    }
    let mut faults = Vec::new();
    let mut needed = Vec::new();
    for (name, all) in &names {
        let Some((first, second)) = clash(all) else {
            continue;
        };
        needed.push(name.as_str());
        if !shared.iter().any(|(known, _)| known == name) {
            let message = format!(
                "{name} is also declared in {}:{}: rename one of them, since one name means one thing",
                first.path, first.line
            );
            faults.push(Fault::new(second.path, second.line, message));
        }
    }
    for (name, _) in shared.iter().filter(|(name, _)| !needed.contains(name)) {
        let message = format!("{name} is declared only once: remove it from SHARED");
        faults.push(Fault::new("xtask/src/tidy/types.rs", 0, message));
    }
    faults
}

/// Two declarations that can be confused.
fn clash<'a, 'b>(all: &'a [Declared<'b>]) -> Option<(&'a Declared<'b>, &'a Declared<'b>)> {
    let pairs = all
        .iter()
        .enumerate()
        .flat_map(|(at, a)| all[at + 1..].iter().map(move |b| (a, b)));
    let mut clashes = pairs.filter(|(a, b)| match a.owner == b.owner {
        true => a.seen.max(b.seen) > Seen::Module,
        false => a.seen == Seen::All && b.seen == Seen::All,
    });
    clashes.next()
}

/// The types and traits declared in the code, with their lines. Private `type` items don't count:
/// most belong to an `impl`.
fn declared(tokens: &[Token]) -> Vec<(String, usize, Seen)> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [kind, name] = pair else { continue };
        let kinds = ["struct", "enum", "trait", "type", "union"];
        if !kinds.contains(&kind.text) || !is_name(name.text) {
            continue;
        }
        let mut before = tokens[..at].iter().rev().map(|t| t.text).peekable();
        before.next_if_eq(&"unsafe");
        let seen = match before.next() {
            Some("pub") => Seen::All,
            Some(")") if before.take(6).any(|text| text == "pub") => Seen::Crate,
            _ => Seen::Module,
        };
        if seen > Seen::Module || !["type", "union"].contains(&kind.text) {
            found.push((name.text.to_owned(), name.line, seen));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    fn faults(a: &str, b: &str, other: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("crates/x/Cargo.toml", ""),
            ("crates/y/Cargo.toml", ""),
            ("crates/x/src/lib.rs", a),
            ("crates/x/src/b.rs", b),
            ("crates/y/src/lib.rs", other),
        ]);
        let shared = [("Error", "each crate has its own")];
        places(&against(&tree, &shared))
            .into_iter()
            .filter(|p| !p.starts_with("xtask"))
            .collect()
    }

    #[test]
    fn a_public_name_belongs_to_one_crate() {
        let none: [&str; 0] = [];
        assert_eq!(
            faults("pub struct A;", "", "\npub enum A {}"),
            ["crates/y/src/lib.rs:2"]
        );
        assert_eq!(
            faults("", "pub type A = u8;", "pub unsafe trait A {}"),
            ["crates/y/src/lib.rs:1"]
        );
        assert_eq!(faults("pub(crate) struct A;", "", "pub struct A;"), none);
        assert_eq!(faults("pub enum Error {}", "", "pub enum Error {}"), none);
    }

    #[test]
    fn a_name_is_declared_once_in_a_crate() {
        let none: [&str; 0] = [];
        assert_eq!(
            faults("struct A;", "pub(super) struct A;", ""),
            ["crates/x/src/lib.rs:1"]
        );
        assert_eq!(faults("struct A;", "struct A;", ""), none);
        assert_eq!(faults("impl X { type A = u8; }", "pub struct A;", ""), none);
        assert_eq!(
            faults(
                "#[cfg(test)]\nmod tests { pub struct A; }",
                "pub struct A;",
                ""
            ),
            none
        );
    }

    #[test]
    fn a_name_that_needs_no_exception_is_a_fault() {
        let tree = Tree::of(&[
            ("crates/x/Cargo.toml", ""),
            ("crates/x/src/lib.rs", "pub struct A;"),
        ]);
        assert_eq!(against(&tree, &[("A", "")]).len(), 1);
    }
}
