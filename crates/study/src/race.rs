//! A race: runs of several recipes and seeds take turns on one machine, so that a slowdown of the
//! machine affects all of them alike. Each is a run like any other, and ends with the same bits
//! as if it were trained alone.

mod standing;

pub use standing::{Advantage, Standing};

use engine::{Cpu, CpuSettings};
use run::{End, Event, What};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use train::{Error, Job, Outcome, Result, Trainer, TrainerSettings};

/// Turns of a run, at most: all runs have done the same share of their steps after each round.
const TURNS: usize = 100;
/// Steps of a turn, at least: its first one finds the caches filled by another run.
const STEPS: usize = 10;

/// How a run of a race ended.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// All its steps are done.
    Finished(Box<End>),
    /// Stopped by the user; its state is saved.
    Interrupted,
    /// Its numbers were no longer finite: the message.
    Diverged(String),
}

/// Trains all lanes in turns. `show` gets every event with the number of its lane.
///
/// # Errors
/// If a file or the device fails; the other runs are stopped and saved. A run that diverges doesn't
/// end the race.
pub fn run(
    lanes: &mut [Job],
    threads: usize,
    stop: &AtomicBool,
    show: &mut dyn FnMut(usize, &Event),
) -> Result<Vec<Arrival>> {
    let ends: Vec<RefCell<End>> = lanes.iter().map(|_| RefCell::default()).collect();
    let show = RefCell::new(show);
    let mut screens: Vec<_> = (0..lanes.len())
        .map(|number| {
            let (show, ends) = (&show, &ends);
            move |event: &Event| {
                if let What::End(end) = &event.what {
                    ends[number].replace(end.clone());
                }
                (*show.borrow_mut())(number, event);
            }
        })
        .collect();
    let mut devices: Vec<Cpu> = lanes
        .iter()
        .map(|_| Cpu::new(CpuSettings::with_threads(threads)))
        .collect();
    let mut trainers = Vec::new();
    let mut written = Vec::new();
    let parts = lanes.iter_mut().zip(&mut devices).zip(&mut screens);
    for ((lane, device), screen) in parts {
        let settings = TrainerSettings {
            config: lane.settings.config.clone(),
            threads,
            began: Instant::now(),
            deadline: lane.deadline,
            stop,
        };
        let (task, folder) = (&mut lane.task, &lane.folder);
        let mut trainer = Trainer::new(settings, task, device, folder, lane.from.as_ref(), screen)?;
        for note in std::mem::take(&mut lane.notes) {
            trainer.warn(note)?;
        }
        trainers.push(trainer);
        written.push((&mut lane.settings, folder, lane.deadline.is_some()));
    }
    let steps = written.iter().map(|(s, ..)| s.config.train.steps).max();
    let turns = (steps.unwrap_or(0) / STEPS).clamp(1, TURNS);
    let mut failed = None;
    let mut outcomes: Vec<Option<Arrival>> = trainers.iter().map(|_| None).collect();
    let mut turn = 0;
    while outcomes.iter().any(Option::is_none) {
        turn += 1;
        let share = (f64::from(turn) / turns as f64).min(1.0);
        let waiting = outcomes.iter_mut().zip(&mut trainers).zip(&mut written);
        let waiting = waiting.zip(&ends).filter(|(((o, _), _), _)| o.is_none());
        for (((outcome, trainer), (settings, folder, timed)), end) in waiting {
            *outcome = match trainer.turn(share) {
                Ok(None) => continue,
                Ok(Some(Outcome::Finished)) => {
                    Some(Arrival::Finished(Box::new(end.borrow().clone())))
                }
                Ok(Some(Outcome::Interrupted)) => Some(Arrival::Interrupted),
                Err(Error::NotFinite { what, .. }) => Some(Arrival::Diverged(what)),
                Err(error) => {
                    // The other runs stop too, and are saved.
                    stop.store(true, Ordering::Relaxed);
                    failed.get_or_insert(error);
                    Some(Arrival::Interrupted)
                }
            };
            if *timed {
                // With the steps that the clock allowed, so that the run can be repeated.
                settings.config = trainer.config().clone();
                folder.write_config(&settings.to_toml()?)?;
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(outcomes.into_iter().flatten().collect()),
    }
}
