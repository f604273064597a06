//! Small enough to be read: a budget of lines for each crate, and a bound for each file. Unit tests
//! are not counted.

use super::Fault;
use super::architecture::{MAP, entries};
use crate::rust::{is_test_file, lines_without_tests};
use crate::tree::Tree;

/// A file longer than this is said to be long.
const LONG: usize = 500;

/// A file longer than this is a fault.
const TOO_LONG: usize = 600;

/// Checks crates against the table in ARCHITECTURE.md, and every file.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for row in entries(tree) {
        let folder = match row.name {
            "xtask" => "xtask/src/".to_owned(),
            name => format!("crates/{name}/src/"),
        };
        let files = tree
            .rust_files(&folder)
            .filter(|(path, _)| !is_test_file(path));
        let lines: usize = files.map(|(_, text)| lines_without_tests(text)).sum();
        if lines > row.budget {
            let message = format!(
                "{} has {lines} lines, its budget is {}: simplify it, or raise the budget here and \
                 give the reason in CHANGELOG.md",
                row.name, row.budget
            );
            faults.push(Fault::new(MAP, row.line, message));
        }
    }
    let sources = tree.rust_files("").filter(|(path, _)| !is_test_file(path));
    for (path, text) in sources {
        let lines = lines_without_tests(text);
        let fault = |bound| {
            Fault::new(
                path,
                bound,
                format!("{lines} lines: split the file by subject"),
            )
        };
        if lines > TOO_LONG {
            faults.push(fault(TOO_LONG));
        } else if lines > LONG {
            faults.push(fault(LONG).warning());
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn a_crate_keeps_to_its_budget() {
        let source = (
            "crates/run/src/lib.rs",
            "a\nb\nc\n#[cfg(test)]\nmod tests {\n}\n",
        );
        let tests = ("crates/run/src/log/tests.rs", "a\nb\nc\nd\n");
        let with = |map| places(&check(&Tree::of(&[(MAP, map), source, tests])));
        assert!(with("\n| `run` | 0 | 3 | x |\n").is_empty());
        assert_eq!(with("\n| `run` | 0 | 2 | x |\n"), ["ARCHITECTURE.md:2"]);
    }

    #[test]
    fn a_long_file_is_told_and_a_very_long_one_refused() {
        let of = |lines: usize| {
            let text = "x\n".repeat(lines);
            let faults = check(&Tree::of(&[("crates/run/src/a.rs", &text)]));
            faults.iter().map(|f| f.warning).collect::<Vec<bool>>()
        };
        assert_eq!(
            (of(500), of(501), of(600), of(601)),
            (vec![], vec![true], vec![true], vec![false])
        );
    }
}
