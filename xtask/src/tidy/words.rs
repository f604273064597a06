//! Checks for words with restricted use: `unsafe`, marks of unfinished work, paths of a local
//! machine, British spellings.

use super::Fault;
use crate::rust::{code, has_word, is_test_file};
use crate::tree::Tree;

/// The engine's files for raw memory, threads and processor instructions, which may use `unsafe`.
const UNSAFE: &[&str] = &[
    "crates/engine/src/cpu/arena.rs",
    "crates/engine/src/cpu/team.rs",
    "crates/engine/src/cpu/lanes",
    "crates/engine/src/cpu/measure.rs",
    "crates/engine/src/cpu/gemm.rs",
    "crates/engine/src/cpu/gemm/",
];

const FORBID: &str = "#![forbid(unsafe_code)]";

/// Checks that `unsafe` occurs only in the files above and in tests, and that every crate but the
/// engine forbids it.
pub fn unsafe_code(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, source) in tree.rust_files("") {
        let listed = UNSAFE.iter().any(|place| path.starts_with(place));
        if listed || is_test_file(path) {
            continue;
        }
        for (at, line) in code(source).lines().enumerate() {
            if has_word(line, "unsafe") {
                let message = "unsafe outside the engine's arena, team, lanes, measure and gemm";
                faults.push(Fault::new(path, at + 1, message));
            }
        }
    }
    let crates = tree.crates().into_iter().filter(|name| *name != "engine");
    let mut folders: Vec<String> = crates.map(|name| format!("crates/{name}/src/")).collect();
    folders.push("xtask/src/".into());
    for folder in folders {
        for path in ["lib.rs", "main.rs"].map(|file| format!("{folder}{file}")) {
            let source = tree.get(&path);
            if source.is_some_and(|source| !source.lines().any(|line| line == FORBID)) {
                let message = format!("add {FORBID} at the top");
                faults.push(Fault::new(&path, 1, message));
            }
        }
    }
    faults
}

// Split in two parts, so that the check doesn't match this file.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const STUBS: &[&str] = &[concat!("todo", "!"), concat!("unimplemented", "!")];

/// Checks that no marks of unfinished work remain.
pub fn unfinished(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in tree.iter() {
        let stubs = if path.ends_with(".rs") { STUBS } else { &[] };
        for (at, line) in text.lines().enumerate() {
            let words = MARKS.iter().filter(|mark| has_word(line, mark));
            let calls = stubs.iter().filter(|stub| line.contains(*stub));
            faults.extend(words.chain(calls).map(|word| {
                let message = format!("{word}: finish it, or open an issue");
                Fault::new(path, at + 1, message)
            }));
        }
    }
    faults
}

/// Folders that exist only on a particular machine.
const LOCAL: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("/Us", "ers/"),
    concat!("/tmp/", "bash_"),
];

/// Checks that no path of a local machine occurs.
pub fn local_paths(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in tree.iter() {
        for (at, line) in text.lines().enumerate() {
            let begins = |(found, _): (usize, &str)| {
                let before = line[..found].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "._-}/".contains(c))
            };
            if let Some(local) = LOCAL.iter().find(|l| line.match_indices(**l).any(begins)) {
                let message = format!("a path of a local machine ({local}…): use a general one");
                faults.push(Fault::new(path, at + 1, message));
            }
        }
    }
    faults
}

/// Letter sequences that occur in British spellings only.
const BRITISH: &[&str] = &[
    concat!("beha", "viour"),
    concat!("cent", "red"),
    concat!("col", "our"),
    concat!("generali", "s"),
    concat!("initiali", "s"),
    concat!("labe", "lled"),
    concat!("lea", "rnt"),
    concat!("mode", "lling"),
    concat!("neigh", "bour"),
    concat!("normali", "s"),
    concat!("optimi", "s"),
    concat!("recogni", "s"),
    concat!("regulari", "s"),
    concat!("standardi", "s"),
    concat!("tokeni", "s"),
];

/// Exceptions: a name from the web standards and a key of the golden files.
const THEIRS: &[&str] = &[concat!("aria-labe", "lledby"), concat!("\"optimi", "ser\"")];

/// Checks that spelling is American, like the config keys.
pub fn spelling(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in tree.iter() {
        for (at, line) in text.lines().enumerate() {
            let mut line = line.to_lowercase();
            THEIRS.iter().for_each(|word| line = line.replace(word, ""));
            if let Some(word) = BRITISH.iter().find(|word| line.contains(*word)) {
                let message = format!("{word}…: use American spelling");
                faults.push(Fault::new(path, at + 1, message));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn unsafe_stands_in_few_files() {
        let block = "// unsafe\nfn f() { unsafe { g() } }\n";
        let good = [
            ("crates/engine/src/cpu/gemm/pack.rs", block),
            ("crates/engine/tests/allocations.rs", block),
            ("crates/run/Cargo.toml", ""),
            ("crates/run/src/lib.rs", "//! x\n#![forbid(unsafe_code)]\n"),
        ];
        assert!(unsafe_code(&Tree::of(&good)).is_empty());
        let bad = [
            ("crates/engine/src/plan.rs", block),
            ("crates/run/Cargo.toml", ""),
            ("crates/run/src/lib.rs", "//! x\n"),
        ];
        let expected = ["crates/engine/src/plan.rs:2", "crates/run/src/lib.rs:1"];
        assert_eq!(places(&unsafe_code(&Tree::of(&bad))), expected);
    }

    #[test]
    fn unfinished_work_is_found() {
        let planted = format!("ok\n// {}: later\n{}()\n", MARKS[0], STUBS[0]);
        let tree = Tree::of(&[("a.rs", &planted), ("b.md", "mktemp XXXXXX")]);
        assert_eq!(places(&unfinished(&tree)), ["a.rs:2", "a.rs:3"]);
    }

    #[test]
    fn local_paths_are_found() {
        let planted = format!("ok\npython {}venv/bin\n", LOCAL[2]);
        let tree = Tree::of(&[("a.sh", &planted), ("b.md", "net/work/x, $HOME/work/y")]);
        assert_eq!(places(&local_paths(&tree)), ["a.sh:2"]);
    }

    #[test]
    fn a_british_spelling_is_found() {
        let planted = format!("{}\nPlain {}s\nthe color\n", THEIRS[0], BRITISH[2]);
        assert_eq!(
            places(&spelling(&Tree::of(&[("a.md", &planted)]))),
            ["a.md:2"]
        );
    }
}
