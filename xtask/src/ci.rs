//! The CI steps, in order: a local run and CI fail on the same faults.

use crate::{inlined, tidy};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Name, program and arguments of a step.
type Step<'a> = (&'a str, &'a str, &'a [&'a str]);

const FORMAT: Step = ("rustfmt", "cargo", &["fmt", "--all", "--check"]);
const CLIPPY: Step = (
    "clippy",
    "cargo",
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
);
const DENY: Step = (
    "cargo deny",
    "cargo",
    &["deny", "check", "bans", "licenses", "sources"],
);
const PAGE: Step = ("page checks", "scripts/check_page.sh", &[]);
const TEST: Step = ("tests", "cargo", &["test", "--workspace"]);
const RELEASE: Step = ("release build", "cargo", &["build", "--release"]);
const HUGGING_FACE: Step = ("Hugging Face check", "scripts/check_hugging_face.sh", &[]);
const LLAMA_CPP: Step = ("llama.cpp check", "scripts/check_llama_cpp.sh", &[]);
const API: Step = ("API check", "scripts/check_api.sh", &[]);
const TENSORBOARD: Step = ("TensorBoard check", "scripts/check_tensorboard.sh", &[]);

const TERMINAL: Step = ("terminal screen", "scripts/drive_terminal.sh", &[]);

/// Runs the arena and the team under Miri, which finds undefined behavior and data races. It uses
/// the portable kernels, since Miri doesn't support AVX-512.
const MIRI: Step = (
    "miri",
    "cargo",
    &[
        "+nightly",
        "miri",
        "test",
        "--package",
        "downhill-engine",
        "--lib",
        "cpu::team",
    ],
);

/// Runs every step and prints its time.
pub fn run(root: &Path) -> Result<(), String> {
    let start = Instant::now();
    step(root, FORMAT)?;
    step(root, CLIPPY)?;
    timed("tidy", || tidy::run(root))?;
    let deny = "cargo install cargo-deny --locked";
    if_there(root, DENY, ("cargo", &["deny", "--version"]), deny)?;
    if_there(root, PAGE, ("npm", &["--version"]), "install Node.js")?;
    step(root, TEST)?;
    step(root, RELEASE)?;
    timed("vector code", || {
        if !inlined::run(root)? {
            println!("── vector code: skipped: can't list symbols (install binutils)");
        }
        Ok(())
    })?;
    step(root, HUGGING_FACE)?;
    step(root, LLAMA_CPP)?;
    step(root, API)?;
    step(root, TENSORBOARD)?;
    step(root, TERMINAL)?;
    let miri = "rustup component add --toolchain nightly miri rust-src";
    let asked: &[&str] = &["+nightly", "miri", "--version"];
    if_there(root, MIRI, ("cargo", asked), miri)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("── all CI steps passed in {seconds:.1} s");
    Ok(())
}

/// Runs a step if its tool is installed; otherwise prints how to install the tool.
fn if_there(root: &Path, s: Step, asked: (&str, &[&str]), how: &str) -> Result<(), String> {
    if has(root, asked.0, asked.1) {
        return step(root, s);
    }
    println!("── {}: skipped: tool not installed ({how})", s.0);
    Ok(())
}

/// Runs a program in the workspace's folder; its output is passed through.
fn step(root: &Path, (name, program, arguments): Step) -> Result<(), String> {
    timed(name, || {
        let status = Command::new(path(root, program))
            .args(arguments)
            .current_dir(root)
            .status()
            .map_err(|error| format!("can't start {program}: {error}"))?;
        match status.success() {
            true => Ok(()),
            false => Err(format!(
                "{program} {} ended with {status}",
                arguments.join(" ")
            )),
        }
    })
}

fn timed(name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("── {name}");
    let start = Instant::now();
    let done = work();
    let seconds = start.elapsed().as_secs_f64();
    match done {
        Ok(()) => {
            println!("── {name}: passed in {seconds:.1} s");
            Ok(())
        }
        Err(why) => Err(format!("{why}\n── {name}: FAILED after {seconds:.1} s")),
    }
}

/// Path of a project script; other programs are found by name.
fn path(root: &Path, program: &str) -> std::path::PathBuf {
    if program.contains('/') {
        root.join(program)
    } else {
        program.into()
    }
}

/// Whether a program can be run.
fn has(root: &Path, program: &str, arguments: &[&str]) -> bool {
    let asked = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_says_its_name() {
        let root = Path::new(".");
        assert!(step(root, ("rust", "rustc", &["--version"])).is_ok());
        let failed = step(root, ("planted", "rustc", &["--no-such-flag"]));
        assert!(failed.unwrap_err().contains("planted: FAILED"));
    }
}
