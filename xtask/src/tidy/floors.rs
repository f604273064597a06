//! Checks that a crate uses only crates on lower floors, so that it can be read without those
//! above.

use super::Fault;
use super::architecture::entries;
use crate::tree::Tree;

/// Crates that may use less than their floor allows: `watch` only reads run folders.
const ONLY: &[(&str, &[&str])] = &[("watch", &["run"])];

/// Checks each crate's manifest. Dev-dependencies count too: a crate that needs an upper floor for
/// its tests can't be understood without it.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let rows = entries(tree);
    let floor = |name: &str| rows.iter().find(|r| r.name == name).and_then(|r| r.floor);
    let known = tree.crates();
    let mut faults = Vec::new();
    for &name in &known {
        let path = format!("crates/{name}/Cargo.toml");
        let manifest = tree.get(&path).unwrap_or_default();
        for (line, used) in dependencies(manifest, &known) {
            let only = ONLY.iter().find(|(who, _)| *who == name);
            if let Some((_, allowed)) = only.filter(|(_, allowed)| !allowed.contains(&used)) {
                let message = format!("{name} may use only {}, not {used}", allowed.join(", "));
                faults.push(Fault::new(&path, line, message));
            } else if let (Some(mine), Some(theirs)) = (floor(name), floor(used))
                && theirs >= mine
            {
                let message = format!(
                    "{name} is on floor {mine} and may not use {used} on floor {theirs}: \
                     move the code it needs to a lower floor"
                );
                faults.push(Fault::new(&path, line, message));
            }
        }
    }
    faults
}

/// Crates of this workspace that a manifest names, with their lines: `engine.workspace = true`,
/// `engine = { path = "../engine" }`, `downhill-engine = …` or `[dependencies.engine]`.
fn dependencies<'a>(manifest: &str, known: &[&'a str]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in manifest.lines().map(str::trim).enumerate() {
        let key = if line.starts_with('[') {
            let header = line.trim_matches(['[', ']']);
            inside = header.ends_with("dependencies");
            let one = header.rsplit_once('.');
            one.filter(|(table, _)| table.ends_with("dependencies"))
                .map(|(_, key)| key)
        } else {
            let key = line.split(['.', '=', ' ']).next();
            key.filter(|_| inside)
        };
        let Some(key) = key.map(|key| key.trim_matches('"')) else {
            continue;
        };
        let path = line.split("path = \"").nth(1);
        let folder = path.and_then(|rest| rest.split('"').next()?.rsplit('/').next());
        let name = folder.unwrap_or(key.strip_prefix("downhill-").unwrap_or(key));
        found.extend(known.iter().find(|k| **k == name).map(|k| (at + 1, *k)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const MAP: (&str, &str) = (
        "ARCHITECTURE.md",
        "| `engine` | 0 | 1 | x |\n| `run` | 0 | 1 | x |\n| `watch` | 1 | 1 | x |\n| `train` | 2 | 1 | x |\n",
    );

    fn faults(train: &str, run: &str, watch: &str) -> Vec<String> {
        let tree = Tree::of(&[
            MAP,
            ("crates/engine/Cargo.toml", ""),
            ("crates/train/Cargo.toml", train),
            ("crates/run/Cargo.toml", run),
            ("crates/watch/Cargo.toml", watch),
        ]);
        places(&check(&tree))
    }

    #[test]
    fn lower_floors_may_be_used() {
        let train =
            "[package]\nname = \"watch\"\n[dependencies]\nengine.workspace = true\nserde = \"1\"\n";
        assert!(faults(train, "", "[dependencies]\nrun.workspace = true\n").is_empty());
    }

    #[test]
    fn upper_floors_may_not() {
        let forms = [
            "[dependencies]\ntrain.workspace = true\n",
            "[dev-dependencies]\nother = { path = \"../train\" }\n",
            "[dependencies]\ndownhill-train = \"1\"\n",
            "[package]\n[dependencies.train]\n",
            "[dependencies]\nengine.workspace = true\n",
        ];
        for run in forms {
            assert_eq!(faults("", run, ""), ["crates/run/Cargo.toml:2"], "{run}");
        }
    }

    #[test]
    fn watch_uses_run_alone() {
        let watch = "[dependencies]\nengine.workspace = true\n";
        assert_eq!(faults("", "", watch), ["crates/watch/Cargo.toml:2"]);
    }
}
