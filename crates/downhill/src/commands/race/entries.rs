//! The runs of a race: recipes from the command line, or the runs of a folder.

use crate::arguments::{Race, Train, TrainFlags};
use crate::commands::{plan, train};
use crate::failure::{Failure, Result};
use crate::progress::with_progress;
use crate::session::{self, choice, threads};
use ::train::{Corpus, Deadline, Error, Job, LanguageTask, Resumed, Settings, memory, planner};
use model::Config;
use run::{Disk, End, Files, RaceFolder, Recipe, RunFolder, What, read_events};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What all runs share, since it decides what is measured; the reason follows the name.
const SHARED: [(&str, &str); 7] = [
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
        "train.members",
        "a race trains one model per recipe and seed",
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
    pub lanes: Vec<Job>,
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
    pub fn names(&self) -> Vec<String> {
        let each = self.places.iter();
        each.map(|&place| self.at(place).1.name.clone()).collect()
    }
}

/// A new race. Its folders are created last, so that no mistake leaves one behind.
pub fn new(a: &Race, stop: &AtomicBool) -> Result<Entries> {
    let optimizers = a.optimizers.iter().map(|name| optimizer(name));
    let all: Vec<String> = optimizers.chain(a.recipes.iter().cloned()).collect();
    let recipes = recipes(&all)?;
    let base = Base::new(a, &recipes, stop)?;
    let first = base.load(&[], None)?.train.seed;
    let seeds: Vec<u64> = (0..a.seeds).map(|n| first.saturating_add(n)).collect();
    let (deadlines, each) = base.checked(&recipes)?;
    let needed = each * a.seeds;
    enough_memory(needed)?;
    let mut ready = Vec::new();
    for &seed in &seeds {
        for (recipe, deadline) in recipes.iter().zip(&deadlines) {
            let (settings, task) = base.run(recipe, seed, *deadline)?;
            ready.push((settings, task, *deadline, base.given(recipe, seed)?));
        }
    }
    let name = format!("race-{}", base.corpus.source.corpus);
    let whole = choice(&a.out, false, &name);
    let files: Arc<dyn Files> = Arc::new(Disk);
    let mut entries = Entries {
        folder: RaceFolder::create(&files, &whole, recipes, seeds)?,
        places: (0..ready.len()).collect(),
        ends: vec![None; ready.len()],
        lanes: Vec::new(),
        bytes: needed,
        time: base.time.map(|time| time.as_secs_f64()),
    };
    for (place, (settings, task, deadline, given)) in ready.into_iter().enumerate() {
        let own = choice(&Some(entries.path(place)), false, "");
        let folder = session::begun(&own, &settings, &given)?;
        let lane = Job::new(settings, task, folder, deadline);
        entries.lanes.push(lane);
    }
    Ok(entries)
}

/// What all recipes share.
struct Base {
    flags: TrainFlags,
    /// Assignments of the plan, if there is one.
    planned: Vec<String>,
    corpus: Corpus,
    time: Option<Duration>,
}

impl Base {
    /// Reads the text, and plans if the time decides.
    fn new(a: &Race, recipes: &[Recipe], stop: &AtomicBool) -> Result<Base> {
        let flags = TrainFlags {
            configured: a.configured.clone(),
            corpus: a.corpus,
            steps: a.steps,
            time: a.time,
            // One model for each recipe and seed.
            members: Some(1),
            threads: a.threads,
            val: a.val.clone(),
            texts: a.texts.clone(),
            cache_limit: a.cache_limit,
            json: a.json,
            ..TrainFlags::default()
        };
        let paths = a.paths.clone();
        let flags = flags.with_preset(&paths);
        let train = Train { paths, flags };
        let (c, mut planned) = (train.flags.configured.clone(), Vec::new());
        let mut each = recipes.iter().map(|recipe| &recipe.sets).chain([&c.sets]);
        let free = each.try_for_each(|sets| plan::no_steps(sets));
        let time = match a.time {
            Some(time) => free.map(|()| Some(time))?,
            None => plan::time(&train).filter(|_| free.is_ok()),
        };
        let corpus = match time {
            Some(time) if c.preset.is_none() && c.config.is_none() => {
                let found = plan::plan(&train, stop, Instant::now(), time)?;
                if !a.json {
                    found.print(false)?;
                }
                planned = found.plan.sets;
                found.corpus
            }
            _ => train::read(&train, &plan::load(&train.flags, &[])?, stop)?,
        };
        Ok(Base {
            flags: train.flags,
            planned,
            corpus,
            time,
        })
    }

    /// The flags with which `train` gives the same run.
    fn flags_of(&self, sets: &[String], seed: Option<u64>) -> TrainFlags {
        let mut flags = self.flags.clone();
        flags.seed = seed;
        flags.steps = flags.steps.filter(|_| plan::no_steps(sets).is_ok());
        flags.configured.sets.extend_from_slice(sets);
        flags
    }

    /// The config with assignments on top.
    fn load(&self, sets: &[String], seed: Option<u64>) -> Result<Config> {
        let mut config = plan::load(&self.flags_of(sets, seed), &self.planned)?;
        config.data.tokenizer = self.corpus.chosen.clone();
        Ok(config)
    }

    /// The keys that the user set for a run.
    fn given(&self, recipe: &Recipe, seed: u64) -> Result<Vec<String>> {
        let flags = self.flags_of(&recipe.sets, Some(seed));
        let flags = TrainFlags {
            members: None,
            ..flags
        };
        session::given(&flags.configured, &plan::flags(&flags))
    }

    /// Checks the recipes. Returns when the runs of each have to end, if they end on time, and the
    /// bytes that a run of each needs together.
    fn checked(&self, recipes: &[Recipe]) -> Result<(Vec<Option<Deadline>>, u64)> {
        let (mut known, mut deadlines, mut needed) = (Vec::new(), Vec::new(), 0);
        for recipe in recipes {
            let within = |failure| within(recipe, failure);
            let config = self.load(&recipe.sets, None).map_err(within)?;
            if let Some(same) = known.iter().position(|other| *other == config) {
                return Err(Failure::Usage(format!(
                    "recipes {} and {} have the same values: they would give the same runs",
                    recipes[same].name, recipe.name
                )));
            }
            let seed = config.train.seed;
            self.run(recipe, seed, None)?;
            needed += memory(&config, self.corpus.tokenizer.vocabulary_size())?
                + 4 * self.corpus.validation.len() as u64;
            let deadline = self.time.map(|time| self.deadline(&config, time));
            deadlines.push(deadline.transpose().map_err(within)?);
            known.push(config);
        }
        Ok((deadlines, needed))
    }

    fn deadline(&self, config: &Config, time: Duration) -> Result<Deadline> {
        if time > plan::LONGEST {
            return Err(Failure::Usage("--time: at most 365 days".into()));
        }
        let vocabulary = self.corpus.tokenizer.vocabulary_size();
        let threads = threads(config.train.threads)?;
        let step_seconds = planner::step_seconds(config, vocabulary, threads, time / 40)?;
        let (seconds, least) = (time.as_secs_f64(), LEAST_STEPS * step_seconds);
        if seconds < least {
            let seconds = least.ceil();
            return Err(Error::TooShort { seconds }.into());
        }
        Ok(Deadline {
            seconds,
            step_seconds,
            forecast: None,
        })
    }

    /// A recipe's run with this seed.
    fn run(
        &self,
        recipe: &Recipe,
        seed: u64,
        deadline: Option<Deadline>,
    ) -> Result<(Settings, LanguageTask)> {
        let config = self.load(&recipe.sets, Some(seed));
        let mut config = config.map_err(|e| within(recipe, e))?;
        if let Some(deadline) = deadline {
            config.train.steps = (deadline.seconds / deadline.step_seconds) as usize;
        }
        let task = LanguageTask::new(&config, self.corpus.clone());
        let task = task.map_err(|e| within(recipe, e.into()))?;
        let source = self.corpus.source.clone();
        Ok((Settings { config, source }, task))
    }
}

/// Refuses a race that needs more memory than there is.
fn enough_memory(needed: u64) -> Result<()> {
    let advice = "take fewer recipes or seeds, or smaller models";
    session::enough_memory(needed, "training all runs at the same time", advice)
}

/// The recipe of an optimizer, at a rate that suits it (EXPERIMENTS.md); the others suit the rates
/// that all share.
fn optimizer(name: &str) -> String {
    let rate = match name {
        "sgd" => ",optim.lr=0.2",
        "momentum" | "nesterov" => ",optim.lr=0.05",
        _ => "",
    };
    format!("{name}:optim.name={name}{rate}")
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
            "a race needs at least two recipes, for instance: --optimizers adamw,muon, or --recipe \
             plain --recipe wide:model.width=256"
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
                "recipe {name}: {set:?} is not KEY=VALUE; separate several with commas"
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
        let settings = &resumed.settings;
        let corpus = match known.as_ref().filter(|c| c.source == settings.source) {
            Some(corpus) => corpus.clone(),
            None => {
                let (source, config) = (&settings.source, &settings.config);
                let from = resumed.from.as_ref();
                let tokenizer = from.map(::session::tokenizer).transpose()?;
                let flags = TrainFlags {
                    json: a.json,
                    ..TrainFlags::default()
                };
                with_progress(config, &flags, stop, |control| {
                    Corpus::of_run(&folder, source, config, tokenizer, control)
                })?
            }
        };
        let vocabulary = corpus.tokenizer.vocabulary_size();
        entries.bytes += memory(&settings.config, vocabulary)?;
        enough_memory(entries.bytes)?;
        folder.write_config(&settings.to_toml()?)?;
        let lane = Job::resumed(resumed, folder, corpus.clone())?;
        known = Some(corpus);
        entries.places.push(place);
        entries.lanes.push(lane);
    }
    Ok(entries)
}
