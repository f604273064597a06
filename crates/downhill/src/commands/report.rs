//! `downhill report`: a run as one HTML file, or its charts as SVG files.

use crate::arguments::Report;
use crate::failure::{Failure, Result};
use crate::output::out;
use crate::session::open;
use run::{
    Connectivity, Disk, Files, Kind, LandscapeFile, Originality, marked, read_events, write_output,
};
use std::io::Write;
use watch::{Findings, landscape, pictures, report};

pub fn run(a: &Report) -> Result<()> {
    let folder = open(a.run.as_deref())?;
    if !folder.events_path().exists() {
        let run = folder.path().display();
        return Err(Failure::Failed(format!(
            "{run} has no events yet, so there is nothing to report. To train it: downhill train \
             --resume {run}"
        )));
    }
    let events = read_events(&folder.events_path())?;
    let land = match folder.config()?.kind {
        Kind::Language => LandscapeFile::of_run(&folder)?.map(|file| file.landscape),
        _ => None,
    };
    let mut out = out();
    if let Some(to) = &a.svg {
        let chosen = |error: run::Error| error.chosen_with("--svg");
        Disk.create_folder(to).map_err(chosen)?;
        let drawn = land
            .as_ref()
            .map(|land| ("landscape".into(), landscape(land)));
        for (name, svg) in pictures(&events).into_iter().chain(drawn) {
            let path = to.join(format!("{name}.svg"));
            write_output(&path, &svg, a.overwrite).map_err(chosen)?;
            writeln!(out, "{}", path.display())?;
        }
    }
    if a.svg.is_none() || a.output.is_some() {
        let name = folder.path().display().to_string();
        let originality = Originality::of_run(&folder)?;
        let crowd = Connectivity::of_run(&folder)?;
        let config = folder.read_config()?;
        let found = Findings {
            originality: originality.as_ref(),
            landscape: land.as_ref(),
            crowd: crowd.as_ref(),
        };
        let html = report(&name, &events, &config, &found);
        let path = a.output.clone().unwrap_or_else(|| "report.html".into());
        if path.as_os_str() == "-" {
            out.write_all(marked(&html).as_bytes())?;
        } else {
            let written = write_output(&path, &html, a.overwrite);
            written.map_err(|error| error.chosen_with("-o"))?;
            writeln!(out, "{}", path.display())?;
        }
    }
    Ok(())
}
