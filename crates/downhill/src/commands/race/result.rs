//! The result of a race: a table with what can be concluded, or JSON.

use super::entries::Entries;
use crate::failure::Result;
use crate::output::{self, out};
use serde_json::json;
use std::io::Write;
use study::race::Standing;
use watch::{count, duration};

/// Prints the result.
pub fn print(entries: &Entries, as_json: bool) -> Result<()> {
    let recipes = &entries.folder.recipes;
    let standings = recipes.iter().enumerate().map(|(at, recipe)| Standing {
        name: recipe.name.clone(),
        ends: entries
            .ends
            .iter()
            .skip(at)
            .step_by(recipes.len())
            .cloned()
            .collect(),
    });
    let mut standings: Vec<Standing> = standings.collect();
    Standing::sort(&mut standings);
    if as_json {
        return as_lines(entries, &standings);
    }
    table(&standings)?;
    conclusions(&standings)?;
    let folder = entries.folder.path.display();
    writeln!(out(), "\nnext\n  downhill watch {folder}")?;
    Ok(())
}

fn as_lines(entries: &Entries, standings: &[Standing]) -> Result<()> {
    for standing in standings {
        let recipes = entries.folder.recipes.iter();
        let recipe = recipes.clone().find(|recipe| recipe.name == standing.name);
        let losses = standing.losses();
        let runs = recipe.iter().flat_map(|recipe| {
            let seeds = entries.folder.seeds.iter();
            seeds.map(|&seed| entries.folder.run(recipe, seed).display().to_string())
        });
        let object = json!({
            "name": standing.name,
            "sets": recipe.map(|recipe| &recipe.sets),
            "seeds": losses.len(),
            "diverged": standing.diverged(),
            "unit": "bits_per_byte",
            "mean": standing.mean(),
            "spread": standing.spread(),
            "values": losses,
            "seconds": standing.seconds(),
            "wall_seconds": standing.wall_seconds(),
            "tokens": standing.tokens(),
            "runs": runs.collect::<Vec<String>>(),
        });
        writeln!(out(), "{}", output::json(&object)?)?;
    }
    Ok(())
}

/// A row for each recipe, the best first.
fn table(standings: &[Standing]) -> Result<()> {
    let titles = [
        "recipe",
        "bits/byte",
        "deviation",
        "seeds",
        "training",
        "tokens",
    ];
    let mut rows = vec![titles.map(String::from)];
    let four = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
    for standing in standings {
        let seeds = match standing.diverged() {
            0 => standing.losses().len().to_string(),
            lost => format!("{} + {lost} diverged", standing.losses().len()),
        };
        rows.push([
            watch::line(&standing.name),
            four(standing.mean()),
            four(standing.spread()),
            seeds,
            standing.seconds().map_or("-".into(), duration),
            standing.tokens().map_or("-".into(), |n| count(n as u64)),
        ]);
    }
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
    let widths: Vec<usize> = (0..titles.len()).filter_map(width).collect();
    let mut out = out();
    writeln!(out)?;
    for row in &rows {
        let mut cells = row.iter().zip(&widths);
        let name = cells.next().map(|(name, width)| format!("{name:width$}"));
        let numbers = cells.map(|(cell, width)| format!("{cell:>width$}"));
        let line: Vec<String> = name.into_iter().chain(numbers).collect();
        writeln!(out, "{}", line.join("  "))?;
    }
    Ok(())
}

/// Which differences from the best are larger than chance.
fn conclusions(standings: &[Standing]) -> Result<()> {
    let mut out = out();
    writeln!(out)?;
    let Some((best, others)) = standings.split_first() else {
        return Ok(());
    };
    for other in others {
        let mut ahead = best.ahead_of(other);
        let (mut a, mut b) = (watch::line(&best.name), watch::line(&other.name));
        // One with a run that diverged is last, even if its other runs were better.
        if ahead.mean < 0.0 {
            ahead.mean = -ahead.mean;
            std::mem::swap(&mut a, &mut b);
        }
        let unit = "bits per byte";
        match ahead.margin {
            None if ahead.seeds == 0 => {
                writeln!(out, "{a} and {b} finished no seed in common")?;
            }
            None => writeln!(
                out,
                "{a} is {:.4} {unit} below {b} with one seed: more seeds would show whether that \
                 is chance",
                ahead.mean
            )?,
            Some(margin) => {
                let figures = format!("{:.4} ± {margin:.4} {unit}", ahead.mean);
                let how = format!("95% interval, {} seeds in pairs", ahead.seeds);
                match ahead.is_seen() {
                    true => writeln!(out, "{a} beats {b} by {figures} ({how})")?,
                    false => writeln!(
                        out,
                        "no difference seen between {a} and {b}: {figures} ({how}); more seeds \
                         make the interval narrower"
                    )?,
                }
            }
        }
    }
    Ok(())
}
