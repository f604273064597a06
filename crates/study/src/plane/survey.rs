//! Draws the landscape of a run: the plane, the grid as fine as the time allows, the run's path,
//! the walkers. Goes on where an earlier call stopped.

use super::axes::Plane;
use super::cost::{ModelCost, OtherEnd, StudiedRun};
use super::error::{Error, Result};
use super::grid::{Grid, LEVELS, curvature};
use super::walkers::{Terrain, WalkerRule};
use engine::{Optimizer, RandomPurpose, Stream};
use model::hugging_face::WEIGHTS;
use model::{Config, OptimizerName};
use run::{Checkpoint, CostLandscape, LandscapeFile, PathPoint, PlaneAxes, RunFolder, sha256};
use std::time::{Duration, Instant};
use train::Settings;

/// The most checkpoints of a path; of more, evenly spaced ones are taken.
const MOST_POINTS: usize = 64;
/// The fewest checkpoints that have a plane.
const FEWEST: usize = 3;
/// How far the picture goes beyond the path, as a share of the path's extent.
const MARGIN: f64 = 0.35;
/// The smaller side of a picture is at least this share of the larger.
const NARROWEST: f64 = 0.4;
/// The level whose surface says which rates suit the walkers.
const RATED: usize = 9;
/// Time between two writes while walkers go.
const PAUSE: Duration = Duration::from_secs(2);
/// Version of what is stored: files of another one are made again.
const VERSION: u32 = 1;

/// What is drawn.
#[derive(Debug, Clone)]
pub struct SurveySettings {
    /// Where the directions come from.
    pub axes: PlaneAxes,
    /// Tokens to predict at each point.
    pub tokens: usize,
    /// Points per side, one of [`LEVELS`]; with a time limit, at most that many.
    pub grid: usize,
    /// A time limit; the coarsest grid is drawn in any case.
    pub time: Option<Duration>,
    /// Number of starting points of walkers.
    pub walkers: usize,
    /// The walkers of each starting point.
    pub rules: Vec<WalkerRule>,
    /// Steps of each.
    pub steps: u64,
    /// Factor on the rates that suit the surface.
    pub rate: f64,
    /// Seed of random directions and starting points.
    pub seed: u64,
    /// Number of threads.
    pub threads: usize,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surveying {
    /// Checkpoints are read and measured.
    Path,
    /// The grid with this many points per side.
    Grid(usize),
    /// Walkers.
    Walkers,
}

/// Progress of a survey.
#[derive(Debug, Clone, Copy)]
pub struct Surveyed {
    /// What is being done.
    pub what: Surveying,
    /// How many points, or steps, are done.
    pub done: usize,
    /// And how many there are.
    pub total: usize,
}

/// A landscape, and whether it is all that was asked for.
pub struct Survey {
    /// The landscape.
    pub file: LandscapeFile,
    /// Whether Ctrl-C ended it.
    pub stopped: bool,
}

impl SurveySettings {
    /// A hash of what the costs depend on.
    ///
    /// # Errors
    /// If a run can't be read.
    pub fn identity(&self, run: &RunFolder, other: Option<&RunFolder>) -> Result<String> {
        let seed = (self.axes == PlaneAxes::Random).then_some(self.seed);
        let text = Settings::read(run, &[])?.source.sha256;
        let (axes, tokens) = (self.axes.name(), self.tokens);
        let mut all = format!("{VERSION} {axes} {tokens} {seed:?} {text}");
        for run in [Some(run), other].into_iter().flatten() {
            for checkpoint in self.points(run.checkpoints().list()?) {
                let hash = checkpoint.sha256(WEIGHTS).unwrap_or_default();
                all += &format!("\n{} {hash}", checkpoint.step);
            }
        }
        Ok(sha256(all.as_bytes()))
    }

    /// The checkpoints that a picture is made of.
    fn points(&self, mut all: Vec<Checkpoint>) -> Vec<Checkpoint> {
        if self.axes == PlaneAxes::Line {
            all.drain(..all.len().saturating_sub(1));
        }
        if all.len() <= MOST_POINTS {
            return all;
        }
        let last = all.len() - 1;
        let taken = (0..MOST_POINTS).map(|i| i * last / (MOST_POINTS - 1));
        taken.map(|i| all[i].clone()).collect()
    }

    /// What the walkers depend on besides.
    fn walks(&self, level: usize) -> String {
        if self.walkers == 0 || self.axes == PlaneAxes::Line {
            return String::new();
        }
        let rules: Vec<&str> = self.rules.iter().map(|rule| rule.name()).collect();
        let (steps, rate, seed) = (self.steps, self.rate, self.seed);
        let level = level.min(RATED);
        format!(
            "{} {} {steps} {rate} {seed} {level}",
            self.walkers,
            rules.join(",")
        )
    }

    /// Number of all walkers.
    fn crowd(&self) -> usize {
        match self.axes {
            PlaneAxes::Line => 0,
            _ => self.walkers * self.rules.len(),
        }
    }

    /// What is stored, if it is all that is asked for.
    pub fn answer(&self, file: &LandscapeFile) -> Option<LandscapeFile> {
        let grid = grid_of(file);
        let walkers = &file.landscape.walkers;
        let level = grid
            .complete(self.grid)
            .filter(|level| *level == self.grid)?;
        let walked = file.walked == self.walks(level) && walkers.len() == self.crowd();
        walked.then(|| shown(file, &grid, level))
    }
}

fn grid_of(file: &LandscapeFile) -> Grid {
    Grid {
        sides: file.sides.clone(),
        known: file.known.iter().copied().collect(),
    }
}

/// The same with this level of its grid.
fn shown(file: &LandscapeFile, grid: &Grid, level: usize) -> LandscapeFile {
    let mut file = file.clone();
    file.landscape.x = grid.coordinates(level, 0);
    file.landscape.y = grid.coordinates(level, 1);
    file.landscape.cost = grid.costs(level);
    file.known = grid.known.iter().map(|(at, cost)| (*at, *cost)).collect();
    file
}

/// The optimizer of Muon's walkers: that of the run's config, without decay and clipping.
pub(super) fn muon(config: &Config) -> Optimizer {
    let mut config = config.clone();
    config.optim.name = OptimizerName::Muon;
    (config.optim.weight_decay, config.optim.clip) = (0.0, None);
    config.optimizer()
}

/// A survey in progress.
struct Work<'a> {
    settings: &'a SurveySettings,
    show: &'a mut dyn FnMut(Surveyed) -> bool,
    cost: &'a mut ModelCost,
    folder: &'a RunFolder,
    began: Instant,
    /// When it was last stored.
    saved: Instant,
    /// Seconds of earlier calls.
    before: f64,
    /// Costs computed so far, to estimate the time of one.
    computed: u32,
    file: LandscapeFile,
    stopped: bool,
}

/// Draws what is missing in `known`, which has the same identity, and stores it in the run after
/// each level and each walker.
///
/// # Errors
/// If there are too few checkpoints, one is damaged, or the device fails; [`Error::Stopped`] if
/// `show`, which is called before each evaluation, returned false before there was a picture.
pub fn survey(
    run: &StudiedRun,
    other: Option<&OtherEnd>,
    settings: &SurveySettings,
    identity: String,
    known: Option<LandscapeFile>,
    show: &mut dyn FnMut(Surveyed) -> bool,
) -> Result<Survey> {
    let began = Instant::now();
    let optimizer = (settings.crowd() > 0).then(|| muon(&run.config));
    let mut cost = ModelCost::new(run, settings.tokens, settings.threads, optimizer.as_ref())?;
    let file = known.unwrap_or(LandscapeFile {
        landscape: CostLandscape {
            axes: settings.axes,
            share_of_motion: None,
            x: Vec::new(),
            y: Vec::new(),
            cost: Vec::new(),
            path: Vec::new(),
            walkers: Vec::new(),
            tokens: cost.tokens() as u64,
            seconds: 0.0,
        },
        to: other.map(|other| other.run.clone()),
        of: identity,
        walked: String::new(),
        sides: Vec::new(),
        known: Vec::new(),
    });
    let mut work = Work {
        settings,
        show,
        cost: &mut cost,
        folder: &run.folder,
        began,
        saved: began,
        before: file.landscape.seconds,
        computed: 0,
        file,
        stopped: false,
    };
    let plane = work.path(run, other)?;
    let (grid, level) = work.grid(&plane)?;
    if !work.stopped {
        work.walkers(&plane, &grid, level)?;
    }
    work.save(&grid, level)?;
    let Work { file, stopped, .. } = work;
    Ok(Survey { file, stopped })
}

impl Work<'_> {
    /// Reports progress; returns whether to stop.
    fn stops(&mut self, what: Surveying, done: usize, total: usize) -> bool {
        self.stopped |= !(self.show)(Surveyed { what, done, total });
        self.stopped
    }

    fn at(&mut self, weights: &[f32]) -> Result<Option<f64>> {
        self.computed += 1;
        Ok(Some(self.cost.at(weights)?).filter(|cost| cost.is_finite()))
    }

    /// Stores what is known.
    fn save(&mut self, grid: &Grid, level: usize) -> Result<()> {
        self.saved = Instant::now();
        self.file = shown(&self.file, grid, level);
        self.file.landscape.seconds = self.before + self.began.elapsed().as_secs_f64();
        Ok(self.file.save(self.folder)?)
    }

    /// Reads the checkpoints, finds the plane, and measures the path.
    fn path(&mut self, run: &StudiedRun, other: Option<&OtherEnd>) -> Result<Plane> {
        let settings = self.settings;
        let mut all = settings.points(run.checkpoints.clone());
        all.extend(other.map(|other| other.checkpoint.clone()));
        if settings.axes == PlaneAxes::Pca && all.len() < FEWEST {
            return Err(Error::FewCheckpoints {
                run: run.folder.path().to_path_buf(),
                found: all.len(),
            });
        }
        let (mut weights, mut path) = (Vec::new(), Vec::new());
        for (i, checkpoint) in all.iter().enumerate() {
            if self.stops(Surveying::Path, i, 2 * all.len()) {
                return Err(Error::Stopped);
            }
            weights.push(self.cost.of(checkpoint)?);
            let cost = self.at(&weights[i])?;
            path.push(PathPoint {
                step: checkpoint.step,
                x: 0.0,
                y: 0.0,
                cost,
                slice: None,
            });
        }
        let last = weights.last().cloned().unwrap_or_default();
        let plane = match settings.axes {
            PlaneAxes::Pca => Plane::principal(&weights)?,
            PlaneAxes::Random => Plane::random(last, self.cost.variables(), settings.seed),
            PlaneAxes::Line => Plane::line(weights[0].clone(), &last),
        };
        for (i, (point, weights)) in path.iter_mut().zip(&weights).enumerate() {
            if self.stops(Surveying::Path, all.len() + i, 2 * all.len()) {
                return Err(Error::Stopped);
            }
            let at = plane.nearest(weights);
            (point.x, point.y) = (at[0], at.get(1).copied().unwrap_or(0.0));
            point.slice = self.at(&plane.weights(&at))?;
        }
        self.file.sides = match settings.axes {
            PlaneAxes::Pca => around(&path),
            PlaneAxes::Random => vec![[-1.0, 1.0]; 2],
            PlaneAxes::Line => vec![[-0.5, 1.5]],
        };
        self.file.landscape.share_of_motion = plane.share;
        self.file.landscape.path = path;
        Ok(plane)
    }

    /// Computes level after level. Returns the grid and its finest complete level.
    fn grid(&mut self, plane: &Plane) -> Result<(Grid, usize)> {
        let settings = self.settings;
        let mut grid = grid_of(&self.file);
        // Walkers get half of the time.
        let share = if settings.crowd() > 0 { 2 } else { 1 };
        let deadline = settings.time.map(|time| time / share);
        for level in LEVELS.into_iter().filter(|level| *level <= settings.grid) {
            let missing = grid.missing(level);
            let spent = self.began.elapsed();
            let needed = missing.len() as u32 * (spent / self.computed.max(1));
            if level > LEVELS[0] && deadline.is_some_and(|time| spent + needed > time) {
                break;
            }
            for (i, place) in missing.iter().enumerate() {
                if self.stops(Surveying::Grid(level), i, missing.len()) {
                    let complete = grid.complete(level).ok_or(Error::Stopped)?;
                    return Ok((grid, complete));
                }
                let cost = self.at(&plane.weights(&grid.at(*place)))?;
                grid.known.insert(*place, cost);
            }
            if !missing.is_empty() {
                self.save(&grid, level)?;
            }
        }
        let level = grid.complete(settings.grid).ok_or(Error::Stopped)?;
        Ok((grid, level))
    }

    /// Lets the walkers go that haven't yet.
    fn walkers(&mut self, plane: &Plane, grid: &Grid, level: usize) -> Result<()> {
        let settings = self.settings;
        let walks = settings.walks(level);
        if self.file.walked != walks {
            self.file.landscape.walkers.clear();
            self.file.walked = walks;
        }
        let (done, crowd) = (self.file.landscape.walkers.len(), settings.crowd());
        if done >= crowd {
            return Ok(());
        }
        let rated = level.min(RATED);
        let (x, y) = (grid.coordinates(rated, 0), grid.coordinates(rated, 1));
        let mut terrain = Terrain {
            plane,
            cost: &mut *self.cost,
            sides: &grid.sides,
        };
        let cost = grid.costs(rated);
        let strongest = curvature(&x, &y, &cost).unwrap_or(1.0);
        // Where the cost is below that of half of the plane, there is little to descend.
        let mut all: Vec<f64> = cost.iter().flatten().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let middle = all.get(all.len() / 2).copied().unwrap_or_default();
        let mut random = Stream::new(settings.seed, RandomPurpose::Check, 2);
        let mut start = || loop {
            let at: [f64; 2] = [0, 1].map(|_| random.uniform());
            let near = at.map(|share| (share * (rated - 1) as f64).round() as usize);
            if cost[near[1]][near[0]].is_none_or(|cost| cost >= middle) {
                let each = grid.sides.iter().zip(at);
                let place = |([low, high], share): (&[f64; 2], f64)| low + (high - low) * share;
                break each.map(place).collect();
            }
        };
        let starts: Vec<Vec<f64>> = (0..settings.walkers).map(|_| start()).collect();
        let rates = settings.rules.iter();
        let rates =
            rates.map(|rule| Ok(settings.rate * terrain.rate(*rule, &starts[0], strongest)?));
        let rates: Vec<f64> = rates.collect::<Result<_>>()?;
        for number in done..crowd {
            let rule = number % rates.len();
            let route = (
                &starts[number / rates.len()][..],
                settings.rules[rule],
                rates[rule],
            );
            if !self.walk(plane, grid, route, number)? {
                break;
            }
            if self.saved.elapsed() > PAUSE {
                self.save(grid, level)?;
            }
        }
        Ok(())
    }

    /// Lets a walker go; returns whether it arrived in time.
    fn walk(
        &mut self,
        plane: &Plane,
        grid: &Grid,
        (start, rule, rate): (&[f64], WalkerRule, f64),
        number: usize,
    ) -> Result<bool> {
        let settings = self.settings;
        let each = settings.steps as usize + 1;
        let mut terrain = Terrain {
            plane,
            cost: &mut *self.cost,
            sides: &grid.sides,
        };
        let mut step = 0;
        let (show, stopped, began) = (&mut *self.show, &mut self.stopped, self.began);
        let mut stops = || {
            let done = number * each + step;
            step += 1;
            let (what, total) = (Surveying::Walkers, settings.crowd() * each);
            *stopped |= !show(Surveyed { what, done, total });
            *stopped || settings.time.is_some_and(|time| began.elapsed() > time)
        };
        let walker = terrain.walk(rule, start, rate, settings.steps, &mut stops)?;
        let arrived = walker.is_some();
        self.file.landscape.walkers.extend(walker);
        Ok(arrived)
    }
}

/// Sides of a picture with the whole path and a margin.
fn around(path: &[PathPoint]) -> Vec<[f64; 2]> {
    let extent = |of: fn(&PathPoint) -> f64| {
        let fold = |[low, high]: [f64; 2], p: &PathPoint| [low.min(of(p)), high.max(of(p))];
        path.iter().fold([f64::INFINITY, f64::NEG_INFINITY], fold)
    };
    let sides = [extent(|p| p.x), extent(|p| p.y)];
    let largest = sides.iter().map(|s| s[1] - s[0]).fold(0.0, f64::max);
    let side = |[low, high]: [f64; 2]| {
        let half = (0.5 + MARGIN) * (high - low).max(NARROWEST * largest);
        let middle = f64::midpoint(low, high);
        [middle - half, middle + half]
    };
    sides.map(side).into()
}
