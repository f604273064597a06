//! Learning a language: predict the next token of a text.

use crate::cadence::Cadence;
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::ladder::{COUNTED, climb};
use crate::probe::Probe;
use crate::saved::{TOKENIZER, TOKENIZER_CONFIG, tokenizer, weights};
use crate::scorer::Scorer;
use crate::task::{Measured, Recording, Task};
use crate::write::{begin, write_text};
use data::Loader;
use engine::{Device, Graph, Host, HostMut, Part, Ready, micro_batch};
use model::{
    Config, Decoder, Draw, Generator, Mode, ModelShape, decoder, hugging_face, initialise,
};
use run::{Checkpoint, Eval, Kind, Sample, Start, Step, What};
use std::sync::Arc;
use std::time::Instant;

/// Most tokens of a micro-batch: keeps a layer's activations near the cache and caps memory at any
/// batch size. A constant, so that bits don't depend on the machine.
const MICRO_TOKENS: usize = 2048;

/// Most logits of a micro-batch: they, and then in their place their gradient, take 256 MiB.
const MICRO_LOGITS: usize = 1 << 26;

/// Most tokens of a micro-batch of a model with this vocabulary: a function of the shape alone.
pub fn micro_tokens(vocabulary: usize) -> usize {
    MICRO_TOKENS.min(MICRO_LOGITS / vocabulary.max(1))
}

/// Bits below the entropy floor that chance explains once in 2⁴⁰ texts.
const LUCK: f64 = 40.0;

/// The task of a language model.
pub struct LanguageTask {
    config: Config,
    shape: ModelShape,
    corpus: Corpus,
    loader: Loader,
    /// Its values; the graph itself is shared with the device.
    decoder: Decoder,
    graph: Arc<Graph>,
    micros: usize,
    scorer: Scorer,
    generator: Option<Generator>,
    cadence: Cadence,
    probe: Probe,
    /// Step of the last lens.
    looked: Option<u64>,
    positions: Vec<u32>,
}

impl LanguageTask {
    /// A model of this config, learning this corpus.
    ///
    /// # Errors
    /// Where the config's numbers don't fit together, the text is too short, or the samples' prompt
    /// has a character that the text hasn't.
    pub fn new(config: &Config, corpus: Corpus) -> Result<LanguageTask> {
        let shape = config.shape();
        let (batch, time) = (config.train.batch, shape.context);
        let vocabulary = corpus.tokenizer.vocabulary_size();
        begin(&corpus.tokenizer, &config.sample.prompt)?;
        let sequences = micro_batch(batch, time, micro_tokens(vocabulary));
        let mut decoder = decoder(&shape, vocabulary, (sequences, time), Mode::Train)?;
        Ok(LanguageTask {
            loader: Loader::new(corpus.train.clone(), time, batch, config.train.seed)?,
            scorer: Scorer::new(shape.clone(), vocabulary),
            graph: Arc::new(std::mem::take(&mut decoder.graph)),
            micros: batch / sequences,
            generator: None,
            cadence: Cadence::new(config),
            probe: Probe::default(),
            looked: None,
            positions: (0..batch * time).map(|i| (i % time) as u32).collect(),
            config: config.clone(),
            shape,
            corpus,
            decoder,
        })
    }
}

impl Task for LanguageTask {
    fn record(&self) -> Result<Recording> {
        let cost = self.decoder.cost.map(|(cost, _)| cost);
        Ok(Recording {
            graph: self.graph.clone(),
            micros: self.micros,
            cost: cost.ok_or_else(|| Error::Task("the decoder has no cost".into()))?,
            loss_weight: 1.0 / (self.config.train.batch * self.shape.context) as f64,
            double: false,
        })
    }

    fn describe(&self, start: &mut Start) {
        let (tokens, bytes) = self.corpus.scored();
        start.kind = Some(Kind::Language);
        start.corpus = self.corpus.source.corpus.clone();
        start.family = self.shape.family.name().to_owned();
        start.vocabulary = self.corpus.tokenizer.vocabulary_size() as u64;
        start.train_tokens = self.corpus.train.len() as u64;
        start.validation_tokens = tokens;
        start.validation_bytes = bytes;
        start.batch = self.config.train.batch as u64;
        start.context = self.shape.context as u64;
        start.tokens_per_step = start.batch * start.context;
        start.floor_bits_per_byte = self.corpus.floor_bits_per_byte();
    }

    fn initialise(&mut self, device: &mut dyn Device, graph: &Graph) -> Result<()> {
        Ok(initialise(device, &graph.rows, self.config.train.seed)?)
    }

    fn restore(&mut self, device: &mut dyn Device, from: &Checkpoint) -> Result<()> {
        if tokenizer(from)? != self.corpus.tokenizer {
            let path = from.path.join(TOKENIZER);
            let reason = "it is not the tokenizer of this run's text".into();
            return Err(run::Error::Broken { path, reason }.into());
        }
        weights(device, from, &self.shape, &self.graph.rows)
    }

    fn fill(&mut self, device: &mut dyn Device, ready: Ready, step: u64) -> Result<()> {
        let batch = self.loader.batch(step)?;
        device.write(ready, self.decoder.tokens, Host::Tokens(&batch.inputs))?;
        if let Some(positions) = self.decoder.positions {
            device.write(ready, positions, Host::Tokens(&self.positions))?;
        }
        if let Some(targets) = self.decoder.targets {
            device.write(ready, targets, Host::Tokens(&batch.targets))?;
        }
        if self.cadence.evaluates(step + 1) {
            self.probe.remember(device, &self.graph.rows)?;
        }
        Ok(())
    }

    fn report(&self, cost: f64, event: &mut Step) {
        event.nats_per_token = Some(cost);
    }

    fn settled(&mut self, _: u64, _: f64) -> bool {
        false
    }

    fn evaluate(&mut self, device: &mut dyn Device, full: bool) -> Result<Measured> {
        let from = Instant::now();
        let all = &self.corpus.validation;
        let some = (self.config.eval.tokens + 1).min(all.len());
        let full = full || some == all.len();
        let tokens = if full { all } else { &all[..some] };
        let score = self
            .scorer
            .score_text(device, &self.corpus.tokenizer, tokens)?;
        if let (true, Some(floor)) = (full, self.corpus.floor_bits) {
            let found = score.nats / std::f64::consts::LN_2;
            if found < floor - LUCK {
                return Err(Error::BelowFloor { floor, found });
            }
        }
        Ok(Measured {
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
        })
    }

    fn sample(&mut self, device: &mut dyn Device) -> Result<Option<Sample>> {
        let s = &self.config.sample;
        let tokenizer = &self.corpus.tokenizer;
        let generator = match &mut self.generator {
            Some(generator) => generator,
            none => {
                let vocabulary = tokenizer.vocabulary_size();
                none.insert(Generator::new(device, &self.shape, vocabulary)?)
            }
        };
        let draw = Draw {
            temperature: s.temperature,
            top_k: s.top_k,
            top_p: s.top_p,
            seed: s.seed,
        };
        let mut text = String::new();
        let prompt = begin(tokenizer, &s.prompt)?;
        let piece = |piece: &str| {
            text.push_str(piece);
            true
        };
        write_text(
            device, generator, tokenizer, &prompt, s.tokens, &draw, piece,
        )?;
        Ok(Some(Sample {
            prompt: s.prompt.clone(),
            text,
            seed: s.seed,
            temperature: s.temperature,
        }))
    }

    fn probe(&mut self, device: &mut dyn Device, step: u64) -> Result<Vec<What>> {
        let mut seen = Vec::new();
        let (tokenizer, corpus) = (&self.corpus.tokenizer, &self.corpus);
        if self.cadence.climbs(step) {
            let vocabulary = tokenizer.vocabulary_size();
            let mut counted = vec![0; corpus.train.len().min(COUNTED)];
            corpus.train.read(0, &mut counted)?;
            let ladder = climb(&counted, &corpus.validation, vocabulary);
            seen.extend(ladder.map(What::from));
        }
        let (text, looks) = (&corpus.validation, self.cadence.looks(step, self.looked));
        let looked = self
            .probe
            .look(device, &self.shape, tokenizer, text, looks)?;
        let (stream, lens) = looked;
        if let Some(lens) = lens {
            self.looked = Some(step);
            seen.push(lens.into());
        }
        let layers = self.probe.layers(device, &self.graph.rows, &stream)?;
        seen.push(layers.into());
        Ok(seen)
    }

    fn files(&self, device: &dyn Device) -> Result<Vec<(String, Vec<u8>)>> {
        let mut tensors = Vec::new();
        for row in &self.graph.rows {
            let mut numbers = vec![0.0f32; row.len()];
            device.read_row(&row.name, Part::Weight, HostMut::Real(&mut numbers))?;
            tensors.push((row.name.as_str(), numbers));
        }
        let tokenizer = &self.corpus.tokenizer;
        let tensor = |name: &str| {
            let found = tensors.iter().find(|(n, _)| *n == name);
            found.map(|(_, numbers)| numbers.as_slice())
        };
        let (vocabulary, eos) = (tokenizer.vocabulary_size(), tokenizer.end_of_text());
        let mut files = hugging_face::save(&self.shape, vocabulary, eos, tensor)?;
        files.push((TOKENIZER.into(), tokenizer.to_json().into_bytes()));
        let config = tokenizer.config_json(self.shape.context);
        files.push((TOKENIZER_CONFIG.into(), config.into_bytes()));
        Ok(files)
    }
}
