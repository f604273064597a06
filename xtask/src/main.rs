//! The project's own checks: `cargo run -p xtask -- tidy` checks structure, names, sizes and
//! documents; `cargo run -p xtask -- ci` runs all CI steps.
#![forbid(unsafe_code)]

mod ci;
mod functions;
mod imports;
mod inlined;
mod rust;
mod tidy;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
cargo run -p xtask -- tidy   checks structure, names, sizes and documents
cargo run -p xtask -- ci     runs all CI steps and stops at the first failure
cargo run --release -p xtask -- functions
                             compares exp, tanh, log and rsqrt with f64 on every f32 number";

fn main() -> ExitCode {
    let root = root();
    let command = std::env::args().nth(1);
    let done = match command.as_deref() {
        Some("tidy") => tidy::run(&root),
        Some("ci") => ci::run(&root),
        Some("functions") => functions::run(),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder: the parent of this crate's folder, which cargo reports.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let above = here.and_then(|xtask| xtask.parent().map(PathBuf::from));
    above.unwrap_or_else(|| PathBuf::from("."))
}
