//! The runs on offer, and those that are open.

use crate::shown::{News, Shown};
use run::{Disk, RaceFolder, RunFolder};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Maximum number of runs offered, and open at the same time.
const OFFERED: usize = 200;
const OPEN: usize = 64;

/// Which runs to show.
#[derive(Debug, Clone)]
pub enum Runs {
    /// These runs; the first is selected.
    These(Vec<PathBuf>),
    /// These runs, laid over each other.
    Compared(Vec<PathBuf>),
    /// All runs of a folder; the newest is selected.
    Folder(PathBuf),
}

/// A run in the page's list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offered {
    /// Its number on this server, by which the page requests it. Paths never come from the network.
    pub id: usize,
    /// Its folder.
    pub name: String,
}

/// A recipe of a race, with its runs' numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entrant {
    name: String,
    runs: Vec<usize>,
}

/// Why a run can't be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No run has this number.
    #[error("no such run")]
    Unknown,
    /// Its folder was moved or deleted.
    #[error("the run's folder is gone")]
    Gone,
    /// Its events can't be read.
    #[error("the run can't be read")]
    Unreadable,
    /// Too many runs are open.
    #[error("too many runs are open")]
    Full,
}

struct Book {
    id: usize,
    shown: Shown,
    news: watch::Sender<News>,
    /// When it was last requested, by a counter.
    used: u64,
}

/// The runs.
pub struct Shelf {
    runs: Runs,
    /// Every run ever offered; its index is its number.
    known: Vec<PathBuf>,
    open: Vec<Book>,
    clock: u64,
}

impl Shelf {
    /// A shelf of these runs.
    pub fn new(runs: Runs) -> Shelf {
        let known = match &runs {
            Runs::These(paths) | Runs::Compared(paths) => paths.clone(),
            Runs::Folder(_) => Vec::new(),
        };
        Shelf {
            runs,
            known,
            open: Vec::new(),
            clock: 0,
        }
    }

    /// Whether the runs are to be laid over each other.
    pub fn is_comparison(&self) -> bool {
        matches!(self.runs, Runs::Compared(_))
    }

    /// The runs that exist now.
    pub fn offered(&mut self) -> Vec<Offered> {
        if let Runs::Folder(folder) = &self.runs {
            let all = RunFolder::list(Arc::new(Disk), folder).unwrap_or_default();
            let all = all.iter().take(OFFERED).map(|run| run.path().to_path_buf());
            let all: Vec<PathBuf> = all.collect();
            let new: Vec<PathBuf> = all
                .iter()
                .filter(|p| !self.known.contains(p))
                .cloned()
                .collect();
            self.known.extend(new);
            let number = |path: &PathBuf| self.known.iter().position(|k| k == path);
            let offered = all.iter().filter_map(|path| Some((number(path)?, path)));
            return offered.map(|(id, path)| offer(id, path)).collect();
        }
        let each = self.known.iter().enumerate();
        each.map(|(id, path)| offer(id, path)).collect()
    }

    /// The recipes of a race, in their order; `None` where the folder isn't that of a race.
    pub fn race(&mut self) -> Option<Vec<Entrant>> {
        let Runs::Folder(folder) = &self.runs else {
            return None;
        };
        let race = RaceFolder::open(folder).ok()?;
        let offered = self.offered();
        let number = |path: PathBuf| {
            let same = |run: &&Offered| Path::new(&run.name).file_name() == path.file_name();
            offered.iter().find(same).map(|run| run.id)
        };
        let each = race.recipes.iter().map(|recipe| Entrant {
            name: recipe.name.clone(),
            runs: race
                .seeds
                .iter()
                .filter_map(|&seed| number(race.run(recipe, seed)))
                .collect(),
        });
        Some(each.collect())
    }

    /// The folder of a run.
    pub fn folder(&self, id: usize) -> Result<&Path, Missing> {
        let folder = self.known.get(id).map(PathBuf::as_path);
        folder.ok_or(Missing::Unknown)
    }

    /// A run, opened if needed.
    pub fn get(&mut self, id: usize) -> Result<&mut Shown, Missing> {
        self.book(id).map(|book| &mut book.shown)
    }

    /// Subscribes to a run's news.
    pub fn follow(&mut self, id: usize) -> Result<watch::Receiver<News>, Missing> {
        self.book(id).map(|book| book.news.subscribe())
    }

    fn book(&mut self, id: usize) -> Result<&mut Book, Missing> {
        self.clock += 1;
        if let Some(at) = self.open.iter().position(|book| book.id == id) {
            self.open[at].used = self.clock;
            return Ok(&mut self.open[at]);
        }
        let folder = RunFolder::open(Arc::new(Disk), self.folder(id)?);
        let shown = Shown::open(&folder.map_err(|_| Missing::Gone)?);
        let shown = shown.map_err(|_| Missing::Unreadable)?;
        if self.open.len() >= OPEN {
            let idle = self.open.iter().filter(|book| book.news.is_closed());
            let oldest = idle.min_by_key(|book| book.used).map(|book| book.id);
            // All are in use: one more would be too many.
            let oldest = oldest.ok_or(Missing::Full)?;
            self.open.retain(|book| book.id != oldest);
        }
        let (news, _) = watch::channel(shown.news().clone());
        self.open.push(Book {
            id,
            shown,
            news,
            used: self.clock,
        });
        let last = self.open.len() - 1;
        Ok(&mut self.open[last])
    }

    /// Reads new events of all subscribed runs, and notifies the subscribers. Returns whether there
    /// are any.
    pub fn look(&mut self) -> bool {
        let mut any = false;
        for book in self.open.iter_mut().filter(|book| !book.news.is_closed()) {
            any = true;
            let news = book.shown.look().clone();
            book.news.send_if_modified(|old| {
                let changed = *old != news;
                *old = news;
                changed
            });
        }
        any
    }
}

fn offer(id: usize, path: &Path) -> Offered {
    Offered {
        id,
        name: path.display().to_string(),
    }
}
