//! Pretrain a language model from scratch on the machine at hand, and watch it learn.
//!
//! The command line. Start with `arguments` (every command and flag) and `commands` (one file per
//! subcommand). A command reads its arguments, calls the crates below and prints what they return.
//! Release builds don't optimize this crate, so no work belongs here. Usage errors exit with code
//! 2, failures with 1 (`failure`).
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod failure;
mod output;
mod progress;
mod sampling;
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
