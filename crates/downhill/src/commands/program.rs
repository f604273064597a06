//! `downhill completions` and `downhill man`: what shells and `man` want to know of the program.

use crate::arguments::{Completions, Man, command};
use crate::failure::{Failure, Result};
use crate::output::out;
use run::{Disk, Files};
use std::io::Write;

pub fn completions(a: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(a.shell, &mut command(), "downhill", &mut script);
    Ok(out().write_all(&script)?)
}

pub fn man(a: &Man) -> Result<()> {
    Disk.create_folder(&a.folder)?;
    let written = clap_mangen::generate_to(command(), &a.folder);
    written.map_err(|e| Failure::Failed(format!("{} can't be written to: {e}", a.folder.display())))
}
