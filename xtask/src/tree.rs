//! The project's files in memory, so that a test can plant a fault in a few lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Text files by path relative to the workspace's folder.
#[derive(Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the files that git tracks and the untracked ones that it doesn't ignore. Skips files
    /// that aren't text.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output()
            .map_err(|error| format!("can't start git: {error}"))?;
        if !listed.status.success() {
            let why = String::from_utf8_lossy(&listed.stderr);
            return Err(format!(
                "git can't list the project's files: {}",
                why.trim()
            ));
        }
        let mut tree = Tree::default();
        for name in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            // Git also lists deleted files until the deletion is committed; they can't be read.
            if let Ok(text) = std::fs::read_to_string(root.join(name)) {
                tree.files.insert(name.to_owned(), text);
            }
        }
        Ok(tree)
    }

    /// A tree of these files.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let owned = files
            .iter()
            .map(|(path, text)| ((*path).into(), (*text).into()));
        Tree {
            files: owned.collect(),
        }
    }

    /// A file's text.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Rust files below a folder, whose path ends with a slash.
    pub fn rust_files<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter()
            .filter(move |(path, _)| path.starts_with(folder) && path.ends_with(".rs"))
    }

    /// Names of the folders in `crates/`.
    pub fn crates(&self) -> Vec<&str> {
        let manifests = self.files.keys();
        let names =
            manifests.filter_map(|p| p.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"));
        names.filter(|name| !name.contains('/')).collect()
    }
}
