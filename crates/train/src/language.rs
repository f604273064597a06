//! Language modeling: predict the next token of a text.

use crate::cadence::Cadence;
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::inspected::Inspected;
use crate::ladder::{Counting, counted};
use crate::probe::Probe;
use crate::saved::weights;
use crate::task::{Measured, Recording, Task};
use data::Loader;
use engine::{Device, Field, Graph, HostMut, Ready, UNCOUNTED, Variable};
use model::{Config, ModelConfig, Training, hugging_face, initialize, taught_by};
use run::{Checkpoint, Eval, Kind, NamedFile, RunFolder, Sample, Start, Step, What, Which};
use session::{
    Plans, Sampling, Session, TOKENIZER, TOKENIZER_CONFIG, begin, pages_of, tokenizer, write_text,
};
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use text::MergeDropout;

/// Bits below the entropy floor that occur by chance in one of 2⁴⁰ texts.
const LUCK: f64 = 40.0;

/// A part of a run, whose windows have one length.
struct Part {
    /// The model's shape; its context is the length of the windows.
    model: ModelConfig,
    /// Draws the windows: short ones come from more places of the text than a few long ones cut up.
    loader: Loader,
    training: Training,
    /// Plans for evaluation, samples and probes.
    plans: Plans,
    inspected: Option<Inspected>,
}

impl Part {
    /// All parts share a cache of this many pages.
    fn new(config: &Config, corpus: &Corpus, pages: usize) -> Result<Part> {
        let size = (config.train.batch, config.model.context);
        let vocabulary = corpus.tokenizer.vocabulary_size();
        let (tokens, seed) = (corpus.train.clone(), config.train.seed);
        let share = config.data.merge_dropout;
        let merges = MergeDropout::new(&corpus.tokenizer, share, seed);
        if share > 0.0 && merges.is_none() {
            return Err(Error::MergeDropout { share });
        }
        let loader = match corpus.line() {
            None => Loader::new(tokens, size, seed, merges)?,
            Some(_) => Loader::of_lines(tokens, size, seed)?,
        };
        Ok(Part {
            model: config.model.clone(),
            loader,
            training: Training::record(config, vocabulary)?,
            plans: Plans::with_pages(&config.model, vocabulary, 1, pages),
            inspected: Inspected::new(corpus, &config.model)?,
        })
    }
}

/// The task of a language model.
pub struct LanguageTask {
    config: Config,
    corpus: Corpus,
    /// The part of the run with whole windows, and that with short ones, if there is one.
    parts: Vec<Part>,
    /// Index of the current part.
    part: usize,
    /// What is learned.
    variables: Vec<Variable>,
    /// Runs whose best models teach this one.
    teachers: Vec<RunFolder>,
    cadence: Cadence,
    probe: Probe,
    /// Step of the last lens.
    looked: Option<u64>,
}

impl LanguageTask {
    /// A model of this config, learning this corpus.
    ///
    /// # Errors
    /// If the config's numbers don't fit together, the text is too short, or the sample prompt has
    /// a character that doesn't occur in the text.
    pub fn new(config: &Config, corpus: Corpus) -> Result<LanguageTask> {
        begin(&corpus.tokenizer, &config.sample.prompt)?;
        let pages = pages_of(config.model.context);
        if corpus.line().is_some() && config.short().is_some() {
            let told = "train.short_context is for texts: questions have lines of one length";
            return Err(Error::Task(told.into()));
        }
        let configs = [Some(config.clone()), config.short()];
        let parts = configs.iter().flatten();
        let parts: Vec<Part> = parts
            .map(|config| Part::new(config, &corpus, pages))
            .collect::<Result<_>>()?;
        let all = parts[0].training.decoder.graph.variables().iter();
        let variables = all.filter(|v| v.is_parameter()).cloned().collect();
        Ok(LanguageTask {
            parts,
            part: 0,
            variables,
            teachers: Vec::new(),
            cadence: Cadence::new(config),
            probe: Probe::default(),
            looked: None,
            config: config.clone(),
            corpus,
        })
    }

    /// The text.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// The same model with these runs as teachers, of which the config says how many there are.
    #[must_use]
    pub fn taught_by(self, teachers: Vec<RunFolder>) -> LanguageTask {
        LanguageTask { teachers, ..self }
    }

    /// Copies the teachers' weights to the device.
    fn load_teachers(&self, device: &mut dyn Device) -> Result<()> {
        for (teacher, run) in self.teachers.iter().enumerate() {
            let checkpoint = run.checkpoints().open(Which::Best)?;
            self.check_tokenizer(&checkpoint)?;
            let renamed = |name: &str| taught_by(teacher, name);
            let (shape, variables) = (&self.config.model, &self.variables);
            weights(device, &checkpoint, shape, variables, &renamed)?;
        }
        Ok(())
    }

    /// The shape that a checkpoint's model should have: its context depends on its part of the run.
    fn shape_of(&self, from: &Checkpoint) -> Result<&ModelConfig> {
        let described = hugging_face::describe(&from.read(hugging_face::CONFIG)?, None);
        let context = described.map_or(0, |described| described.model.context);
        let mut shapes = self.parts.iter().map(|part| &part.model);
        let shape = shapes.find(|shape| shape.context == context);
        Ok(shape.unwrap_or(&self.config.model))
    }

    fn check_tokenizer(&self, from: &Checkpoint) -> Result<()> {
        if tokenizer(from)? == self.corpus.tokenizer {
            return Ok(());
        }
        let path = from.path.join(TOKENIZER);
        let reason = "it is not the tokenizer of this run's text".into();
        Err(run::Error::Broken { path, reason }.into())
    }

    /// How many tokens of the validation part are scored: all, or those of the fixed subset.
    fn scored(&self, full: bool) -> usize {
        let all = self.corpus.validation.len();
        if full {
            return all;
        }
        all.min(self.config.eval.tokens + 1)
    }
}

impl Task for LanguageTask {
    fn record(&self) -> Result<Recording> {
        let members = self.config.train.members;
        if members > 1 && self.teachers.len() != members {
            return Err(Error::Task(format!(
                "train.members = {members}, but the run has {} members",
                self.teachers.len()
            )));
        }
        let training = &self.parts[self.part].training;
        let cost = training.decoder.cost.map(|(cost, _)| cost);
        Ok(Recording {
            graph: training.decoder.graph.clone(),
            micros: training.micros,
            cost: cost.ok_or_else(|| Error::Task("the decoder has no cost".into()))?,
            loss_weight: match self.corpus.line() {
                None => training.loss_weight,
                Some(line) => 1.0 / (self.config.train.batch * line.answer()) as f64,
            },
            double: false,
        })
    }

    fn prepare(&mut self, device: &mut dyn Device) -> Result<()> {
        let lengths = [false, true].map(|full| self.scored(full));
        for part in &mut self.parts {
            let mut session = Session::new(device, &mut part.plans);
            session.expect_writing()?;
            for tokens in lengths {
                session.expect_text(tokens)?;
            }
            if let Some(questions) = &self.corpus.questions {
                questions.expect(&mut session, &self.corpus.tokenizer)?;
            }
        }
        Ok(())
    }

    fn describe(&self, start: &mut Start) {
        let (tokens, bytes) = self.corpus.scored();
        start.kind = Some(Kind::Language);
        start.corpus = self.corpus.source.corpus.clone();
        start.family = self.config.model.family.name().to_owned();
        start.vocabulary = self.corpus.tokenizer.vocabulary_size() as u64;
        start.train_tokens = self.corpus.train.len() as u64;
        start.validation_tokens = tokens;
        start.validation_bytes = bytes;
        start.batch = self.config.train.batch as u64;
        start.context = self.config.model.context as u64;
        let short = self.config.short();
        start.short_context = short.as_ref().map(|short| short.model.context as u64);
        start.short_share = short.map(|short| short.train.short_share);
        start.tokens_per_step = start.batch * start.context;
        start.floor_bits_per_byte = self.corpus.floor_bits_per_byte();
        let questions = self.corpus.questions.as_ref();
        start.train_questions = questions.map(|q| q.train.len() as u64);
        start.held_out_questions = questions.map(|q| q.held_out.len() as u64);
    }

    fn initialize(&mut self, device: &mut dyn Device, _: &Graph) -> Result<()> {
        self.load_teachers(device)?;
        let seed = self.config.train.seed;
        Ok(initialize(device, &self.variables, seed)?)
    }

    fn restore(&mut self, device: &mut dyn Device, from: &Checkpoint) -> Result<()> {
        self.check_tokenizer(from)?;
        self.load_teachers(device)?;
        let shape = self.shape_of(from)?;
        weights(device, from, shape, &self.variables, &str::to_owned)
    }

    fn shorten(&mut self, short: bool) {
        self.part = usize::from(short && self.parts.len() > 1);
    }

    fn fill(&mut self, device: &mut dyn Device, ready: Ready, step: u64) -> Result<()> {
        let mut batch = self.parts[self.part].loader.batch(step)?;
        if let Some(line) = self.corpus.line() {
            for (at, target) in batch.targets.iter_mut().enumerate() {
                if !line.counts(at) {
                    *target = UNCOUNTED;
                }
            }
        }
        self.parts[self.part]
            .training
            .fill(device, ready, &batch.inputs, &batch.targets)?;
        if self.cadence.evaluates(step + 1) {
            self.probe.remember(device, &self.variables)?;
        }
        Ok(())
    }

    fn report(&self, cost: f64, event: &mut Step) {
        event.nats_per_token = Some(cost);
    }

    fn settled(&mut self, _: u64, _: f64) -> bool {
        false
    }

    fn evaluate(
        &mut self,
        device: &mut dyn Device,
        full: bool,
        stop: &AtomicBool,
    ) -> Result<Measured> {
        let from = Instant::now();
        let full = full || self.scored(false) == self.scored(true);
        let tokens = self.scored(full);
        let mut session = Session::new(device, &mut self.parts[self.part].plans).until(stop);
        let (score, examined) = self.corpus.score(&mut session, tokens)?;
        if let (true, Some(floor)) = (full, self.corpus.floor_bits) {
            let found = score.nats / std::f64::consts::LN_2;
            if found < floor - LUCK {
                return Err(Error::BelowFloor { floor, found });
            }
        }
        let mut measured = Measured {
            loss: score.nats_per_token(),
            event: Eval {
                val_nats_per_token: Some(score.nats_per_token()),
                val_bits_per_byte: Some(score.bits_per_byte()),
                tokens: score.tokens,
                bytes: score.bytes,
                seconds: from.elapsed().as_secs_f64(),
                full,
                ..Eval::default()
            },
        };
        if let Some(examined) = examined {
            examined.report(&mut measured.event);
        }
        Ok(measured)
    }

    fn sample(&mut self, device: &mut dyn Device, stop: &AtomicBool) -> Result<Option<Sample>> {
        let s = &self.config.sample;
        let tokenizer = &self.corpus.tokenizer;
        if let (Some(questions), Some(_)) = (&self.corpus.questions, self.corpus.line()) {
            let mut session = Session::new(device, &mut self.parts[self.part].plans).until(stop);
            let (prompt, text) = questions.sample(&mut session, tokenizer)?;
            return Ok(Some(Sample {
                prompt,
                text,
                seed: s.seed,
                temperature: 0.0,
            }));
        }
        let sampling = Sampling {
            temperature: s.temperature,
            top_k: s.top_k,
            top_p: s.top_p,
            seed: s.seed,
            ..Sampling::default()
        };
        let mut text = String::new();
        let prompt = begin(tokenizer, &s.prompt)?;
        let piece = |piece: &str| {
            text.push_str(piece);
            true
        };
        let mut session = Session::new(device, &mut self.parts[self.part].plans).until(stop);
        write_text(&mut session, tokenizer, &prompt, s.tokens, &sampling, piece)?;
        Ok(Some(Sample {
            prompt: s.prompt.clone(),
            text,
            seed: s.seed,
            temperature: s.temperature,
        }))
    }

    fn probe(
        &mut self,
        device: &mut dyn Device,
        step: u64,
        stop: &AtomicBool,
    ) -> Result<Vec<What>> {
        let mut seen = Vec::new();
        let (tokenizer, corpus) = (&self.corpus.tokenizer, &self.corpus);
        // Answers and whole texts aren't comparable.
        if self.cadence.climbs(step) && corpus.line().is_none() {
            let vocabulary = tokenizer.vocabulary_size();
            let counting = Counting::new(&counted(&corpus.train)?, vocabulary);
            let ladder = counting.and_then(|counting| counting.ladder(&corpus.validation));
            seen.extend(ladder.map(What::from));
        }
        let line = corpus.line().map_or(1, |line| line.tokens);
        let text = (&corpus.validation[..], line);
        let looks = self.cadence.looks(step, self.looked);
        let part = &mut self.parts[self.part];
        let mut session = Session::new(device, &mut part.plans).until(stop);
        let (stream, lens) = self.probe.look(&mut session, tokenizer, text, looks)?;
        if let Some(lens) = lens {
            self.looked = Some(step);
            seen.push(lens.into());
            if let Some(inspected) = &part.inspected {
                seen.push(inspected.look(&mut session, tokenizer)?.into());
            }
        }
        if let Some(planting) = &corpus.planting {
            let vocabulary = tokenizer.vocabulary_size();
            seen.push(planting.measure(&mut session, vocabulary)?.into());
        }
        let layers = self.probe.layers(device, &self.variables, &stream)?;
        seen.push(layers.into());
        Ok(seen)
    }

    fn files<'a>(&'a self, device: &'a dyn Device) -> Result<Vec<NamedFile<'a>>> {
        // What it has seen so far is the context of a model that is used before its time.
        let (model, tokenizer) = (&self.parts[self.part].model, &self.corpus.tokenizer);
        let (vocabulary, eos) = (tokenizer.vocabulary_size(), tokenizer.end_of_text());
        let variables = &self.variables;
        let tensor = move |name: &str| {
            let variable = variables.iter().find(|v| v.name == name)?;
            let mut numbers = vec![0.0f32; variable.len()];
            let host = HostMut::Real(&mut numbers);
            device.read_variable(name, Field::Weight, host).ok()?;
            Some(numbers)
        };
        let mut small = hugging_face::config_files(model, vocabulary, eos);
        small.push((TOKENIZER.into(), tokenizer.to_json().into_bytes()));
        let config = tokenizer.config_json(model.context);
        small.push((TOKENIZER_CONFIG.into(), config.into_bytes()));
        let mut files: Vec<NamedFile> = small
            .into_iter()
            .map(|(name, bytes)| NamedFile::bytes(name, bytes))
            .collect();
        files.push(NamedFile::new(hugging_face::WEIGHTS, move |to| {
            hugging_face::write_weights(model, vocabulary, &tensor, to)
        }));
        Ok(files)
    }
}
