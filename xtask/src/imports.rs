//! Finds which files of a crate use each other: follows paths that begin with `crate`, `self` or
//! `super` through re-exports to the file that declares the item.
//!
//! Limits: it doesn't see names from a macro or a glob; a path through an imported module counts as
//! a use of that module (`use crate::a;`, then `a::b::c()` is a use of `a`).

use crate::rust::{Token, code, is_name, is_test_file, tokens};
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// For each file, the files that it uses, with the line of the first use.
pub type Uses = BTreeMap<String, BTreeMap<String, usize>>;

/// A module's path inside its crate, such as `["tokenizer", "bpe"]`; empty for the crate's root.
type Path = Vec<String>;

/// A path in the code with its line.
struct Mention {
    line: usize,
    /// The enclosing module, which `self` and `super` refer to.
    at: Path,
    path: Path,
}

#[derive(Default)]
struct Crate {
    /// Each module's file, including inline modules.
    modules: BTreeMap<Path, String>,
    /// Imports of each module: the local name and the path it refers to.
    imports: BTreeMap<(Path, String), Path>,
}

/// The uses among the files below `folder`, a crate's `src/`. A module's use of its own children
/// isn't counted: declaring them is using them.
pub fn uses(tree: &Tree, folder: &str) -> Uses {
    let mut found = Crate::default();
    let mut mentions = Vec::new();
    for (path, source) in tree
        .rust_files(folder)
        .filter(|(path, _)| !is_test_file(path))
    {
        let code = code(source);
        let mut file = File {
            tokens: tokens(&code),
            at: 0,
        };
        mentions.extend(file.read(path, module(&path[folder.len()..]), &mut found));
    }
    let mut uses = Uses::new();
    for mention in mentions {
        let (Some(from), Some(to)) = (found.modules.get(&mention.at), found.file(&mention)) else {
            continue;
        };
        let child = to.starts_with(&format!("{}/", from.trim_end_matches(".rs")));
        if from != to && !child && !is_root(from) {
            let lines = uses.entry(from.clone()).or_default();
            let line = lines.entry(to.clone()).or_insert(mention.line);
            *line = mention.line.min(*line);
        }
    }
    uses
}

fn is_root(file: &str) -> bool {
    file.ends_with("src/lib.rs") || file.ends_with("src/main.rs")
}

/// A file's module: `a/b.rs` → a::b, `lib.rs` → the root.
fn module(file: &str) -> Path {
    let name = file.trim_end_matches(".rs");
    match name {
        "lib" | "main" => Path::new(),
        _ => name.split('/').map(str::to_owned).collect(),
    }
}

impl Crate {
    /// The file that declares the item at a path; none if the path leaves the crate.
    fn file(&self, mention: &Mention) -> Option<&String> {
        self.follow(&mention.at, &mention.path, &mut BTreeSet::new())
    }

    /// Follows a path from a module. `seen` holds the imports followed so far, so that a cycle of
    /// imports ends.
    fn follow(
        &self,
        at: &Path,
        path: &[String],
        seen: &mut BTreeSet<(Path, String)>,
    ) -> Option<&String> {
        let (first, mut rest) = path.split_first()?;
        let mut here = at.clone();
        match first.as_str() {
            "crate" => here.clear(),
            "self" => {}
            "super" => drop(here.pop()),
            // A plain name: a child of the module, or another crate.
            _ => rest = path,
        }
        while let Some((name, tail)) = rest.split_first() {
            if name == "super" {
                here.pop();
                rest = tail;
                continue;
            }
            let mut child = here.clone();
            child.push(name.clone());
            if self.modules.contains_key(&child) {
                (here, rest) = (child, tail);
                continue;
            }
            let key = (here.clone(), name.clone());
            if let Some(source) = self.imports.get(&key)
                && seen.insert(key)
            {
                let whole: Path = source.iter().chain(tail).cloned().collect();
                return self.follow(&here, &whole, seen);
            }
            let own = rest.len() < path.len();
            return self.modules.get(&here).filter(|_| own);
        }
        self.modules.get(&here)
    }
}

/// A file's tokens and the current position.
struct File<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl File<'_> {
    /// Records the file's modules and imports; returns every path that may lead to another file.
    fn read(&mut self, file: &str, module: Path, found: &mut Crate) -> Vec<Mention> {
        let mut mentions = Vec::new();
        found.modules.insert(module.clone(), file.to_owned());
        // The modules around the current token, each with the brace depth where it began.
        let mut modules = vec![(module, 0)];
        let mut depth = 0;
        while let Some(&token) = self.tokens.get(self.at) {
            let inside = modules.last().map(|(path, _)| path.clone());
            let here = inside.unwrap_or_default();
            match token.text {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    modules.retain(|(_, began)| *began <= depth);
                }
                "mod" if self.text(2) == "{" => {
                    let mut path = here;
                    path.push(self.text(1).to_owned());
                    found.modules.insert(path.clone(), file.to_owned());
                    modules.push((path, depth + 1));
                }
                "use" => {
                    self.at += 1;
                    for (name, path) in self.use_tree(&Path::new()) {
                        found.imports.insert((here.clone(), name), path.clone());
                        mentions.push(Mention {
                            line: token.line,
                            at: here.clone(),
                            path,
                        });
                    }
                }
                "crate" | "self" | "super" if self.text(1) == "::" && !self.is_visibility() => {
                    let path = self.path();
                    mentions.push(Mention {
                        line: token.line,
                        at: here,
                        path,
                    });
                }
                _ => {}
            }
            self.at += 1;
        }
        mentions
    }

    /// The token `ahead` positions further.
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |t| t.text)
    }

    /// Whether the current path belongs to `pub(in …)`.
    fn is_visibility(&self) -> bool {
        let from = self.at.saturating_sub(3);
        let before = self.tokens[from..self.at].iter().map(|t| t.text);
        before.eq(["pub", "(", "in"])
    }

    /// Reads the names of a path.
    fn path(&mut self) -> Path {
        let mut path = vec![self.text(0).to_owned()];
        while self.text(1) == "::" && is_name(self.text(2)) {
            path.push(self.text(2).to_owned());
            self.at += 2;
        }
        path
    }

    /// Reads a `use` tree such as `a::{b, c as d, e::*}`; returns each name with its full path.
    fn use_tree(&mut self, before: &Path) -> Vec<(String, Path)> {
        let mut path = before.clone();
        loop {
            match self.text(0) {
                "{" => {
                    let mut all = Vec::new();
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        all.extend(self.use_tree(&path));
                        if self.text(0) != "}" {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return all;
                }
                "::" => self.at += 1,
                "as" => {
                    let name = self.text(1).to_owned();
                    self.at += 2;
                    return vec![(name, path)];
                }
                "*" => self.at += 1,
                "self" if !path.is_empty() => self.at += 1,
                name if is_name(name) => {
                    path.push(name.to_owned());
                    self.at += 1;
                }
                _ => {
                    let name = path.last().cloned().unwrap_or_default();
                    return vec![(name, path)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<String> {
        let each = uses(&Tree::of(files), "crates/a/src/").into_iter();
        let short = |path: &str| {
            path["crates/a/src/".len()..]
                .trim_end_matches(".rs")
                .to_owned()
        };
        each.flat_map(|(from, to)| {
            let to = to.into_iter();
            to.map(move |(to, line)| format!("{} {} {line}", short(&from), short(&to)))
        })
        .collect()
    }

    #[test]
    fn paths_lead_to_the_file_that_declares() {
        let root = (
            "crates/a/src/lib.rs",
            "mod b;\nmod c;\npub use c::{C, d::D as E};\npub struct Own;",
        );
        let c = ("crates/a/src/c.rs", "mod d;\nuse d::D;\npub struct C;");
        let d = ("crates/a/src/c/d.rs", "pub struct D;");
        let with = |b| of(&[root, ("crates/a/src/b.rs", b), c, d]);
        assert_eq!(with("// crate::C\nuse crate::C;"), ["b c 2"]);
        assert_eq!(with("use crate::{E};"), ["b c/d 1"]);
        assert_eq!(with("fn f() {\ncrate::c::D::new() }"), ["b c/d 2"]);
        assert_eq!(with("use super::c::{self, C as X};"), ["b c 1"]);
        assert_eq!(with("use crate::Own;\nuse std::c::D;"), ["b lib 1"]);
        assert_eq!(
            with("mod i { use super::super::C; mod k {} use super::X; }"),
            ["b c 1"]
        );
        assert_eq!(with("#[cfg(test)]\nmod tests { use crate::C; }"), [""; 0]);
    }

    #[test]
    fn a_child_uses_its_parent_and_not_the_other_way_round() {
        let parent = (
            "crates/a/src/c.rs",
            "mod d;\nuse self::d::D;\npub struct C;",
        );
        let child = ("crates/a/src/c/d.rs", "use super::C;");
        assert_eq!(of(&[parent, child]), ["c/d c 1"]);
    }

    #[test]
    fn imports_that_name_each_other_end() {
        let root = ("crates/a/src/lib.rs", "mod b;\nmod c;");
        let b = ("crates/a/src/b.rs", "pub use crate::c::X;");
        let c = ("crates/a/src/c.rs", "pub use crate::b::X;");
        assert_eq!(of(&[root, b, c]), ["b c 1", "c b 1"]);
    }
}
