//! Pretrain a language model from scratch on the machine at hand, and watch it learn.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod failure;
mod progress;
mod session;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    match arguments::parse() {
        Ok(command) => failure::exit(commands::run(command)),
        Err(code) => code,
    }
}
