//! `downhill report`: a run as one file, or as single pictures.

use crate::arguments::Report;
use crate::failure::Result;
use crate::output::out;
use crate::session::open;
use run::{Disk, Files, read_events, write_atomic};
use std::io::Write;
use watch::{pictures, report};

pub fn run(a: &Report) -> Result<()> {
    let folder = open(a.run.as_deref())?;
    let events = read_events(&folder.events_path())?;
    let mut out = out();
    if let Some(to) = &a.svg {
        Disk.create_folder(to)?;
        for (name, svg) in pictures(&events) {
            let path = to.join(format!("{name}.svg"));
            write_atomic(&Disk, &path, svg.as_bytes())?;
            writeln!(out, "{}", path.display())?;
        }
    }
    if a.svg.is_none() || a.output.is_some() {
        let name = folder.path().display().to_string();
        let html = report(&name, &events, &folder.read_config()?);
        let path = a.output.clone().unwrap_or_else(|| "report.html".into());
        write_atomic(&Disk, &path, html.as_bytes())?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}
