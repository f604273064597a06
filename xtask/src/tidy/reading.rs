//! Checks the reading path: seven files, short enough for one sitting, each of which begins with
//! the question it answers.

use super::Fault;
use super::architecture::MAP;
use crate::tree::Tree;

const PATH: &[&str] = &[
    "crates/engine/src/op.rs",
    "crates/engine/src/ops/rms_norm.rs",
    "crates/engine/src/ops/linear.rs",
    "crates/engine/src/graph.rs",
    "crates/engine/src/schedule.rs",
    "crates/engine/src/plan.rs",
    "crates/model/src/decoder.rs",
];

/// Maximum total lines.
const LINES: usize = 1500;

/// Checks the files, and that ARCHITECTURE.md lists them in this order.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut lines = 0;
    let map = tree.get(MAP).unwrap_or_default();
    let mut before = 0;
    for path in PATH {
        let Some(text) = tree.get(path) else {
            faults.push(Fault::new(path, 0, "a file of the reading path is missing"));
            continue;
        };
        lines += text.lines().count();
        if !asks(text) {
            let message =
                "begin the first paragraph of `//!` with the question that the file answers";
            faults.push(Fault::new(path, 1, message));
        }
        match map[before..].find(path) {
            Some(at) => before += at,
            None => {
                let message = format!("{path} is missing from the reading path, or out of order");
                faults.push(Fault::new(MAP, 0, message));
            }
        }
    }
    if lines > LINES {
        let message =
            format!("the reading path has {lines} lines, the limit is {LINES}: simplify it");
        faults.push(Fault::new(MAP, 0, message));
    }
    faults
}

/// Whether the first paragraph of the file's documentation contains a question mark.
fn asks(text: &str) -> bool {
    let paragraph = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .take_while(|line| !line.trim().is_empty());
    paragraph.into_iter().any(|line| line.contains('?'))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    fn tree_of(text: &str, map: &str) -> Tree {
        let mut files: Vec<(&str, &str)> = PATH.iter().map(|p| (*p, "//! Why?\n")).collect();
        files[2].1 = text;
        files.push((MAP, map));
        Tree::of(&files)
    }

    #[test]
    fn the_path_is_short_asks_and_is_listed() {
        let map = PATH.join("\n");
        assert!(check(&tree_of("//! So:\n//! why?\n", &map)).is_empty());
        let silent = check(&tree_of("//! So.\n//!\n//! Why?\n", &map));
        assert_eq!(places(&silent), ["crates/engine/src/ops/linear.rs:1"]);
        let long = format!("//! Why?\n{}", "x\n".repeat(LINES));
        assert_eq!(places(&check(&tree_of(&long, &map))), ["ARCHITECTURE.md:0"]);
        let exchanged = map.replace(PATH[1], PATH[6]);
        assert!(!check(&tree_of("//! Why?\n", &exchanged)).is_empty());
        assert_eq!(check(&Tree::of(&[(MAP, &map)])).len(), PATH.len());
    }
}
