//! The training loop: fill a batch, run the planned step, report; between steps evaluate, sample
//! and save. The trainer emits events and knows nothing of the screen.

use crate::cadence::Cadence;
use crate::error::{Error, Result};
use crate::profile::Profiler;
use crate::schedule::rate;
use crate::state::{self, State};
use crate::task::{Recording, Task};
use engine::{Device, HostMut, Optimizer, Plan, Purpose, Ready, Scalars};
use model::Config;
use run::{
    Checkpoint, End, Eval, Event, EventLog, Kind, RunFolder, Saved, Start, Step, Warning, What,
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
    /// Set by Ctrl-C: the run ends after the current step and saves its state.
    pub stop: &'a AtomicBool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are completed.
    Finished,
    /// Stopped by the user; the state is saved.
    Interrupted,
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
    recording: Recording,
    ready: Ready,
    optimizer: Optimizer,
    /// Steps completed.
    step: u64,
    train_seconds: f64,
    first_norm: f64,
    best: Option<(f64, u64)>,
    /// The last evaluation.
    last: Eval,
    /// The `start` event.
    about: Start,
    /// Step of the newest checkpoint.
    saved: Option<u64>,
    /// Set to request a checkpoint after the current step.
    wanted: Arc<AtomicBool>,
    profiler: Profiler,
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
        let optimizer = settings.config.optim.optimizer();
        let recording = task.record()?;
        let purpose = Purpose::Train(optimizer.clone());
        let plan = Plan::new(recording.graph.clone(), recording.micros, purpose)?
            .in_precision(settings.config.train.precision.of_products());
        let totals = engine::dry_run(&plan);
        device.create(recording.graph.variables(), Some(&optimizer))?;
        let ready = device.prepare(plan)?;
        // So that the reported memory includes evaluation and samples.
        task.prepare(device)?;
        let log = folder.event_log()?;
        let best = folder.checkpoints().list()?.into_iter();
        let best = best.filter_map(|c| Some((c.loss?, c.step)));
        let mut trainer = Trainer {
            best: best.min_by(|a, b| a.0.total_cmp(&b.0)),
            cadence: Cadence::new(&settings.config),
            settings,
            task,
            device,
            folder,
            log,
            screen,
            recording,
            ready,
            optimizer,
            step: 0,
            train_seconds: 0.0,
            first_norm: 0.0,
            last: Eval::default(),
            about: Start::default(),
            saved: None,
            wanted: Arc::default(),
            profiler: Profiler::default(),
        };
        match from {
            None => trainer
                .task
                .initialize(trainer.device, &trainer.recording.graph)?,
            Some(checkpoint) => trainer.restore(checkpoint)?,
        }
        trainer.start(totals)?;
        Ok(trainer)
    }

    /// Saves a checkpoint whenever this flag is set, then clears it.
    pub fn save_when(&mut self, wanted: Arc<AtomicBool>) {
        self.wanted = wanted;
    }

    fn restore(&mut self, from: &Checkpoint) -> Result<()> {
        let state = state::load(from)?;
        self.task.restore(self.device, from)?;
        let variables = self.recording.graph.variables();
        state::restore(self.device, variables, &self.optimizer, from)?;
        self.step = state.step;
        self.train_seconds = state.train_seconds;
        self.first_norm = state.first_norm;
        self.saved = Some(state.step);
        Ok(())
    }

    fn start(&mut self, totals: engine::Totals) -> Result<()> {
        let config = &self.settings.config;
        let mut start = Start {
            run: self.folder.path().display().to_string(),
            parameters: totals.parameters,
            steps: config.train.steps as u64,
            flops_per_step: totals.flops,
            bytes_peak: self.device.bytes(),
            threads: self.settings.threads as u64,
            processor: engine::processor(),
            precision: match config.train.precision.of_products() {
                _ if self.recording.double => "f64",
                engine::Precision::F32 => "f32",
                engine::Precision::Bf16 => "bf16",
            }
            .into(),
            seed: config.train.seed,
            version: env!("CARGO_PKG_VERSION").into(),
            ..Start::default()
        };
        self.task.describe(&mut start);
        // A fit takes less time than the measurement.
        if start.kind() == Kind::Language {
            let precision = config.train.precision.of_products();
            start.peak_flops_per_second = self.device.peak(precision)?;
        }
        self.about = start.clone();
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
        if self.step == 0 {
            self.measure(false)?;
            self.sample()?;
            self.probe()?;
        }
        let mut settled = false;
        let mut last = self.cadence.is_last(self.step);
        while !last && !self.stopped() {
            settled = self.train_step()?;
            last = self.cadence.is_last(self.step) || settled;
            if !last && !self.stopped() {
                self.between()?;
            }
        }
        // A late Ctrl-C doesn't interrupt a run that is complete.
        if !last {
            self.save(None)?;
            self.end("interrupted")?;
            return Ok(Outcome::Interrupted);
        }
        let subset = self.measure(false)?;
        if !self.last.full {
            self.measure(true)?;
        }
        self.sample()?;
        self.probe()?;
        self.save(Some(subset))?;
        self.end(if settled { "target" } else { "finished" })?;
        Ok(Outcome::Finished)
    }

    fn stopped(&self) -> bool {
        self.settings.stop.load(Ordering::Relaxed)
    }

    /// Runs one step; returns whether the task can stop early.
    fn train_step(&mut self) -> Result<bool> {
        let from = Instant::now();
        let config = &self.settings.config;
        let lr = rate(&config.optim, self.step, config.train.steps as u64);
        self.task.fill(self.device, self.ready, self.step)?;
        let scalars = Scalars {
            seed: config.train.seed,
            step: self.step,
            rate: lr,
            loss_weight: self.recording.loss_weight,
        };
        if self.cadence.profiles(self.step) {
            let kinds = self.device.run_profiled(self.ready, &scalars)?;
            self.profiler.add(kinds);
        } else {
            self.device.run(self.ready, &scalars)?;
        }
        let mut shares = vec![0.0f64; self.recording.micros];
        let cost = self.recording.cost;
        self.device
            .read(self.ready, cost, HostMut::Double(&mut shares))?;
        let (cost, norm) = (shares.iter().sum::<f64>(), self.device.norm());
        let seconds = from.elapsed().as_secs_f64();
        if !cost.is_finite() || !norm.is_finite() {
            return Err(self.not_finite(cost));
        }
        self.step += 1;
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
        self.emit(event)?;
        Ok(self.task.settled(self.step, norm / self.first_norm))
    }

    fn not_finite(&mut self, cost: f64) -> Error {
        let path = self.folder.path().display();
        Error::NotFinite {
            step: self.step + 1,
            what: if cost.is_finite() { "gradient" } else { "loss" },
            advice: match self.saved {
                Some(step) => format!("The checkpoint of step {step} in {path} is intact."),
                None => "No checkpoint had been saved yet.".into(),
            },
        }
    }

    /// The work between two steps.
    fn between(&mut self) -> Result<()> {
        let wanted = self.wanted.swap(false, Ordering::Relaxed);
        let evaluates = self.cadence.evaluates(self.step);
        let saves = wanted || self.cadence.saves(self.step);
        let loss = match evaluates || saves {
            true => Some(self.measure(false)?),
            false => None,
        };
        if evaluates {
            self.probe()?;
        }
        if self.cadence.samples(self.step) {
            self.sample()?;
        }
        if saves {
            self.save(loss)?;
        }
        Ok(())
    }

    /// Evaluates the model and emits the event; returns the loss.
    fn measure(&mut self, full: bool) -> Result<f64> {
        let mut measured = self.task.evaluate(self.device, full)?;
        // Always measured on the same tokens, so that "best" compares like with like.
        if !full {
            measured.event.best = self.best.is_none_or(|(least, _)| measured.loss < least);
            if measured.event.best {
                self.best = Some((measured.loss, self.step));
            }
        }
        self.last = measured.event;
        self.emit(self.last.clone())?;
        Ok(measured.loss)
    }

    fn sample(&mut self) -> Result<()> {
        if let Some(sample) = self.task.sample(self.device)? {
            self.emit(sample)?;
        }
        Ok(())
    }

    fn probe(&mut self) -> Result<()> {
        let mut seen = self.task.probe(self.device, self.step)?;
        if !seen.is_empty() {
            seen.extend(self.profiler.take().map(What::from));
        }
        for what in seen {
            self.emit(what)?;
        }
        Ok(())
    }

    fn save(&mut self, loss: Option<f64>) -> Result<()> {
        if self.saved == Some(self.step) {
            return Ok(());
        }
        let from = Instant::now();
        let config = &self.settings.config;
        let state = State {
            step: self.step,
            train_seconds: self.train_seconds,
            first_norm: self.first_norm,
            config: config.to_toml(),
        };
        let mut files = self.task.files(self.device)?;
        files.extend(state::save(
            self.device,
            self.recording.graph.variables(),
            &self.optimizer,
            self.recording.double,
            &state,
        )?);
        let checkpoints = self.folder.checkpoints();
        let path = checkpoints.save(self.step, loss.filter(|l| l.is_finite()), files)?;
        checkpoints.prune(config.checkpoint.keep)?;
        self.saved = Some(self.step);
        self.emit(Saved {
            path: path.display().to_string(),
            seconds: from.elapsed().as_secs_f64(),
        })
    }

    fn end(&mut self, reason: &str) -> Result<()> {
        let last = self.last.clone();
        self.emit(End {
            train_seconds: self.train_seconds,
            wall_seconds: self.settings.began.elapsed().as_secs_f64(),
            val_nats_per_token: last.val_nats_per_token,
            val_bits_per_byte: last.val_bits_per_byte,
            mse: last.mse,
            r2: last.r2,
            peak_bytes: peak_bytes(),
            floor_bits_per_byte: self.about.floor_bits_per_byte,
            best_step: self.best.map(|(_, step)| step),
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
