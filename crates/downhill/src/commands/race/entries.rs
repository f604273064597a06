//! The runs of a race: recipes from the command line, or the runs of a folder.

use crate::arguments::{Race, Train, TrainFlags};
use crate::commands::{plan, train};
use crate::failure::{Failure, Result};
use crate::progress::with_progress;
use crate::session::{self, RUNS, assignments, config, threads};
use ::train::{Corpus, Deadline, Error, LanguageTask, Resumed, Settings, planner};
use model::Config;
use run::{Choice, Disk, End, Files, RaceFolder, Recipe, RunFolder, What, read_events};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use study::race::{Lane, bytes};

/// What all runs share, since it decides what is measured; the reason follows the name.
const SHARED: [(&str, &str); 6] = [
    ("data.", "all recipes learn the same text"),
    ("eval.", "all recipes are evaluated alike"),
    (
        "checkpoint.",
        "all recipes choose among as many checkpoints",
    ),
    ("sample.", "all recipes spend as much time on samples"),
    (
        "train.seed",
        "every recipe is trained with the same seeds: see --seeds",
    ),
    (
        "train.threads",
        "all recipes use the same threads: see --threads",
    ),
];
/// The part of `data.` that only changes how a recipe learns.
const OWN: &str = "data.merge_dropout";
/// Longest name of a recipe, in characters.
const NAME: usize = 40;
/// Fewer steps than this aren't worth a race.
const LEAST_STEPS: f64 = 20.0;

/// The runs of a race, recipe after recipe for each seed.
pub struct Entries {
    pub folder: RaceFolder,
    /// The runs that are still to be trained, and the place of each among all.
    pub lanes: Vec<Lane>,
    pub places: Vec<usize>,
    /// How each run ended, if it did.
    pub ends: Vec<Option<End>>,
    /// Bytes that the lanes need.
    pub bytes: u64,
    /// Seconds that each run has, if they end on time.
    pub time: Option<f64>,
}

impl Entries {
    /// The folder of a run.
    pub fn path(&self, place: usize) -> PathBuf {
        let (seed, recipe) = self.at(place);
        self.folder.run(recipe, seed)
    }

    fn at(&self, place: usize) -> (u64, &Recipe) {
        let recipes = &self.folder.recipes;
        let seed = self.folder.seeds[place / recipes.len()];
        (seed, &recipes[place % recipes.len()])
    }

    /// The recipe's name of each lane.
    pub fn names(&self) -> Vec<&str> {
        let each = self.places.iter();
        each.map(|&place| self.at(place).1.name.as_str()).collect()
    }
}

/// A new race. Its folders are created last, so that no mistake leaves one behind.
pub fn new(a: &Race, stop: &AtomicBool) -> Result<Entries> {
    let recipes = recipes(&a.recipes)?;
    let base = base(a, stop)?;
    let mut lanes = Vec::new();
    let mut needed = 0;
    let (mut settings, mut deadlines) = (Vec::new(), Vec::new());
    for recipe in &recipes {
        let within = |failure| within(recipe, failure);
        let config = base.config(&recipe.sets, base.first_seed).map_err(within)?;
        deadlines.push(base.deadline(&config).map_err(within)?);
        if let Some(same) = settings.iter().position(|known| *known == config) {
            return Err(Failure::Usage(format!(
                "recipes {} and {} have the same values: they would give the same runs",
                recipes[same].name, recipe.name
            )));
        }
        settings.push(config);
    }
    let seeds: Vec<u64> = (0..a.seeds).map(|n| base.first_seed + n).collect();
    for &seed in &seeds {
        for (recipe, deadline) in recipes.iter().zip(&deadlines) {
            let within = |failure| within(recipe, failure);
            let mut config = base.config(&recipe.sets, seed).map_err(within)?;
            if let Some(deadline) = deadline {
                config.train.steps = (deadline.seconds / deadline.step_seconds) as usize;
            }
            let settings = Settings {
                config,
                source: base.corpus.source.clone(),
            };
            let task = LanguageTask::new(&settings.config, base.corpus.clone());
            let task = task.map_err(|error| within(error.into()))?;
            needed += bytes(&task, &settings)?;
            lanes.push((settings, task, *deadline));
        }
    }
    let choice = match &a.out {
        Some(path) => Choice::Exact {
            path: path.clone(),
            overwrite: false,
        },
        None => Choice::Next {
            root: RUNS.into(),
            name: format!("race-{}", base.corpus.source.corpus),
        },
    };
    let files: Arc<dyn Files> = Arc::new(Disk);
    let folder = RaceFolder::create(&files, &choice, recipes, seeds)?;
    let mut entries = Entries {
        places: (0..lanes.len()).collect(),
        ends: vec![None; lanes.len()],
        lanes: Vec::new(),
        bytes: needed,
        time: base.time.map(|time| time.as_secs_f64()),
        folder,
    };
    for (place, (settings, task, deadline)) in lanes.into_iter().enumerate() {
        let choice = Choice::Exact {
            path: entries.path(place),
            overwrite: false,
        };
        let folder = RunFolder::create(files.clone(), &choice)?;
        folder.write_config(&settings.to_toml()?)?;
        entries.lanes.push(Lane {
            settings,
            task,
            folder,
            from: None,
            notes: Vec::new(),
            deadline,
        });
    }
    Ok(entries)
}

/// What all recipes share.
struct Base {
    flags: TrainFlags,
    /// Assignments of the plan, if there is one.
    planned: Option<Vec<String>>,
    corpus: Corpus,
    time: Option<Duration>,
    first_seed: u64,
    threads: usize,
}

/// Reads the text, and plans if the time decides.
fn base(a: &Race, stop: &AtomicBool) -> Result<Base> {
    let train = Train {
        paths: a.paths.clone(),
        flags: TrainFlags {
            configured: a.configured.clone(),
            steps: a.steps,
            time: a.time,
            threads: a.threads,
            val: a.val.clone(),
            texts: a.texts.clone(),
            cache_limit: a.cache_limit,
            json: a.json,
            ..TrainFlags::default()
        },
    };
    let (time, c) = (plan::time(&train), &a.configured);
    if time.is_some() && plan::sets_steps(&train.flags) {
        let message = "--time decides the number of steps: leave out --set train.steps";
        return Err(Failure::Usage(message.into()));
    }
    let timed = |recipe: &String| recipe.contains("train.steps=");
    if time.is_some() && a.recipes.iter().any(timed) {
        let message = "--time decides the number of steps: leave train.steps out of the recipes, \
                       or give --steps";
        return Err(Failure::Usage(message.into()));
    }
    let planned = time.filter(|_| c.preset.is_none() && c.config.is_none());
    let mut base = match planned {
        Some(time) => {
            let planned = plan::plan(&train, stop, Instant::now(), time)?;
            if !a.json {
                planned.print(false)?;
            }
            Base {
                planned: Some(planned.plan.sets),
                corpus: planned.corpus,
                time: Some(time),
                first_seed: 0,
                threads: 0,
                flags: train.flags,
            }
        }
        None => {
            let config = plain(&train.flags, &[])?;
            let (paths, val) = session::text(&train)?;
            let corpus = with_progress(&config, &train.flags, stop, |control| {
                Corpus::read(&paths, val.as_deref(), &config, control, &::train::choose)
            })?;
            if !a.json {
                train::describe(&corpus)?;
            }
            Base {
                planned: None,
                corpus,
                time,
                first_seed: 0,
                threads: 0,
                flags: train.flags,
            }
        }
    };
    let shared = base.load(&[])?;
    base.first_seed = shared.train.seed;
    base.threads = threads(shared.train.threads)?;
    Ok(base)
}

/// The config that flags and assignments give without a plan.
fn plain(f: &TrainFlags, sets: &[String]) -> Result<Config> {
    let text = |n: Option<u64>| n.map(|n| n.to_string());
    let mut flags = assignments(&[
        ("train.steps", text(f.steps)),
        ("train.threads", text(f.threads)),
    ]);
    flags.extend(assignments(&f.texts.assignments()));
    flags.extend_from_slice(sets);
    let mut config = config(&f.configured, &flags)?;
    config.train.precision = config.train.precision.settled();
    Ok(config)
}

impl Base {
    fn load(&self, sets: &[String]) -> Result<Config> {
        let Some(planned) = &self.planned else {
            return plain(&self.flags, sets);
        };
        let mut flags = self.flags.clone();
        flags.configured.sets.extend_from_slice(sets);
        plan::load(&flags, planned)
    }

    /// The config of a recipe's run.
    fn config(&self, sets: &[String], seed: u64) -> Result<Config> {
        let seed = format!("train.seed={seed}");
        let sets: Vec<String> = sets.iter().cloned().chain([seed]).collect();
        let mut config = self.load(&sets)?;
        config.data.tokenizer = self.corpus.chosen.clone();
        Ok(config)
    }

    /// When a recipe's runs have to end, if they end on time.
    fn deadline(&self, config: &Config) -> Result<Option<Deadline>> {
        let Some(time) = self.time else {
            return Ok(None);
        };
        let vocabulary = self.corpus.tokenizer.vocabulary_size();
        let step_seconds = planner::step_seconds(config, vocabulary, self.threads, time / 40)?;
        let (seconds, least) = (time.as_secs_f64(), LEAST_STEPS * step_seconds);
        if seconds < least {
            return Err(Error::TooShort {
                seconds: least.ceil(),
            }
            .into());
        }
        Ok(Some(Deadline {
            seconds,
            step_seconds,
            forecast: None,
        }))
    }
}

/// The recipes of the command line.
fn recipes(given: &[String]) -> Result<Vec<Recipe>> {
    let mut recipes: Vec<Recipe> = Vec::new();
    for text in given {
        let recipe = recipe(text).map_err(Failure::Usage)?;
        let same = |known: &&Recipe| known.name.to_lowercase() == recipe.name.to_lowercase();
        if recipes.iter().find(same).is_some() {
            return Err(Failure::Usage(format!(
                "two recipes have the name {}: give each its own",
                recipe.name
            )));
        }
        recipes.push(recipe);
    }
    if recipes.len() < 2 {
        return Err(Failure::Usage(
            "a race needs at least two recipes, for instance: --recipe adamw --recipe \
             normuon:optim.name=normuon"
                .into(),
        ));
    }
    Ok(recipes)
}

/// A recipe `NAME:KEY=VALUE,KEY=VALUE`.
fn recipe(text: &str) -> std::result::Result<Recipe, String> {
    let (name, sets) = text.split_once(':').unwrap_or((text, ""));
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (first, last) = (name.chars().next(), name.chars().last());
    if !(name.chars().all(plain) && edge(first) && edge(last)) || name.chars().count() > NAME {
        return Err(format!(
            "--recipe {text:?}: give a name of letters, digits, -, _ and ., then : and values, as \
             in wide:model.width=256,optim.lr=2e-3"
        ));
    }
    let sets = sets.split(',').map(str::trim).filter(|set| !set.is_empty());
    let sets: Vec<String> = sets.map(String::from).collect();
    for set in &sets {
        let Some((key, _)) = set.split_once('=') else {
            return Err(format!(
                "recipe {name}: {set:?} sets nothing; write KEY=VALUE, with commas between"
            ));
        };
        let key = key.trim();
        let shared = |(shared, _): &&(&str, &str)| match shared.ends_with('.') {
            true => key.starts_with(shared) && key != OWN,
            false => key == *shared,
        };
        if let Some((_, why)) = SHARED.iter().find(shared) {
            return Err(format!(
                "recipe {name}: {key} can't differ within a race, since {why}; for all recipes: \
                 --set {set}"
            ));
        }
    }
    Ok(Recipe {
        name: name.to_owned(),
        sets,
    })
}

/// The failure, with the name of the recipe that it comes from.
fn within(recipe: &Recipe, failure: Failure) -> Failure {
    let named = |message| format!("recipe {}: {message}", recipe.name);
    match failure {
        Failure::Usage(message) => Failure::Usage(named(message)),
        Failure::Failed(message) => Failure::Failed(named(message)),
        other => other,
    }
}

/// The runs of an existing race: those that are finished, and where the others stopped.
pub fn resumed(path: &Path, a: &Race, stop: &AtomicBool) -> Result<Entries> {
    if !RaceFolder::is_in(path) {
        let path = path.display();
        return Err(Failure::Failed(format!(
            "{path} isn't the folder of a race (it has no race.toml)"
        )));
    }
    let folder = RaceFolder::open(path)?;
    let all = folder.recipes.len() * folder.seeds.len();
    let mut entries = Entries {
        folder,
        lanes: Vec::new(),
        places: Vec::new(),
        ends: vec![None; all],
        bytes: 0,
        time: None,
    };
    let threads = a.threads.map(|n| format!("train.threads={n}"));
    let threads: Vec<String> = threads.into_iter().collect();
    let mut known: Option<Corpus> = None;
    for place in 0..all {
        // Locked first: a start that is refused changes nothing.
        let folder = RunFolder::open_to_write(Arc::new(Disk), &entries.path(place))?;
        let resumed = Resumed::new(&folder, None, &threads, None)?;
        if resumed.is_finished(&folder)? {
            let events = read_events(&folder.events_path())?;
            let ends = events
                .into_iter()
                .rev()
                .filter_map(|event| match event.what {
                    What::End(end) => Some(end),
                    _ => None,
                });
            entries.ends[place] = ends.into_iter().next();
            continue;
        }
        let Resumed {
            settings,
            from,
            notes,
        } = resumed;
        let corpus = match known.as_ref().filter(|c| c.source == settings.source) {
            Some(corpus) => corpus.clone(),
            None => {
                let (source, config) = (&settings.source, &settings.config);
                let tokenizer = from.as_ref().map(::session::tokenizer).transpose()?;
                let flags = TrainFlags {
                    json: a.json,
                    ..TrainFlags::default()
                };
                with_progress(config, &flags, stop, |control| {
                    Corpus::of_run(&folder, source, config, tokenizer, control)
                })?
            }
        };
        let task = LanguageTask::new(&settings.config, corpus.clone())?;
        known = Some(corpus);
        entries.bytes += bytes(&task, &settings)?;
        folder.write_config(&settings.to_toml()?)?;
        entries.places.push(place);
        entries.lanes.push(Lane {
            settings,
            task,
            folder,
            from,
            notes,
            deadline: None,
        });
    }
    Ok(entries)
}
