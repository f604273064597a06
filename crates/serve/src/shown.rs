//! One run as the page sees it: its steps in a pyramid, all other events in a list. If a later
//! session resumed from an earlier step, what it undid is dropped, so there is one curve.

use crate::line;
use crate::pyramid::Pyramid;
use run::{Condition, Disk, Event, Follow, Followed, Kind, Rote, RunFolder, What};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Maximum events kept per kind; beyond that, every second one is dropped.
const MOST: usize = 1024;
/// How often the pyramid's state is saved.
const SAVE: Duration = Duration::from_secs(5);
/// Maximum bytes of buffered records.
const WAITING: usize = 1 << 20;

/// An event other than a step, as kept and sent.
#[derive(Serialize)]
pub struct Kept {
    serial: u64,
    kind: &'static str,
    step: Option<u64>,
    /// Offset and length of its line in events.jsonl.
    #[serde(skip)]
    place: (u64, usize),
    /// The line, if it is small.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
}

/// The state that is sent to the page when it changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct News {
    /// Increases when what was sent before is no longer valid.
    pub epoch: u64,
    /// Serial number of the newest event.
    pub serial: u64,
    /// Number of steps.
    pub steps: u64,
    /// The newest step.
    pub last: Option<Event>,
    /// The run's kind, once a session has begun.
    pub kind: Option<Kind>,
    /// How the run is doing.
    pub state: Condition,
    /// The step since which the model learns by rote.
    pub rote: Option<u64>,
    /// Lines that aren't events.
    pub broken: u64,
}

/// A run.
pub struct Shown {
    folder: RunFolder,
    log: Follow,
    /// Whether the last session has an `end` event.
    ended: bool,
    first: Vec<u8>,
    /// Bytes of events.jsonl that the pyramid covered when it was opened.
    covered: u64,
    rote: Rote,
    pyramid: Pyramid,
    kept: Vec<Kept>,
    /// The number of events kept of each kind.
    counts: BTreeMap<&'static str, usize>,
    news: News,
    saved: Instant,
}

impl Shown {
    /// Opens a run and reads its events so far.
    ///
    /// # Errors
    /// If neither its folder nor a temporary one can be used.
    pub fn open(folder: &RunFolder) -> run::Result<Shown> {
        let mut shown = Shown {
            folder: folder.clone(),
            ended: false,
            log: Follow::new(folder.events_path()),
            pyramid: Pyramid::open(Arc::new(Disk), &folder.path().join("pyramid"))?,
            first: Vec::new(),
            covered: 0,
            rote: Rote::default(),
            kept: Vec::new(),
            counts: BTreeMap::new(),
            news: News::default(),
            saved: Instant::now(),
        };
        shown.look();
        Ok(shown)
    }

    /// Reads new events. A read that fails is tried again at the next look.
    pub fn look(&mut self) -> &News {
        let before = self.news.clone();
        if self.folder.condition(true) == Condition::Gone {
            // What was seen stays.
            self.news.state = Condition::Gone;
            return &self.news;
        }
        let mut log = std::mem::replace(&mut self.log, Follow::new(PathBuf::new()));
        while let Ok(Followed::Replaced) = log.look(|place, line| self.line(place, line)) {
            self.restart();
        }
        self.log = log;
        self.news.steps = self.pyramid.len();
        self.news.state = self.folder.condition(self.ended);
        let live = self.news.state == Condition::Live;
        if before != self.news && (self.saved.elapsed() > SAVE || !live) {
            self.save();
        }
        &self.news
    }

    fn save(&mut self) {
        self.saved = Instant::now();
        // The records are only a cache.
        let _ = self.pyramid.save(self.log.read_so_far(), &self.first);
    }

    fn restart(&mut self) {
        self.first.clear();
        self.covered = 0;
        self.ended = false;
        self.rote = Rote::default();
        self.kept.clear();
        self.counts.clear();
        let _ = self.pyramid.clear();
        self.news = News {
            epoch: self.news.epoch + 1,
            ..News::default()
        };
    }

    fn line(&mut self, place: u64, line: &[u8]) {
        if place == 0 {
            self.first = line.to_vec();
            self.covered = self.pyramid.covers(line);
            if self.covered == 0 {
                let _ = self.pyramid.clear();
            }
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        // A run may have a million steps: use the fast parser.
        let read = match line.starts_with(br#"{"event":"step""#) {
            true => line::step(line).map_or_else(|| Event::parse(line), |step| Ok(Some(step))),
            false => Event::parse(line),
        };
        match read {
            Ok(Some(event)) => match &event.what {
                What::Step(step) => {
                    self.rote.event(&event);
                    // The pyramid covers the steps that it had when it was opened.
                    if place >= self.covered {
                        let number = event.step.unwrap_or_default();
                        self.pyramid.push(event.time, number, step);
                    }
                    if self.pyramid.waiting() > WAITING {
                        // If this fails, the records stay buffered and are written later.
                        let _ = self.pyramid.flush();
                    }
                    self.news.last = Some(event);
                }
                _ => self.event(&event, place, line),
            },
            // Unknown events of a newer version are ignored; broken lines are counted.
            Ok(None) => {}
            Err(_) => self.news.broken += 1,
        }
    }

    fn event(&mut self, event: &Event, place: u64, line: &[u8]) {
        if let What::Start(start) = &event.what {
            self.news.kind = Some(start.kind());
            self.go_back(event, place);
        }
        self.ended = matches!(event.what, What::End(_));
        self.rote.event(event);
        self.news.rote = self.rote.since();
        let kind = event.what.name();
        let small = !matches!(event.what, What::Lens(_) | What::Inside(_));
        self.news.serial += 1;
        self.kept.push(Kept {
            serial: self.news.serial,
            kind,
            step: event.step,
            place: (place, line.len()),
            event: small.then(|| serde_json::from_slice(line).ok()).flatten(),
        });
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count > MOST {
            self.thin(kind);
        }
    }

    /// A session begins: drops what an earlier one did after the step from which it resumes.
    fn go_back(&mut self, start: &Event, place: u64) {
        let (many, steps) = (self.kept.len(), self.pyramid.len());
        self.kept.retain(|kept| !start.undoes(kept.step));
        self.count();
        if place >= self.covered {
            let _ = self.pyramid.back_to(start.step.unwrap_or_default());
        }
        if many > self.kept.len() || steps > self.pyramid.len() {
            self.news.epoch += 1;
        }
    }

    /// Bounds the number of events of a kind: every second one of the older events is dropped.
    fn thin(&mut self, kind: &str) {
        let mut number = 0;
        self.kept.retain(|k| {
            number += usize::from(k.kind == kind);
            k.kind != kind || number > MOST - 16 || number % 2 == 1
        });
        self.count();
    }

    fn count(&mut self) {
        self.counts.clear();
        for kept in &self.kept {
            *self.counts.entry(kept.kind).or_default() += 1;
        }
    }

    /// The current state.
    pub fn news(&self) -> &News {
        &self.news
    }

    /// The events after this serial number.
    pub fn events(&self, after: u64) -> Vec<&Kept> {
        self.kept.iter().filter(|k| k.serial > after).collect()
    }

    /// The line of one event.
    pub fn event_line(&self, serial: u64) -> io::Result<Option<Vec<u8>>> {
        let kept = self.kept.iter().find(|k| k.serial == serial);
        kept.map(|k| self.log.read_at(k.place.0, k.place.1))
            .transpose()
    }

    /// The steps' records.
    pub fn pyramid(&mut self) -> &mut Pyramid {
        &mut self.pyramid
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.save();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use run::{Choice, Eval, Layers, Lens, Sample, Start, Step};
    use std::fmt::Write as _;
    use std::io::Write as _;

    /// Memory used by a run, in bytes.
    fn bytes(shown: &Shown) -> usize {
        let line = |k: &Kept| k.event.as_ref().map_or(0, |l| l.get().len());
        let kept: usize = shown.kept.iter().map(line).sum();
        kept + shown.kept.capacity() * size_of::<Kept>() + shown.pyramid.waiting()
    }

    /// The events of these steps: a step event each, and every 100 steps one of each other kind.
    fn events(steps: std::ops::Range<u64>) -> String {
        let mut text = String::new();
        let mut add = |event: Event| {
            let line = serde_json::to_string(&event).unwrap();
            // Writing to a string can't fail.
            let _ = writeln!(text, "{line}");
        };
        for step in steps {
            let what = Step {
                nats_per_token: Some(1.0 + 1.0 / step as f64),
                ..Step::default()
            };
            add(Event::new(0.0, step, what));
            if step % 100 == 0 {
                let layers = Layers {
                    names: (0..24).map(|i| format!("layers.{i}.mlp")).collect(),
                    grad_norm: vec![Some(0.123_456); 24],
                    ..Layers::default()
                };
                let sample = Sample {
                    text: "Once upon a time. ".repeat(20),
                    ..Sample::default()
                };
                add(Event::new(0.0, step, Eval::default()));
                add(Event::new(0.0, step, sample));
                add(Event::new(0.0, step, layers));
                add(Event::new(0.0, step, Lens::default()));
            }
        }
        text
    }

    #[test]
    fn a_day_of_training_takes_no_more_memory_than_an_hour() {
        let place = tempfile::tempdir().unwrap();
        let choice = Choice::Exact {
            path: place.path().join("run"),
            overwrite: false,
        };
        let folder = RunFolder::create(Arc::new(Disk), &choice).unwrap();
        folder.write_config("").unwrap();
        let mut log = std::fs::File::create(folder.events_path()).unwrap();
        let start = serde_json::to_string(&Event::new(0.0, 0, Start::default())).unwrap();
        writeln!(log, "{start}").unwrap();
        let mut shown = Shown::open(&folder).unwrap();
        // Five steps a second for a day, looked at a thousand times.
        let (each, looks) = (432, 1000);
        let mut sizes = Vec::new();
        for look in 0..looks {
            let steps = look * each + 1..(look + 1) * each + 1;
            log.write_all(events(steps).as_bytes()).unwrap();
            let news = shown.look();
            assert_eq!(news.steps, (look + 1) * each);
            // A page that has seen all earlier events asks for new ones.
            let serial = shown.news().serial;
            assert!(shown.events(serial).is_empty());
            assert!(shown.pyramid().slice(0.0, 1e9, 1500).unwrap().len() < 1560);
            sizes.push(bytes(&shown));
        }
        let half = looks as usize / 2;
        let early = sizes[..half].iter().max().unwrap();
        let late = sizes[half..].iter().max().unwrap();
        assert!(
            *late <= early + early / 20 && *late < 8 << 20,
            "{early} then {late} bytes"
        );
        assert!(shown.kept.len() <= 5 * MOST);
        assert!(shown.events(0).iter().any(|e| e.kind == "start"));
    }

    #[test]
    fn a_run_is_live_while_it_has_a_writer_and_what_was_seen_outlives_its_folder() {
        let place = tempfile::tempdir().unwrap();
        let choice = Choice::Exact {
            path: place.path().join("run"),
            overwrite: false,
        };
        let folder = RunFolder::create(Arc::new(Disk), &choice).unwrap();
        folder.write_config("").unwrap();
        let mut writer = folder.event_log().unwrap();
        let mut write = |step, what: What| writer.write(&Event::new(0.0, step, what)).unwrap();
        write(0, Start::default().into());
        write(1, Step::default().into());
        // As the page opens it: by its path, not as its writer.
        let reader = RunFolder::open(Arc::new(Disk), folder.path()).unwrap();
        let mut shown = Shown::open(&reader).unwrap();
        assert_eq!(shown.look().state, Condition::Live);
        write(1, run::End::default().into());
        assert_eq!(shown.look().state, Condition::Ended);
        write(1, Start::default().into());
        assert_eq!(shown.look().state, Condition::Live);
        // The folder holds the writer's lock.
        let path = folder.path().to_path_buf();
        drop((writer, folder));
        assert_eq!(shown.look().state, Condition::Stopped);
        std::fs::remove_dir_all(path).unwrap();
        let news = shown.look();
        assert_eq!((news.state, news.steps), (Condition::Gone, 1));
        assert!(!shown.events(0).is_empty());
    }
}
