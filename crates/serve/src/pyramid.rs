//! Every step of a run, at every zoom level, on disk. Level 0 has each step; a record of level
//! `k + 1` has the min, max and mean of eight records of level `k`. So any range can be shown with
//! a few thousand numbers without losing a spike, and a run of any length needs little memory.
//!
//! The files are a cache, rebuilt from events.jsonl if they don't match it. If the run's folder
//! isn't writable, or another process already uses the cache, a temporary folder is used.

use run::{AppendFile, Files, Step, write_atomic};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The series kept of each step. `smooth` is the moving mean of `loss`, with bias correction.
pub const SERIES: [&str; 6] = [
    "loss",
    "smooth",
    "grad_norm",
    "lr",
    "step_seconds",
    "tokens_per_second",
];
const COUNT: usize = SERIES.len();
/// Records of one level that a record of the next level summarizes.
const FAN: u64 = 8;
/// Number of levels; a record of the last one summarizes 8⁷ steps.
const LEVELS: usize = 8;
/// Bytes per record of level 0 (step, time, series) and of the others (first and last step, time,
/// min, max and mean of each series).
const SHORT: usize = 8 * 2 + 4 * COUNT;
const LONG: usize = 8 * 3 + 4 * 3 * COUNT;
/// Decay per step of the moving mean.
const FORGET: f64 = 0.05;
const STATE: &str = "state.json";
const VERSION: u32 = 1;

/// One record of any level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// First and last step.
    pub steps: (f64, f64),
    /// Time of the last step, in Unix seconds.
    pub time: f64,
    /// Min, max and mean of each series.
    pub series: [[f32; 3]; COUNT],
}

/// A range of a run, at a suitable level.
pub type Slice = Vec<Record>;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct State {
    version: u32,
    /// Bytes of events.jsonl that the records cover, and its first line, which identifies the run.
    events: u64,
    first: String,
    records: u64,
    smooth: f64,
    weight: f64,
}

/// The records of a run.
pub struct Pyramid {
    files: Arc<dyn Files>,
    folder: PathBuf,
    /// Whether the folder is temporary and is removed at the end.
    temporary: bool,
    levels: Vec<Level>,
    state: State,
}

struct Level {
    path: PathBuf,
    file: Box<dyn AppendFile>,
    /// Records in the file.
    count: u64,
    /// Buffered records.
    waiting: Vec<u8>,
    /// Records of the level below that are not yet summarized here.
    open: Vec<Record>,
}

impl Level {
    fn size(number: usize) -> usize {
        if number == 0 { SHORT } else { LONG }
    }
}

impl Pyramid {
    /// Opens the records in a folder; damaged ones are dropped.
    pub fn open(files: Arc<dyn Files>, folder: &Path) -> run::Result<Pyramid> {
        let kept = Pyramid::in_folder(files.clone(), folder, false);
        kept.or_else(|_| {
            let name = format!("downhill-{}-{}", std::process::id(), run::now().to_bits());
            Pyramid::in_folder(files, &std::env::temp_dir().join(name), true)
        })
    }

    fn in_folder(files: Arc<dyn Files>, folder: &Path, temporary: bool) -> run::Result<Pyramid> {
        files.create_folder(folder)?;
        let mut levels = Vec::new();
        for number in 0..LEVELS {
            let path = folder.join(format!("level-{number}.bin"));
            let file = files.append(&path)?;
            levels.push(Level {
                path,
                file,
                count: 0,
                waiting: Vec::new(),
                open: Vec::new(),
            });
        }
        let text = std::fs::read_to_string(folder.join(STATE)).unwrap_or_default();
        let state: State = serde_json::from_str(&text).unwrap_or_default();
        let mut pyramid = Pyramid {
            files,
            folder: folder.to_path_buf(),
            temporary,
            levels,
            state,
        };
        let records = pyramid.state.records;
        let whole = |(number, level): (usize, &Level)| {
            let bytes = std::fs::metadata(&level.path).map_or(0, |m| m.len());
            bytes >= records / FAN.pow(number as u32) * Level::size(number) as u64
        };
        let fits = pyramid.state.version == VERSION && pyramid.levels.iter().enumerate().all(whole);
        if fits {
            pyramid.cut(records)?;
        } else {
            pyramid.clear()?;
        }
        Ok(pyramid)
    }

    /// Bytes of events.jsonl that the records cover; 0 if its first line is another.
    pub fn covers(&self, first: &[u8]) -> u64 {
        match String::from_utf8_lossy(first) == self.state.first {
            true => self.state.events,
            false => 0,
        }
    }

    /// Removes all records.
    pub fn clear(&mut self) -> run::Result<()> {
        self.state = State::default();
        self.cut(0)
    }

    /// Number of steps.
    pub fn len(&self) -> u64 {
        self.state.records
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of buffered records.
    pub fn waiting(&self) -> usize {
        self.levels.iter().map(|level| level.waiting.len()).sum()
    }

    /// Appends a step: its time, number and values. The moving mean is computed here.
    pub fn push(&mut self, time: f64, number: u64, step: &Step) {
        let loss = step.nats_per_token.or(step.mse).unwrap_or(f64::NAN);
        if loss.is_finite() {
            self.state.smooth += FORGET * (loss - self.state.smooth);
            self.state.weight += FORGET * (1.0 - self.state.weight);
        }
        let smooth = self.state.smooth / self.state.weight;
        let numbers = [
            loss,
            smooth,
            step.grad_norm,
            step.lr,
            step.step_seconds,
            step.tokens_per_second,
        ];
        let number = number as f64;
        let record = Record {
            steps: (number, number),
            time,
            series: numbers.map(|x| [x as f32; 3]),
        };
        self.state.records += 1;
        self.add(0, record);
    }

    fn add(&mut self, number: usize, record: Record) {
        let level = &mut self.levels[number];
        write(&mut level.waiting, number, &record);
        level.count += 1;
        let Some(next) = self.levels.get_mut(number + 1) else {
            return;
        };
        next.open.push(record);
        if next.open.len() as u64 == FAN {
            let joined = join(&next.open);
            next.open.clear();
            self.add(number + 1, joined);
        }
    }

    /// Writes the buffered records.
    pub fn flush(&mut self) -> run::Result<()> {
        for level in &mut self.levels {
            if !level.waiting.is_empty() {
                level.file.write(&level.waiting)?;
                level.waiting.clear();
            }
        }
        Ok(())
    }

    /// Saves which events the records cover, so that they can be reused.
    pub fn save(&mut self, events: u64, first: &[u8]) -> run::Result<()> {
        self.flush()?;
        self.state.version = VERSION;
        self.state.events = events;
        self.state.first = String::from_utf8_lossy(first).into_owned();
        let text = serde_json::to_vec(&self.state).unwrap_or_default();
        write_atomic(self.files.as_ref(), &self.folder.join(STATE), &text)
    }

    /// Drops all records after a step, from which a later session resumed.
    pub fn back_to(&mut self, step: u64) -> io::Result<()> {
        self.flush().map_err(io::Error::other)?;
        let records = self.position(step as f64 + 0.5)?;
        if records == self.len() {
            return Ok(());
        }
        self.cut(records).map_err(io::Error::other)?;
        // The moving mean continues from the last remaining step; its weight follows from the
        // number of steps.
        self.state.weight = 1.0 - (1.0 - FORGET).powf(records as f64);
        let last = match records {
            0 => 0.0,
            n => f64::from(self.records(0, n - 1, n)?[0].series[1][2]),
        };
        self.state.smooth = last * self.state.weight;
        Ok(())
    }

    /// Keeps the first `records` steps.
    fn cut(&mut self, records: u64) -> run::Result<()> {
        for (number, level) in self.levels.iter_mut().enumerate() {
            level.count = records / FAN.pow(number as u32);
            level.waiting.clear();
            level.open.clear();
            level.file.cut(level.count * Level::size(number) as u64)?;
        }
        self.state.records = records;
        for number in 1..LEVELS {
            let (from, to) = (
                self.levels[number].count * FAN,
                self.levels[number - 1].count,
            );
            let open = self.records(number - 1, from, to).unwrap_or_default();
            self.levels[number].open = open;
        }
        Ok(())
    }

    /// Reads records `from` to `to` of a level.
    fn records(&self, number: usize, from: u64, to: u64) -> io::Result<Slice> {
        if from >= to {
            return Ok(Vec::new());
        }
        let size = Level::size(number);
        let mut file = File::open(&self.levels[number].path)?;
        file.seek(SeekFrom::Start(from * size as u64))?;
        let mut bytes = vec![0; (to - from) as usize * size];
        file.read_exact(&mut bytes)?;
        Ok(bytes.chunks_exact(size).map(|b| read(b, number)).collect())
    }

    /// The number of steps before this one.
    fn position(&self, step: f64) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.records(0, middle, middle + 1)?[0].steps.0 < step {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// The steps `from` to `to` (inclusive) in at most about `points` records.
    pub fn slice(&mut self, from: f64, to: f64, points: u64) -> io::Result<Slice> {
        self.flush().map_err(io::Error::other)?;
        let (first, end) = (self.position(from)?, self.position(to + 0.5)?);
        let mut number = 0;
        let span = |number: usize| FAN.pow(number as u32);
        while number + 1 < LEVELS && end.saturating_sub(first) / span(number) > points.max(1) {
            number += 1;
        }
        let mut at = first / span(number) * span(number);
        let mut slice = Vec::new();
        // This level as far as it goes, then finer levels to the end.
        for number in (0..=number).rev() {
            let last = if number == 0 {
                end
            } else {
                end.min(self.levels[number].count * span(number))
            };
            let until = last / span(number);
            slice.extend(self.records(number, at / span(number), until)?);
            at = at.max(until * span(number));
        }
        Ok(slice)
    }
}

impl Drop for Pyramid {
    fn drop(&mut self) {
        if self.temporary {
            // If this fails, the system cleans up its temporary folder.
            let _ = self.files.remove_folder(&self.folder);
        }
    }
}

/// Summarizes several records. Numbers that aren't finite are ignored.
fn join(records: &[Record]) -> Record {
    let mut joined = records[0];
    joined.steps.1 = records[records.len() - 1].steps.1;
    joined.time = records[records.len() - 1].time;
    for (at, out) in joined.series.iter_mut().enumerate() {
        let known = records
            .iter()
            .map(|r| r.series[at])
            .filter(|s| s[2].is_finite());
        let (mut least, mut most, mut sum, mut count) =
            (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0.0);
        for [low, high, mean] in known {
            least = least.min(low);
            most = most.max(high);
            sum += f64::from(mean);
            count += 1.0;
        }
        *out = match count {
            0.0 => [f32::NAN; 3],
            _ => [least, most, (sum / count) as f32],
        };
    }
    joined
}

fn write(to: &mut Vec<u8>, number: usize, record: &Record) {
    to.extend(record.steps.0.to_le_bytes());
    if number > 0 {
        to.extend(record.steps.1.to_le_bytes());
    }
    to.extend(record.time.to_le_bytes());
    for [least, most, mean] in record.series {
        if number > 0 {
            to.extend(least.to_le_bytes());
            to.extend(most.to_le_bytes());
        }
        to.extend(mean.to_le_bytes());
    }
}

fn read(bytes: &[u8], number: usize) -> Record {
    let mut rest = bytes;
    let mut long = || {
        let (head, tail) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        rest = tail;
        f64::from_le_bytes(*head)
    };
    let first = long();
    let last = if number > 0 { long() } else { first };
    let time = long();
    let mut short = || {
        let (head, tail) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        rest = tail;
        f32::from_le_bytes(*head)
    };
    let series = std::array::from_fn(|_| match number {
        0 => [short(); 3],
        _ => [short(), short(), short()],
    });
    Record {
        steps: (first, last),
        time,
        series,
    }
}
