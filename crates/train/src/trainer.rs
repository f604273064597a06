//! The training loop: fill a batch, run the planned step, report; between steps evaluate, sample
//! and save. The trainer emits events and knows nothing of the screen.

mod best;
mod looking;
mod saving;
mod timing;

use self::best::Best;
use crate::average::Average;
use crate::cadence::Cadence;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::patience::Patience;
use crate::profile::Profiler;
use crate::schedule::rate;
use crate::state;
use crate::task::{Recording, Task};
use engine::{Device, HostMut, Optimizer, Plan, Purpose, Ready, Scalars, Variable};
use model::{Config, Pace};
use run::{
    Checkpoint, End, Eval, Event, EventLog, Kind, RunFolder, Smoothed, Start, Step, Warning, What,
    now, peak_bytes,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Settings of a training run.
pub struct TrainerSettings<'a> {
    /// The config.
    pub config: Config,
    /// Number of threads.
    pub threads: usize,
    /// When the program started, for `wall_seconds`.
    pub began: Instant,
    /// When the run has to be over, for one that ends on time.
    pub deadline: Option<Deadline>,
    /// Set by Ctrl-C: the run ends after the current step, or batch of an evaluation, and saves its
    /// state.
    pub stop: &'a AtomicBool,
}

/// The end of a run that has to be over on time.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// Seconds from the program's start to the end of the run.
    pub seconds: f64,
    /// The measured duration of a training step, in seconds.
    pub step_seconds: f64,
    /// The expected loss at the end in bits per byte: the low end of an interval, the most likely
    /// value, and the high end.
    pub forecast: Option<[f64; 3]>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are completed.
    Finished,
    /// Stopped by the user; the state is saved.
    Interrupted,
}

/// A recorded step, and its place on the device.
struct Prepared {
    recording: Recording,
    ready: Ready,
}

/// The trainer.
pub struct Trainer<'a> {
    settings: TrainerSettings<'a>,
    cadence: Cadence,
    task: &'a mut dyn Task,
    device: &'a mut dyn Device,
    folder: &'a RunFolder,
    log: EventLog,
    screen: &'a mut dyn FnMut(&Event),
    /// The step, and if the run begins with short windows, the step with those.
    steps: Vec<Prepared>,
    /// Index of the current one.
    part: usize,
    /// What is learned.
    variables: Vec<Variable>,
    optimizer: Optimizer,
    average: Average,
    pace: Pace,
    clock: Option<Clock>,
    /// Steps done.
    step: u64,
    train_seconds: f64,
    first_norm: f64,
    smoothed: Smoothed,
    patience: Patience,
    /// The least loss measured on the fixed subset, whether or not a checkpoint was saved there.
    least: Option<f64>,
    best: Option<Best>,
    /// The last evaluation.
    last: Eval,
    /// The last loss on the fixed subset, and its step.
    loss: Option<(u64, f64)>,
    /// The `start` event.
    about: Start,
    /// Step of the newest checkpoint.
    saved: Option<u64>,
    /// The step that this session began with, until it has saved: newer checkpoints are of a course
    /// that was left.
    began: Option<u64>,
    /// Set to request a checkpoint after the current step.
    wanted: Arc<AtomicBool>,
    profiler: Profiler,
    /// When the last turn ended: the time until the next one isn't this run's.
    paused: Instant,
}

/// Creates the variables and prepares the step, or both steps, on the device. The totals are those
/// of a step with whole windows, but the work is that of an average step.
fn prepare(
    config: &Config,
    task: &mut dyn Task,
    device: &mut dyn Device,
) -> Result<(Vec<Prepared>, engine::Totals)> {
    let optimizer = config.optimizer();
    let plan = |recording: &Recording| {
        let purpose = Purpose::Train(optimizer.clone());
        let plan = Plan::new(recording.graph.clone(), recording.micros, purpose);
        plan.map(|plan| plan.in_precision(config.train.precision.of_products()))
    };
    let recording = task.record()?;
    let whole = plan(&recording)?;
    let mut totals = engine::dry_run(&whole);
    device.create(recording.graph.variables(), Some(&optimizer))?;
    let ready = device.prepare(whole)?;
    let mut steps = vec![Prepared { recording, ready }];
    if config.short().is_some() {
        task.shorten(true);
        let recording = task.record()?;
        let short = plan(&recording)?;
        let less = totals.flops.saturating_sub(engine::dry_run(&short).flops) as f64;
        totals.flops -= (config.train.short_share * less) as u64;
        let ready = device.prepare(short)?;
        steps.push(Prepared { recording, ready });
    }
    Ok((steps, totals))
}

impl<'a> Trainer<'a> {
    /// Prepares a run: a new one, or one resumed from a checkpoint.
    ///
    /// # Errors
    /// If memory can't be allocated, or the checkpoint doesn't belong to this run.
    pub fn new(
        settings: TrainerSettings<'a>,
        task: &'a mut dyn Task,
        device: &'a mut dyn Device,
        folder: &'a RunFolder,
        from: Option<&Checkpoint>,
        screen: &'a mut dyn FnMut(&Event),
    ) -> Result<Trainer<'a>> {
        let optimizer = settings.config.optimizer();
        let (steps, totals) = prepare(&settings.config, task, device)?;
        // So that the reported memory includes evaluation and samples.
        task.prepare(device)?;
        let train = &settings.config.train;
        if steps[0].recording.double && train.average > 0.0 {
            return Err(Error::Task(
                "train.average is for language models: set it to 0".into(),
            ));
        }
        let (average, pace) = (Average::new(train.average), train.pace());
        let log = folder.event_log()?;
        let all = steps[0].recording.graph.variables().iter();
        let variables = all.filter(|v| v.is_parameter()).cloned().collect();
        let mut trainer = Trainer {
            least: None,
            best: None,
            cadence: Cadence::new(&settings.config),
            settings,
            task,
            device,
            folder,
            log,
            screen,
            steps,
            part: 0,
            variables,
            optimizer,
            average,
            pace,
            clock: None,
            step: 0,
            train_seconds: 0.0,
            first_norm: 0.0,
            smoothed: Smoothed::default(),
            patience: Patience::default(),
            last: Eval::default(),
            loss: None,
            about: Start::default(),
            saved: None,
            began: Some(0),
            wanted: Arc::default(),
            profiler: Profiler::default(),
            paused: Instant::now(),
        };
        match from {
            None => trainer
                .task
                .initialize(trainer.device, &trainer.steps[0].recording.graph)?,
            Some(checkpoint) => trainer.restore(checkpoint)?,
        }
        if let Err(error) = trainer.start(totals) {
            return Err(trainer.unsaved(error));
        }
        trainer.paused = Instant::now();
        Ok(trainer)
    }

    /// Saves a checkpoint whenever this flag is set, then clears it.
    pub fn save_when(&mut self, wanted: Arc<AtomicBool>) {
        self.wanted = wanted;
    }

    fn restore(&mut self, from: &Checkpoint) -> Result<()> {
        let state = state::load(from)?;
        self.task.restore(self.device, from)?;
        let variables = &self.variables;
        state::restore(self.device, variables, &self.optimizer, from)?;
        let at = (state.step, state.averaged);
        self.average
            .restore(self.device, variables, from, at, &self.pace)?;
        self.step = state.step;
        self.train_seconds = state.train_seconds;
        self.first_norm = state.first_norm;
        self.smoothed = state.smoothed;
        self.patience = state.patience;
        self.saved = Some(state.step);
        self.began = Some(state.step);
        Ok(())
    }

    fn start(&mut self, totals: engine::Totals) -> Result<()> {
        let config = &self.settings.config;
        let mut start = Start {
            run: self.folder.path().display().to_string(),
            parameters: totals.parameters,
            steps: self.pace.total(),
            smoothed_loss: self.smoothed.value(),
            flops_per_step: totals.flops,
            bytes_peak: self.device.bytes() + self.average.bytes(&self.variables),
            threads: self.settings.threads as u64,
            processor: engine::processor(),
            precision: match config.train.precision.of_products() {
                _ if self.steps[0].recording.double => "f64",
                engine::Precision::F32 => "f32",
                engine::Precision::Bf16 => "bf16",
            }
            .into(),
            seed: config.train.seed,
            version: env!("CARGO_PKG_VERSION").into(),
            ..Start::default()
        };
        self.task.describe(&mut start);
        if let Some(deadline) = self.settings.deadline {
            start.planned_seconds = Some(deadline.seconds);
            start.predicted_low = deadline.forecast.map(|f| f[0]);
            start.predicted_bits_per_byte = deadline.forecast.map(|f| f[1]);
            start.predicted_high = deadline.forecast.map(|f| f[2]);
        }
        // A fit takes less time than the measurement.
        if start.kind() == Kind::Language {
            let precision = config.train.precision.of_products();
            start.peak_flops_per_second = self.device.peak(precision)?;
        }
        self.about = start.clone();
        self.find_best()?;
        self.emit(start)
    }

    /// Emits an event, stamped with the steps completed so far.
    fn emit(&mut self, what: impl Into<What>) -> Result<()> {
        let event = Event::new(now(), self.step, what);
        self.log.write(&event)?;
        (self.screen)(&event);
        Ok(())
    }

    /// Trains to the last step, or until stopped.
    ///
    /// # Errors
    /// If a file or the device fails or a number is not finite; the last checkpoint stays intact.
    pub fn run(&mut self) -> Result<Outcome> {
        loop {
            if let Some(outcome) = self.turn(1.0)? {
                return Ok(outcome);
            }
        }
    }

    /// Trains until this share of all steps is done, at least one step; returns the outcome if that
    /// ended the run.
    fn train_until(&mut self, share: f64) -> Result<Option<Outcome>> {
        let result = self.train(share);
        if let Err(Error::NotFinite { what, .. }) = &result {
            // Events have null for such a number: the log says why. The error itself matters more.
            let _ = self.warn(what.clone());
        }
        result.map_err(|error| self.unsaved(error))
    }

    fn train(&mut self, share: f64) -> Result<Option<Outcome>> {
        if self.step == 0 {
            let looked = self.look();
            unless_stopped(looked)?;
        }
        let (mut settled, mut best) = (false, false);
        let mut last = self.cadence.is_last(self.step);
        while !last && !self.stopped() {
            settled = self.train_step()?;
            self.keep_time()?;
            last = self.cadence.is_last(self.step) || settled;
            if !last && !self.stopped() {
                let between = self.between();
                best = unless_stopped(between)?.unwrap_or(false);
                last = best;
                let done = self.step as f64 >= share * self.pace.total() as f64;
                if done && !last && !self.stopped() {
                    return Ok(None);
                }
            }
        }
        // Before the last evaluation, which may take long.
        self.save()?;
        let finished = match last {
            true => {
                let judged = self.judge();
                unless_stopped(judged)?.is_some()
            }
            false => false,
        };
        let (reason, outcome) = match finished {
            true if settled => ("target", Outcome::Finished),
            true if best => ("best", Outcome::Finished),
            true => ("finished", Outcome::Finished),
            false => ("interrupted", Outcome::Interrupted),
        };
        self.end(reason)?;
        Ok(Some(outcome))
    }

    /// The config with the number of steps as it turned out.
    pub fn config(&self) -> &Config {
        &self.settings.config
    }

    fn stopped(&self) -> bool {
        self.settings.stop.load(Ordering::Relaxed)
    }

    /// Enters the part of the run that the step after `done` of them belongs to. The last step
    /// always has whole windows.
    fn enter_part(&mut self, done: u64) {
        let end = self.settings.config.train.short_share * self.pace.places() as f64;
        let early = self.pace.place(done) < end && done + 1 < self.pace.total();
        let short = early && self.steps.len() > 1;
        if !short && self.part == 1 {
            // Losses over short windows aren't comparable with those to come.
            self.least = None;
            self.patience = Patience::default();
        }
        self.part = usize::from(short);
        self.task.shorten(short);
    }

    /// Runs one step; returns whether the task can stop early.
    fn train_step(&mut self) -> Result<bool> {
        let from = Instant::now();
        self.enter_part(self.step);
        let config = &self.settings.config;
        let lr = rate(&config.optim, self.step, &self.pace);
        let Prepared { recording, ready } = &self.steps[self.part];
        self.task.fill(self.device, *ready, self.step)?;
        let scalars = Scalars {
            seed: config.train.seed,
            step: self.step,
            rate: lr,
            loss_weight: recording.loss_weight,
        };
        if self.cadence.profiles(self.step) {
            let kinds = self.device.run_profiled(*ready, &scalars)?;
            self.profiler.add(kinds);
        } else {
            self.device.run(*ready, &scalars)?;
        }
        let mut shares = vec![0.0f64; recording.micros];
        let cost = recording.cost;
        self.device
            .read(*ready, cost, HostMut::Double(&mut shares))?;
        let (cost, norm) = (shares.iter().sum::<f64>(), self.device.norm());
        if !cost.is_finite() || !norm.is_finite() {
            let what = if cost.is_finite() { "gradient" } else { "loss" };
            let step = self.step + 1;
            return Err(self.not_finite(format!(
                "step {step}: the {what} is not finite, so the step was not applied"
            )));
        }
        self.step += 1;
        let variables = &self.variables;
        let at = (self.step, &self.pace);
        self.average.look(self.device, variables, at)?;
        let seconds = from.elapsed().as_secs_f64();
        self.train_seconds += seconds;
        if self.step == 1 {
            self.first_norm = norm;
        }
        let mut event = Step {
            grad_norm: norm,
            lr,
            step_seconds: seconds,
            tokens_per_second: self.about.tokens_per_step as f64 / seconds,
            ..Step::default()
        };
        self.task.report(cost, &mut event);
        if let Some(loss) = event.nats_per_token.or(event.mse) {
            self.smoothed.add(loss);
        }
        self.emit(event)?;
        Ok(self.task.settled(self.step, norm / self.first_norm))
    }

    /// The work between two steps; returns whether the model is at its best.
    fn between(&mut self) -> Result<bool> {
        let wanted = self.wanted.swap(false, Ordering::Relaxed);
        let evaluates = self.cadence.evaluates(self.step);
        let mut saves = wanted || self.cadence.saves(self.step);
        if evaluates || saves {
            self.measure()?;
        }
        if evaluates {
            saves |= self.judge_between();
            self.probe()?;
        }
        if self.cadence.samples(self.step) {
            self.sample()?;
        }
        if saves {
            self.save()?;
        }
        Ok(evaluates && self.patience.is_over(&self.settings.config.train))
    }

    fn end(&mut self, reason: &str) -> Result<()> {
        let best = self.best.as_ref();
        let eval = best.map(|best| best.eval.clone()).unwrap_or_default();
        let best_step = best.map(|best| best.step);
        let tokens = self.step * self.about.tokens_per_step;
        let epochs = tokens as f64 / self.about.train_tokens.max(1) as f64;
        self.emit(End {
            train_seconds: self.train_seconds,
            wall_seconds: self.settings.began.elapsed().as_secs_f64(),
            val_nats_per_token: eval.val_nats_per_token,
            val_bits_per_byte: eval.val_bits_per_byte,
            mse: eval.mse,
            r2: eval.r2,
            peak_bytes: peak_bytes(),
            floor_bits_per_byte: self.about.floor_bits_per_byte,
            accuracy_train: eval.accuracy_train,
            accuracy_held_out: eval.accuracy_held_out,
            averaged: eval.averaged,
            tokens,
            epochs,
            helps: self.helps(reason, eval.val_bits_per_byte, epochs),
            best_step,
            reason: reason.into(),
            run: self.folder.path().display().to_string(),
        })
    }

    /// Emits a message for the user.
    ///
    /// # Errors
    /// If the event log can't be written.
    pub fn warn(&mut self, message: String) -> Result<()> {
        self.emit(Warning { message })
    }
}

/// `None` where work was left because the user asked to stop.
fn unless_stopped<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(Error::Session(session::Error::Stopped)) => Ok(None),
        other => other.map(Some),
    }
}
