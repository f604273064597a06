//! Structural checks: each takes the project's files and returns the faults it finds.

mod architecture;
mod circles;
mod floors;
mod names;
mod reading;
mod readme;
mod size;
mod types;
mod words;

use crate::tree::Tree;
use std::fmt;
use std::path::Path;

/// A violation of a check.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// File, from the workspace's folder.
    path: String,
    /// Line, counted from 1; 0 for the whole file.
    line: usize,
    /// What is wrong and what to do.
    message: String,
    /// Whether it is only reported and doesn't fail the check.
    warning: bool,
}

impl Fault {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Fault {
        Fault {
            path: path.into(),
            line,
            message: message.into(),
            warning: false,
        }
    }

    fn warning(self) -> Fault {
        Fault {
            warning: true,
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        match self.line {
            0 => write!(f, "{}: {kind}{}", self.path, self.message),
            line => write!(f, "{}:{line}: {kind}{}", self.path, self.message),
        }
    }
}

type Check = fn(&Tree) -> Vec<Fault>;

const CHECKS: &[Check] = &[
    architecture::check,
    circles::check,
    floors::check,
    names::check,
    size::check,
    size::columns,
    types::check,
    words::unsafe_code,
    words::unfinished,
    words::local_paths,
    words::spelling,
    reading::check,
    readme::check,
];

/// Runs every check and prints what it finds.
pub fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let faults: Vec<Fault> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    for fault in &faults {
        println!("{fault}");
    }
    match faults.iter().filter(|f| !f.warning).count() {
        0 => {
            println!("tidy: no faults");
            Ok(())
        }
        count => Err(format!("tidy: faults: {count}")),
    }
}

/// The faults' locations as `path:line`, for tests.
#[cfg(test)]
fn places(faults: &[Fault]) -> Vec<String> {
    let each = faults.iter().map(|f| format!("{}:{}", f.path, f.line));
    each.collect()
}
