//! The cost of a language model at any weights: nats per token on a fixed batch of its run's
//! validation text, and the gradient there.

use super::error::{Error, Result};
use data::JobControl;
use engine::{
    Cpu, CpuSettings, Device, Field, Host, HostMut, Optimizer, Plan, Purpose, Ready, Scalars,
    UNCOUNTED, Variable,
};
use model::hugging_face::WEIGHTS;
use model::{Config, Training};
use run::{Checkpoint, RunFolder, Which};
use session::tokenizer;
use train::{Corpus, Settings};

/// A run of a language model, opened for reading: a live run too, whose checkpoints are on disk.
pub struct StudiedRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Its config.
    pub config: Config,
    /// Its text.
    pub corpus: Corpus,
    /// Its checkpoints with a valid manifest, in order of step; at least one.
    pub checkpoints: Vec<Checkpoint>,
}

impl StudiedRun {
    /// Opens a run, and reads its text.
    ///
    /// # Errors
    /// If it isn't a run of a language model, has no checkpoint, or its text isn't the one it was
    /// trained on.
    pub fn open(folder: RunFolder, control: &JobControl) -> Result<StudiedRun> {
        let Settings { config, source } = Settings::read(&folder, &[])?;
        let checkpoints = folder.checkpoints().list()?;
        let Some(last) = checkpoints.last() else {
            return Err(Error::NoCheckpoints(folder.path().to_path_buf()));
        };
        let tokenizer = Some(tokenizer(last)?);
        let corpus = Corpus::of_run(&folder, &source, &config, tokenizer, control)?;
        Ok(StudiedRun {
            folder,
            config,
            corpus,
            checkpoints,
        })
    }
}

/// The other end of a line.
pub struct OtherEnd {
    /// The run, as it is shown.
    pub run: String,
    /// Its last checkpoint.
    pub checkpoint: Checkpoint,
}

impl StudiedRun {
    /// Bytes that a landscape needs: those of a training step, and the weights of all checkpoints.
    ///
    /// # Errors
    /// If the model's numbers don't fit together.
    pub fn bytes(&self) -> Result<u64> {
        let vocabulary = self.corpus.tokenizer.vocabulary_size();
        let weights = (self.checkpoints.iter())
            .filter_map(|c| std::fs::metadata(c.path.join(WEIGHTS)).ok())
            .map(|file| file.len());
        Ok(train::memory(&self.config, vocabulary)? + weights.sum::<u64>())
    }

    /// The last checkpoint of another run, if there is a line from this run's model to its.
    ///
    /// # Errors
    /// If their shapes or tokenizers differ, or it has no checkpoint.
    pub fn other_end(&self, other: &RunFolder) -> Result<OtherEnd> {
        let theirs = Settings::read(other, &[])?.config;
        let no_line = |what: String| Error::NoLine {
            run: self.folder.path().to_path_buf(),
            other: other.path().to_path_buf(),
            what,
        };
        let differs = self.config.differences(&theirs).into_iter();
        let shape = differs.filter(|d| d.key.starts_with("model.") && d.key != "model.dropout");
        let shape = shape.map(|d| format!("{} ({} and {})", d.key, d.mine, d.theirs));
        let shape: Vec<String> = shape.collect();
        if !shape.is_empty() {
            return Err(no_line(format!("they differ in {}", shape.join(", "))));
        }
        let checkpoint = other.checkpoints().open(Which::Last)?;
        match tokenizer(&checkpoint)? == self.corpus.tokenizer {
            true => Ok(OtherEnd {
                run: other.path().display().to_string(),
                checkpoint,
            }),
            false => Err(no_line("they have different tokenizers".into())),
        }
    }
}

/// The cost as a function of all weights. They are one list of numbers: the parameters in the order
/// of [`ModelCost::variables`], each row-major.
pub struct ModelCost {
    config: Config,
    training: Training,
    variables: Vec<Variable>,
    device: Cpu,
    forward: Ready,
    /// The optimizer, its gradients and its step.
    descent: Option<(Optimizer, Ready, Ready)>,
    inputs: Vec<u32>,
    targets: Vec<u32>,
    counted: usize,
}

impl ModelCost {
    /// Prepares the cost on the first `tokens` tokens of the run's validation part, in whole
    /// windows; of a text that is nothing but questions, only answers count. With an optimizer,
    /// gradients and its updates are available too.
    ///
    /// # Errors
    /// If memory can't be allocated.
    pub fn new(
        run: &StudiedRun,
        tokens: usize,
        threads: usize,
        optimizer: Option<&Optimizer>,
    ) -> Result<ModelCost> {
        let time = run.config.model.context;
        let text = &run.corpus.validation;
        let predicted = (text.len() - 1).min(tokens.max(1));
        let windows = (predicted / time).max(1);
        // A text shorter than one window is filled up with tokens that don't count.
        let predicted = predicted.min(windows * time);
        let inputs = text[..predicted].to_vec();
        let mut targets = text[1..=predicted].to_vec();
        let line = run.corpus.questions.as_ref().and_then(|q| q.line);
        for (at, target) in targets.iter_mut().enumerate() {
            if line.is_some_and(|line| !line.counts(at)) {
                *target = UNCOUNTED;
            }
        }

        // The trainer's own recording, without what only training has.
        let mut config = run.config.clone();
        (config.train.batch, config.train.members) = (windows, 1);
        config.model.dropout = 0.0;
        let training = Training::record(&config, run.corpus.tokenizer.vocabulary_size())?;
        let graph = &training.decoder.graph;
        let all = graph.variables().iter();
        let variables: Vec<Variable> = all.filter(|v| v.is_parameter()).cloned().collect();
        let mut device = Cpu::new(CpuSettings::with_threads(threads));
        device.create(graph.variables(), optimizer)?;
        let mut ready = |purpose| -> Result<Ready> {
            Ok(device.prepare(Plan::new(graph.clone(), training.micros, purpose)?)?)
        };
        let forward = ready(Purpose::Infer)?;
        let descent = match optimizer {
            None => None,
            Some(optimizer) => Some((
                optimizer.clone(),
                ready(Purpose::Gradients)?,
                ready(Purpose::Train(optimizer.clone()))?,
            )),
        };
        Ok(ModelCost {
            config,
            variables,
            device,
            forward,
            descent,
            counted: targets.iter().filter(|&&t| t != UNCOUNTED).count(),
            training,
            inputs,
            targets,
        })
    }

    /// Number of tokens that are predicted.
    pub fn tokens(&self) -> usize {
        self.counted
    }

    /// The tokens that are read, in windows of one context, and the next of each; one that doesn't
    /// count is [`UNCOUNTED`].
    pub fn text(&self) -> (&[u32], &[u32]) {
        (&self.inputs, &self.targets)
    }

    /// The parameters.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.variables.iter().map(Variable::len).sum()
    }

    /// The weights of a checkpoint.
    ///
    /// # Errors
    /// If it is damaged or has another shape.
    pub fn of(&mut self, checkpoint: &Checkpoint) -> Result<Vec<f32>> {
        let (shape, variables) = (&self.config.model, &self.variables);
        train::weights(
            &mut self.device,
            checkpoint,
            shape,
            variables,
            &str::to_owned,
        )?;
        self.read(Field::Weight)
    }

    /// The cost at these weights, in nats per token.
    ///
    /// # Errors
    /// If there are more or fewer weights than the model has, or the device fails.
    pub fn at(&mut self, weights: &[f32]) -> Result<f64> {
        self.write(weights)?;
        self.run(self.forward, 0.0, 0)
    }

    /// The cost at these weights and its gradient, in the same order.
    ///
    /// # Errors
    /// As [`ModelCost::at`]; also if the cost was prepared without an optimizer.
    pub fn gradient(&mut self, weights: &[f32]) -> Result<(f64, Vec<f32>)> {
        let &(_, gradients, _) = self.descent.as_ref().ok_or(Error::NoGradient)?;
        self.write(weights)?;
        let cost = self.run(gradients, 0.0, 0)?;
        Ok((cost, self.read(Field::Gradient)?))
    }

    /// The cost at these weights, and the weights after one update by the optimizer, whose state
    /// stays for the next one; `step` 0 begins with an empty state.
    ///
    /// # Errors
    /// As [`ModelCost::gradient`].
    pub fn update(&mut self, weights: &[f32], rate: f64, step: u64) -> Result<(f64, Vec<f32>)> {
        let (optimizer, _, ready) = self.descent.as_ref().ok_or(Error::NoGradient)?;
        let ready = *ready;
        if step == 0 {
            for v in &self.variables {
                for (state, len) in optimizer.states(v).into_iter().enumerate() {
                    let zeros = vec![0.0; len];
                    let (field, zeros) = (Field::State(state), Host::Real(&zeros));
                    self.device.write_variable(&v.name, field, zeros)?;
                }
            }
        }
        self.write(weights)?;
        let cost = self.run(ready, rate, step)?;
        Ok((cost, self.read(Field::Weight)?))
    }

    fn run(&mut self, ready: Ready, rate: f64, step: u64) -> Result<f64> {
        let device = &mut self.device;
        self.training
            .fill(device, ready, &self.inputs, &self.targets)?;
        let scalars = Scalars {
            seed: 0,
            step,
            rate,
            loss_weight: 1.0 / self.counted as f64,
        };
        device.run(ready, &scalars)?;
        let rows = self.training.micros * self.training.sequences * self.config.model.context;
        let mut nats = vec![0.0f32; rows];
        if let Some((_, each)) = self.training.decoder.cost {
            device.read(ready, each, HostMut::Real(&mut nats))?;
        }
        // Tokens that don't count have a cost of 0.
        Ok(nats.iter().map(|&nats| f64::from(nats)).sum::<f64>() / self.counted as f64)
    }

    fn write(&mut self, weights: &[f32]) -> Result<()> {
        let (found, expected) = (weights.len(), self.weights());
        if found != expected {
            let value = "weights".into();
            return Err(engine::Error::Host {
                value,
                expected,
                found,
            }
            .into());
        }
        let mut rest = weights;
        for v in &self.variables {
            let (own, others) = rest.split_at(v.len());
            let host = Host::Real(own);
            self.device.write_variable(&v.name, Field::Weight, host)?;
            rest = others;
        }
        Ok(())
    }

    fn read(&self, field: Field) -> Result<Vec<f32>> {
        let mut all = vec![0.0; self.weights()];
        let mut rest = &mut all[..];
        for v in &self.variables {
            let (own, others) = rest.split_at_mut(v.len());
            let host = HostMut::Real(own);
            self.device.read_variable(&v.name, field, host)?;
            rest = others;
        }
        Ok(all)
    }
}
