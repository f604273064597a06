//! The folder of a race: several recipes, each trained with several seeds. Each of its folders
//! `RECIPE-seedN` is a run like any other; `race.toml` lists the recipes and seeds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::files::parent;
use crate::folder::{folders_in, next, plain};
use crate::{Choice, Error, Files, Result, write_atomic};

const RACE: &str = "race.toml";

/// What a recipe's runs have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name, with which its run folders begin.
    pub name: String,
    /// Its assignments `key=value`, on top of the settings that all recipes share.
    pub sets: Vec<String>,
}

/// The folder of a race.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaceFolder {
    /// Its path, as given.
    #[serde(skip)]
    pub path: PathBuf,
    /// The seeds of each recipe's runs.
    pub seeds: Vec<u64>,
    /// The recipes, in the order in which they take turns.
    pub recipes: Vec<Recipe>,
}

impl RaceFolder {
    /// Creates the folder of a new race. It has no runs yet.
    ///
    /// # Errors
    /// If it exists or can't be written to.
    pub fn create(
        files: &Arc<dyn Files>,
        choice: &Choice,
        recipes: Vec<Recipe>,
        seeds: Vec<u64>,
    ) -> Result<RaceFolder> {
        let path = match choice {
            Choice::Next { root, name } => next(files.as_ref(), root, &plain(name))?,
            Choice::Exact { path, .. } => {
                let taken = fs::symlink_metadata(path).is_ok();
                if taken || !files.create_folder(path)? {
                    return Err(Error::RaceExists { path: path.clone() });
                }
                path.clone()
            }
        };
        files.sync_folder(parent(&path))?;
        let race = RaceFolder {
            path,
            seeds,
            recipes,
        };
        let file = race.path.join(RACE);
        let text = toml::to_string(&race).map_err(|e| broken(&file, e.to_string()))?;
        write_atomic(files.as_ref(), &file, text.as_bytes())?;
        Ok(race)
    }

    /// Whether a folder is that of a race.
    pub fn is_in(path: &Path) -> bool {
        path.join(RACE).is_file()
    }

    /// The race folders directly in a folder, by name; none if it can't be read.
    pub fn list(root: &Path) -> Vec<PathBuf> {
        folders_in(root, RaceFolder::is_in)
    }

    /// Opens the folder of an existing race.
    ///
    /// # Errors
    /// If there is none, or its race.toml can't be read.
    pub fn open(path: &Path) -> Result<RaceFolder> {
        let file = path.join(RACE);
        let text = fs::read_to_string(&file).map_err(|e| Error::at("reading", &file, e))?;
        let race = toml::from_str(&text).map_err(|e| {
            let message = e.message().replace(char::is_control, " ");
            broken(&file, message)
        })?;
        Ok(RaceFolder {
            path: path.to_path_buf(),
            ..race
        })
    }

    /// The folder of one run.
    pub fn run(&self, recipe: &Recipe, seed: u64) -> PathBuf {
        // Names in a file from elsewhere may be paths.
        let name = plain(&recipe.name);
        self.path.join(format!("{name}-seed{seed}"))
    }
}

fn broken(path: &Path, reason: String) -> Error {
    let path = path.to_path_buf();
    Error::Broken { path, reason }
}
