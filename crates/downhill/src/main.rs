//! Pretrain a language model from scratch on the machine at hand, and watch it learn.
//!
//! The command line. Begin with `arguments` (what can be asked) and `commands` (one file for each
//! subcommand). What always holds: a command reads its arguments, calls the crates below and prints
//! what they return; release builds don't optimize this crate, so no work belongs here. Mistakes
//! of usage end with exit code 2, failures with 1 (`failure`).
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod failure;
mod output;
mod progress;
mod session;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    output::catch_signals();
    match arguments::parse() {
        Ok(command) => failure::exit(commands::run(command)),
        Err(code) => code,
    }
}
