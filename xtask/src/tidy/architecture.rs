//! Checks that the table of crates in ARCHITECTURE.md, which the other checks use, is complete.

use super::Fault;
use crate::tree::Tree;

/// The file with the table of crates.
pub const MAP: &str = "ARCHITECTURE.md";

/// Rows without a floor: the project's checks, and the live page that `serve` embeds.
const NO_FLOOR: [&str; 2] = ["xtask", "page"];

/// A row of the table `| crate | floor | lines | job |`.
pub struct Entry<'a> {
    /// The crate's folder in `crates/`; or `xtask` or `page`.
    pub name: &'a str,
    /// Its floor; none for `xtask` and `page`.
    pub floor: Option<usize>,
    /// Maximum lines in its `src`, or in the page's files.
    pub budget: usize,
    /// The row's line in ARCHITECTURE.md.
    pub line: usize,
}

/// The table's rows: a name in backticks, a floor or a dash, a number of lines, a job.
pub fn entries(tree: &Tree) -> Vec<Entry<'_>> {
    let text = tree.get(MAP).unwrap_or_default();
    let rows = text.lines().enumerate().filter_map(|(at, line)| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, floor, lines, _, _] = cells[..] else {
            return None;
        };
        Some(Entry {
            name: name.strip_prefix('`')?.strip_suffix('`')?,
            floor: floor.parse().ok(),
            budget: lines.replace(',', "").parse().ok()?,
            line: at + 1,
        })
    });
    rows.collect()
}

/// Checks that every crate has a row and every row a crate.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let rows = entries(tree);
    let mut crates = tree.crates();
    crates.extend(NO_FLOOR);
    let without_row = crates
        .iter()
        .filter(|name| !rows.iter().any(|r| r.name == **name));
    let mut faults: Vec<Fault> = without_row
        .map(|name| {
            let message = format!(
                "crate {name} has no row in the table: add | `{name}` | floor | lines | job |"
            );
            Fault::new(MAP, 0, message)
        })
        .collect();
    for row in &rows {
        if !crates.contains(&row.name) {
            let message = format!("there is no crate {}: remove the row", row.name);
            faults.push(Fault::new(MAP, row.line, message));
        } else if row.floor.is_none() && !NO_FLOOR.contains(&row.name) {
            faults.push(Fault::new(MAP, row.line, "the floor must be a number"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn every_crate_stands_in_the_map() {
        let map = "| crate | floor | lines | job |\n|---|---|---|---|\n| `run` | 0 | 2,500 | x |\n\
                   | `xtask` | – | 9 | x |\n| `page` | – | 9 | x |\n";
        let files = [(MAP, map), ("crates/run/Cargo.toml", "")];
        assert!(check(&Tree::of(&files)).is_empty());
        assert_eq!(entries(&Tree::of(&files))[0].budget, 2500);
        let unknown = [files[0], ("crates/watch/Cargo.toml", "")];
        let expected = ["ARCHITECTURE.md:0", "ARCHITECTURE.md:3"];
        assert_eq!(places(&check(&Tree::of(&unknown))), expected);
    }
}
