//! `downhill landscape`: the cost surface of a fitted line, or of a language model on a plane, and
//! runs that descend it.

mod crowd;
mod language;

use super::watch::show;
use crate::arguments::Landscape as Arguments;
use crate::failure::{Failure, Result};
use crate::output::out;
use crate::session::{open_at, saving_flag, stop_flag};
use run::{Disk, Files, Kind, write_output};
use serve::Runs;
use std::io::Write;
use study::fit::Points;
use study::landscape::Landscape;

pub fn run(a: &Arguments) -> Result<()> {
    let stop = match a.plane.crowd {
        Some(_) => saving_flag(false)?,
        None => stop_flag()?,
    };
    let folder = open_at(&a.run)?;
    if folder.config()?.kind == Kind::Language {
        if let Some(count) = a.plane.crowd {
            crowd::run(a, count, &folder, &stop)?;
            return language::page(a, &folder, &stop);
        }
        return language::run(a, &folder, &stop);
    }
    if let Some(flag) = a.plane.given() {
        let run = a.run.display();
        return Err(Failure::Usage(format!(
            "{flag} is for runs of language models; {run} is a fit, whose whole surface is drawn"
        )));
    }
    let Some(to) = &a.svg else {
        Landscape::save(&folder)?;
        return show(
            Runs::These(vec![folder.path().to_path_buf()]),
            a.port,
            &stop,
        );
    };
    let land = Landscape::new(&Points::of_run(&folder)?)?;
    let chosen = |error: run::Error| error.chosen_with("--svg");
    Disk.create_folder(to).map_err(chosen)?;
    for descent in &land.descents {
        let plain = |c: char| match c.is_alphanumeric() {
            true => c.to_ascii_lowercase(),
            false => '-',
        };
        let name: String = descent.name.replace(", ", "-").chars().map(plain).collect();
        let path = to.join(format!("{name}.svg"));
        write_output(&path, &land.svg(descent), a.overwrite).map_err(chosen)?;
        writeln!(out(), "{}", path.display())?;
    }
    Ok(())
}
