//! Checks sizes: a line budget for each crate and for the page, a line limit for each file, and a
//! width limit for comments and for the page. Unit tests don't count.

use super::Fault;
use super::architecture::{MAP, entries};
use crate::rust::{is_test_file, lines_without_tests};
use crate::tree::Tree;
use unicode_width::UnicodeWidthStr;

/// A longer file gets a warning.
const LONG: usize = 500;

/// A longer file is a fault.
const TOO_LONG: usize = 600;

/// Maximum width of comments and of the page's lines; rustfmt limits the rest of the code.
const COLUMNS: usize = 100;

/// The page's files: scripts, style and markup.
const PAGE: &str = "crates/serve/page/";

/// Checks the line counts of crates, of the page and of each file.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for row in entries(tree) {
        let lines: usize = match row.name {
            "page" => page(tree).map(|(_, text)| text.lines().count()).sum(),
            "xtask" => source_lines(tree, "xtask/src/"),
            name => source_lines(tree, &format!("crates/{name}/src/")),
        };
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

/// Lines of the Rust files below a folder, without tests.
fn source_lines(tree: &Tree, folder: &str) -> usize {
    let files = tree
        .rust_files(folder)
        .filter(|(path, _)| !is_test_file(path));
    files.map(|(_, text)| lines_without_tests(text)).sum()
}

fn page(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.iter().filter(|(path, _)| path.starts_with(PAGE))
}

/// Checks that comments and the page's lines are at most [`COLUMNS`] wide.
pub fn columns(tree: &Tree) -> Vec<Fault> {
    let comments = tree.rust_files("").flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        let comments = lines.filter(|(_, line)| line.trim_start().starts_with("//"));
        comments.map(move |(at, line)| (path, at, line))
    });
    let page = page(tree).flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        lines.map(move |(at, line)| (path, at, line))
    });
    let wide = comments
        .chain(page)
        .filter(|(_, _, line)| line.width() > COLUMNS);
    let fault = |(path, at, line): (&str, usize, &str)| {
        let message = format!("{} columns: wrap the line at {COLUMNS}", line.width());
        Fault::new(path, at + 1, message)
    };
    wide.map(fault).collect()
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

    #[test]
    fn the_page_has_a_budget_and_narrow_lines() {
        let page = |line: &str| format!("const a = 1;\n{line}\n");
        let with = |line: &str, budget: &str| {
            let map = format!("| `page` | – | {budget} | x |");
            let text = page(line);
            let tree = Tree::of(&[(MAP, &map), ("crates/serve/page/a.js", &text)]);
            let faults = check(&tree).into_iter().chain(columns(&tree));
            places(&faults.collect::<Vec<_>>())
        };
        assert!(with(&"x".repeat(100), "2").is_empty());
        assert_eq!(with("", "1"), ["ARCHITECTURE.md:1"]);
        assert_eq!(with(&"x".repeat(101), "2"), ["crates/serve/page/a.js:2"]);
        assert_eq!(with(&"山".repeat(51), "2"), ["crates/serve/page/a.js:2"]);
    }

    #[test]
    fn comments_are_narrow() {
        let text = format!("let s = \"{0}\";\n    /// {0}\n", "x".repeat(99));
        let tree = Tree::of(&[("crates/run/src/a.rs", &text)]);
        assert_eq!(places(&columns(&tree)), ["crates/run/src/a.rs:2"]);
    }
}
