//! Arguments of the commands that look after runs and after the program itself.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// `list`
#[derive(Debug, Args)]
pub struct List {
    /// The folder of runs [default: runs]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `rm`
#[derive(Debug, Args)]
pub struct Remove {
    /// Runs, and folders of races
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
}

/// `completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them to, a page for each command
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}
