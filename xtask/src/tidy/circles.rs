//! Checks that the files of a crate don't use each other in a cycle, so that each can be understood
//! from those below it.

use super::Fault;
use crate::imports::{Uses, uses};
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Finds cycles in every crate.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let crates = tree.crates().into_iter();
    let folders = crates.map(|name| format!("crates/{name}/src/"));
    let folders = folders.chain(["xtask/src/".to_owned()]);
    let all: Uses = folders.flat_map(|folder| uses(tree, &folder)).collect();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (from, to, line) in edges(&all) {
        let Some(back) = path(&all, to, from) else {
            continue;
        };
        let members: BTreeSet<&str> = back.iter().copied().collect();
        if seen.insert(members) {
            let circle = [&[from], &back[..]].concat().join(" → ");
            let message = format!(
                "these files use each other in a cycle: {circle}. Move the shared code to a file that both can use"
            );
            faults.push(Fault::new(from, line, message));
        }
    }
    faults
}

fn edges(uses: &Uses) -> impl Iterator<Item = (&str, &str, usize)> {
    let each = uses.iter();
    each.flat_map(|(from, to)| {
        to.iter()
            .map(move |(to, line)| (from.as_str(), to.as_str(), *line))
    })
}

/// The shortest path from one file to another, including both.
fn path<'a>(uses: &'a Uses, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(here) = next.pop_front() {
        if here == to {
            let mut way = vec![here];
            while let Some(&file) = way.last().and_then(|file| before.get(file)) {
                way.push(file);
            }
            way.reverse();
            return Some(way);
        }
        for file in uses.get(here).into_iter().flat_map(BTreeMap::keys) {
            if file != from && !before.contains_key(file.as_str()) {
                before.insert(file, here);
                next.push_back(file);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const A: &str = "crates/x/src/a.rs";
    const B: &str = "crates/x/src/b.rs";
    const C: &str = "crates/x/src/b/c.rs";

    fn tree(c: &str) -> Tree {
        Tree::of(&[
            ("crates/x/Cargo.toml", ""),
            ("crates/x/src/lib.rs", "mod a;\nmod b;"),
            (A, "\nuse crate::b::c::C;"),
            (B, "mod c;\nuse self::c::C;"),
            (C, c),
        ])
    }

    #[test]
    fn a_circle_is_found_and_printed() {
        assert!(check(&tree("use super::B;")).is_empty());
        let faults = check(&tree("fn f() { crate::a::f() }"));
        assert_eq!(places(&faults), ["crates/x/src/a.rs:2"]);
        assert!(faults[0].message.contains(&format!("{A} → {C} → {A}")));
    }
}
