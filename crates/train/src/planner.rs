//! What should be trained in the time there is? From a text, a time and the measured speed of this
//! machine to a tokenizer, a shape, a number of steps and every rate.
//!
//! For each shape in a short list, the time determines the number of steps, and a formula fitted on
//! recorded runs predicts the loss (EXPERIMENTS.md, "The planner"). The shape with the lowest
//! expected loss is taken. Regularization and rates follow from the steps and from how often the
//! text is repeated.

mod forecast;
mod reading;
mod regularization;

use self::forecast::{expected, interval};
use self::reading::{Reading, SMALL_TEXT};
use self::regularization::Exposure;
use crate::Corpus;
use crate::error::{Error, Result};
use crate::ladder::{Counting, counted};
use engine::{Cpu, Device, RandomPurpose, Scalars, Stream};
use model::{Config, Training, initialize};
use std::time::{Duration, Instant};
use text::{Tokenizer, TokenizerKind};

/// Layers and width of the shapes that are considered; heads have 64 channels.
const SHAPES: [(usize, usize); 7] = [
    (3, 64),
    (4, 128),
    (4, 192),
    (4, 256),
    (6, 256),
    (6, 384),
    (8, 512),
];
const HEAD: usize = 64;

/// Standard deviation of the initial weights that write to the residual stream, the same as of all
/// other matrices. Training is faster than with smaller ones (EXPERIMENTS.md, "Other levers").
const OUTPUT_STD: f64 = 0.02;

/// Seconds for samples, probes and saving at the beginning and the end, at least.
const OTHER_SECONDS: f64 = 0.5;

/// Validation tokens that are scored between the steps.
const EVALUATED: usize = 8192;

/// The share of the time that goes into evaluations, samples and checkpoints between the steps.
const BETWEEN: f64 = 0.03;

/// Parameters that a token of the training part can teach, at most.
const PARAMETERS_PER_TOKEN: f64 = 30.0;

/// Runs with less time measure the machine with the smallest shape.
const SHORT: Duration = Duration::from_secs(20);

/// Fewer steps than this aren't worth starting.
const LEAST_STEPS: f64 = 50.0;

/// A text, as far as the plan depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Tokens of the training part.
    pub tokens: u64,
    /// Tokens of the validation part.
    pub validation: u64,
    /// Raw bytes of a token of the validation part.
    pub token_bytes: f64,
    /// Tokens that exist.
    pub vocabulary: usize,
    /// Whether its tokenizer has merges that can be dropped.
    pub merges: bool,
    /// Loss of a trigram model on the validation part, in bits per byte: how hard the text is over
    /// short distances.
    pub trigram_bits: f64,
    /// The same for a model that also remembers recent tokens: it shows how much of the text can be
    /// copied.
    pub remembering_bits: f64,
}

impl Facts {
    /// Looks at a text.
    ///
    /// # Errors
    /// If its tokens can't be read.
    pub fn of(corpus: &Corpus) -> Result<Facts> {
        let vocabulary = corpus.tokenizer.vocabulary_size();
        let counting = Counting::new(&counted(&corpus.train)?, vocabulary);
        let (tokens, bytes) = corpus.scored();
        let token_bytes = bytes as f64 / tokens.max(1) as f64;
        let nats = counting.and_then(|counting| counting.remembering(&corpus.validation));
        let nats = nats.unwrap_or([libm::log(vocabulary as f64); 2]);
        let [trigram_bits, remembering_bits] =
            nats.map(|nats| nats / std::f64::consts::LN_2 / token_bytes.max(1e-9));
        Ok(Facts {
            tokens: corpus.train.len() as u64,
            validation: tokens,
            token_bytes,
            vocabulary,
            // Syllables aren't spelled in bytes at random.
            merges: matches!(corpus.tokenizer, Tokenizer::Bpe(_))
                && !matches!(corpus.chosen, TokenizerKind::Syllables(_)),
            trigram_bits,
            remembering_bits,
        })
    }
}

/// A shape, and what comes of it in the time there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Number of blocks.
    pub layers: usize,
    /// Channels of the residual stream.
    pub width: usize,
    /// Members that are trained and then distilled into one model; 1 for a single model.
    pub members: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Parameters outside the embedding.
    pub parameters: f64,
    /// Seconds of a step.
    pub step_seconds: f64,
    /// Steps.
    pub steps: u64,
    /// Passes over the training part.
    pub epochs: f64,
    /// Expected loss in bits per byte.
    pub bits_per_byte: f64,
}

/// What to train.
#[derive(Debug, Clone)]
pub struct TimePlan {
    /// Assignments of the config, without those that the user gave.
    pub sets: Vec<String>,
    /// The whole config.
    pub config: Config,
    /// The chosen shape.
    pub chosen: Candidate,
    /// All shapes, the chosen one among them.
    pub considered: Vec<Candidate>,
    /// Expected loss in bits per byte: low end of an interval, most likely value, high end.
    pub forecast: [f64; 3],
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// The tokenizer for a text of `bytes` bytes, given a sample of it. Tokens of several letters make
/// a small model see further, but each needs to occur often enough to be learned. A character of a
/// script like Chinese is a syllable or a word already; there are more of them than of letters.
pub fn tokenizer(bytes: u64, sample: &[u8]) -> TokenizerKind {
    let megabytes = bytes as f64 / 1e6;
    let size = |for_a_megabyte: f64| {
        let size = for_a_megabyte * megabytes.max(0.01).powf(0.4);
        (2f64.powf(size.log2().round()) as usize).clamp(384, 8192)
    };
    match text::is_syllabic(sample) {
        true => TokenizerKind::Syllables(size(2048.0)),
        false => TokenizerKind::Bpe(size(1024.0)),
    }
}

/// The config of a shape for so many members, each with this exposure to the text.
fn sets(
    (layers, width): (usize, usize),
    members: usize,
    reading: Reading,
    exposure: Exposure,
) -> Vec<String> {
    let heads = (width / HEAD).max(1);
    let steps = exposure.steps.max(1.0);
    let matrix_lr = (0.032 * (600.0 / steps).powf(0.25)).clamp(0.01, 0.05);
    let every = (steps / 10.0).ceil();
    [
        ("model.family", "qwen3".to_owned()),
        ("model.layers", layers.to_string()),
        ("model.width", width.to_string()),
        ("model.heads", heads.to_string()),
        ("model.kv_heads", heads.to_string()),
        ("model.tied", reading.tied.to_string()),
        ("model.context", reading.context.to_string()),
        ("model.output_std", OUTPUT_STD.to_string()),
        ("model.dropout", format!("{:?}", exposure.dropout())),
        ("optim.name", "normuon".to_owned()),
        ("optim.lr", "3e-3".to_owned()),
        ("optim.matrix_lr", format!("{matrix_lr:.4}")),
        ("optim.matrix_block", HEAD.to_string()),
        ("optim.lr_min", "0.0".to_owned()),
        ("optim.schedule", "wsd".to_owned()),
        ("optim.decay", "0.7".to_owned()),
        ("optim.warmup", format!("{:.0}", (steps / 10.0).min(20.0))),
        ("optim.beta2", "0.99".to_owned()),
        (
            "optim.weight_decay",
            format!("{:.3}", exposure.decay(matrix_lr)),
        ),
        ("train.members", members.to_string()),
        ("train.batch", reading.batch.to_string()),
        ("train.short_context", reading.short.to_string()),
        ("train.short_share", format!("{:?}", reading.short_share)),
        ("train.steps", format!("{steps:.0}")),
        ("train.average", "0.15".to_owned()),
        ("eval.every", format!("{every:.0}")),
        ("eval.tokens", EVALUATED.to_string()),
        ("checkpoint.every", format!("{:.0}", 2.0 * every)),
        (
            "data.merge_dropout",
            format!("{:.3}", exposure.skipped_merges()),
        ),
    ]
    .map(|(key, value)| format!("{key}={value}"))
    .to_vec()
}

/// By how much each teacher prolongs a step, as a share of it: its forward pass is a third of a
/// training step.
const TEACHER: f64 = 1.0 / 3.0;

/// The share of the remaining time that each member gets, if all models take the same number of
/// steps.
pub fn share(members: usize) -> f64 {
    match members {
        1 => 1.0,
        members => 1.0 / (members as f64 + slowness(members)),
    }
}

/// The duration of a step with so many teachers, in steps without.
pub fn slowness(members: usize) -> f64 {
    1.0 + TEACHER * members as f64
}

/// Members that are considered as an alternative to a single model, if there is enough time.
const MEMBERS: usize = 4;
const TIME_FOR_MEMBERS: Duration = Duration::from_secs(120);
/// By how much the loss of a model distilled from members is below theirs, as a share.
const DISTILLED: f64 = 0.024;

/// A config whose number of steps doesn't matter yet.
fn first_set_of(shape: (usize, usize), members: usize, reading: Reading) -> Vec<String> {
    let exposure = Exposure {
        steps: 1000.0,
        epochs: 1.0,
        parameters_per_token: 1.0,
    };
    sets(shape, members, reading, exposure)
}

/// The config of a candidate of this shape.
fn sets_of(facts: &Facts, shape: (usize, usize), candidate: &Candidate) -> Vec<String> {
    let reading = Reading {
        batch: candidate.batch,
        ..Reading::of(facts)
    };
    let exposure = Exposure {
        steps: candidate.steps as f64,
        epochs: candidate.epochs,
        parameters_per_token: candidate.parameters / facts.tokens as f64,
    };
    let mut sets = sets(shape, candidate.members, reading, exposure);
    if !facts.merges {
        sets.push("data.merge_dropout=0".into());
    }
    sets
}

/// What a text is read with before there is a plan.
pub fn first_sets() -> Vec<String> {
    first_set_of(SHAPES[2], 1, SMALL_TEXT)
}

/// Plans a run; `left` says how much time is left for it. `load` makes a config of the plan's
/// assignments, with the user's on top; `measured` measures the seconds of a step.
///
/// # Errors
/// If the time is too short for this text, an assignment is wrong or the device fails.
pub fn plan(
    facts: &Facts,
    left: &dyn Fn() -> Duration,
    load: &dyn Fn(&[String]) -> Result<Config>,
    measured: &mut dyn FnMut(&Config) -> Result<f64>,
) -> Result<TimePlan> {
    // The speed measured for one shape stands for all; then the chosen shape is measured itself.
    let shape = if left() < SHORT { SHAPES[0] } else { SHAPES[2] };
    let reading = Reading::of(facts);
    let probe = load(&first_set_of(shape, 1, reading))?;
    let mut speed = flops(facts, &probe)?.0 / measured(&probe)?;
    let mut found = None;
    for _ in 0..2 {
        let mut considered = consider(facts, left(), 1, speed, load)?;
        if left() > TIME_FOR_MEMBERS {
            considered.extend(consider(facts, left(), MEMBERS, speed, load)?);
        }
        let least = least(facts, &considered);
        let Some((at, chosen)) = least.map(|(at, chosen)| (at, chosen.clone())) else {
            break;
        };
        let shape = SHAPES[at % SHAPES.len()];
        let config = load(&sets_of(facts, shape, &chosen))?;
        speed = flops(facts, &config)?.0 / measured(&config)?;
        found = Some((shape, config, chosen, considered));
    }
    let Some((shape, config, mut chosen, considered)) = found else {
        return Err(Error::Task("no shape is left to plan with".into()));
    };
    let each = (config.train.batch * config.model.context) as f64;
    chosen.step_seconds = flops(facts, &config)?.0 / speed;
    let budget = budget(left(), chosen.members);
    let steps = steps_in(budget, facts, chosen.step_seconds, each);
    if steps < LEAST_STEPS {
        return Err(Error::TooShort {
            seconds: (1.2 * seconds_of(LEAST_STEPS, facts, chosen.step_seconds, each)
                / share(chosen.members))
            .ceil(),
        });
    }
    chosen.steps = steps as u64;
    chosen.epochs = steps * each / facts.tokens as f64;
    let one = expected(facts, chosen.parameters, steps * each);
    chosen.bits_per_byte = one * distilled(chosen.members);
    // The rates and the regularization of the steps that there will be.
    let sets = sets_of(facts, shape, &chosen);
    let config = load(&sets)?;
    let middle = chosen.bits_per_byte;
    let half = interval(chosen.parameters, steps * each);
    let reasons = reasons(facts, &chosen, &config);
    Ok(TimePlan {
        sets,
        config,
        chosen,
        considered,
        forecast: [middle * (1.0 - half), middle, middle * (1.0 + half)],
        reasons,
    })
}

/// The config of a single member.
fn alone(config: &Config) -> Config {
    let mut alone = config.clone();
    alone.train.members = 1;
    alone
}

/// The configs of a single member's steps with short and whole windows, and the share of each.
fn parts(config: &Config) -> Vec<(f64, Config)> {
    let alone = alone(config);
    match alone.short() {
        None => vec![(1.0, alone)],
        Some(short) => {
            let share = alone.train.short_share;
            vec![(share, short), (1.0 - share, alone)]
        }
    }
}

/// FLOPs of a step, and parameters outside the embedding.
fn flops(facts: &Facts, config: &Config) -> Result<(f64, f64)> {
    let (mut flops, mut parameters) = (0.0, 0);
    for (share, config) in parts(config) {
        let training = Training::record(&config, facts.vocabulary)?;
        let totals = engine::dry_run(&training.plan(&config)?);
        flops += share * totals.flops as f64;
        parameters = totals.parameters;
    }
    // A tied embedding counts as the output head.
    let embedding = match config.model.tied {
        true => 0,
        false => facts.vocabulary * config.model.width,
    };
    Ok((flops, parameters as f64 - embedding as f64))
}

/// Seconds of so many steps of `each` tokens, and of the evaluations that no run goes without: the
/// weights and their average on the subset, and the better ones on the whole validation part. Per
/// token, a forward pass takes a third of a training step.
fn seconds_of(steps: f64, facts: &Facts, step_seconds: f64, each: f64) -> f64 {
    let evaluated = facts.validation as f64 + 2.0 * EVALUATED as f64;
    step_seconds * (steps + evaluated / (3.0 * each)) + OTHER_SECONDS
}

/// Steps that leave room for the evaluations, at least 1.
fn steps_in(budget: f64, facts: &Facts, step_seconds: f64, each: f64) -> f64 {
    let other = seconds_of(0.0, facts, step_seconds, each);
    ((budget - other) / step_seconds).floor().max(1.0)
}

/// Seconds that one of so many models has for its steps.
fn budget(left: Duration, members: usize) -> f64 {
    left.as_secs_f64() * (1.0 - BETWEEN) * share(members)
}

/// The loss of a model distilled from so many members, relative to theirs.
fn distilled(members: usize) -> f64 {
    match members {
        1 => 1.0,
        _ => 1.0 - DISTILLED,
    }
}

/// What each shape comes to in the time that is left, at a speed in FLOP/s, with so many members
/// unless the user says otherwise.
fn consider(
    facts: &Facts,
    left: Duration,
    members: usize,
    speed: f64,
    load: &dyn Fn(&[String]) -> Result<Config>,
) -> Result<Vec<Candidate>> {
    let each = SHAPES.into_iter().map(|shape| {
        let reading = Reading::of(facts);
        let whole = load(&first_set_of(shape, members, reading))?;
        let members = whole.train.members;
        let budget = budget(left, members);
        let reading = reading.within(budget * speed / flops(facts, &whole)?.0);
        let config = load(&first_set_of(shape, members, reading))?;
        let (flops, parameters) = flops(facts, &config)?;
        let step_seconds = flops / speed;
        let each = (config.train.batch * config.model.context) as f64;
        let steps = steps_in(budget, facts, step_seconds, each);
        let tokens = steps * each;
        Ok(Candidate {
            layers: config.model.layers,
            width: config.model.width,
            members,
            batch: config.train.batch,
            parameters,
            step_seconds,
            steps: steps as u64,
            epochs: tokens / facts.tokens as f64,
            bits_per_byte: expected(facts, parameters, tokens) * distilled(members),
        })
    });
    each.collect()
}

/// The shape with the least expected loss; where the text is small, a large model memorizes it.
fn least<'a>(facts: &Facts, considered: &'a [Candidate]) -> Option<(usize, &'a Candidate)> {
    let parameters = considered.iter().map(|c| c.parameters);
    let smallest = parameters.fold(f64::INFINITY, f64::min);
    let most = smallest.max(PARAMETERS_PER_TOKEN * facts.tokens as f64);
    let small = considered.iter().enumerate();
    small
        .filter(|(_, c)| c.parameters <= most)
        .min_by(|a, b| a.1.bits_per_byte.total_cmp(&b.1.bits_per_byte))
}

fn reasons(facts: &Facts, chosen: &Candidate, config: &Config) -> Vec<String> {
    let mut reasons = vec![format!(
        "{} layers of width {} have the lowest expected loss: larger models get too few steps in \
         this time, smaller ones can't learn as much",
        chosen.layers, chosen.width
    )];
    if chosen.members > 1 {
        let share = share(chosen.members);
        reasons.push(format!(
            "{} models with this many steps each, distilled into one, are expected to beat one model \
             with {:.0} times the steps",
            chosen.members,
            1.0 / share
        ));
    }
    let against = [
        ("merge dropout", config.data.merge_dropout),
        ("dropout", config.model.dropout),
    ];
    let against = against.into_iter().filter(|(_, share)| *share > 0.0);
    let against: Vec<String> = against
        .map(|(what, share)| format!("{what} {share}"))
        .collect();
    if !against.is_empty() {
        reasons.push(format!(
            "the text is read {:.0} times; {} and weight decay {} keep the model from memorizing it",
            chosen.epochs,
            against.join(", "),
            config.optim.weight_decay
        ));
    }
    reasons.push(format!(
        "for comparison: a trigram model of this text reaches {:.3} bits per byte",
        facts.trigram_bits
    ));
    reasons
}

/// Seconds of a training step of this config on this machine, on average over its parts: the
/// fastest of a few, measured for about as long as `most`.
///
/// # Errors
/// If the device fails.
pub fn step_seconds(
    config: &Config,
    vocabulary: usize,
    threads: usize,
    most: Duration,
) -> Result<f64> {
    let parts = parts(config);
    let each = most / parts.len() as u32;
    let mut seconds = 0.0;
    for (share, config) in &parts {
        seconds += share * fastest(config, vocabulary, threads, each)?;
    }
    Ok(seconds)
}

/// The same for steps of one kind.
fn fastest(config: &Config, vocabulary: usize, threads: usize, most: Duration) -> Result<f64> {
    let mut device = Cpu::new(engine::CpuSettings::with_threads(threads));
    let training = Training::record(config, vocabulary)?;
    let optimizer = config.optimizer();
    let variables = training.decoder.graph.variables();
    device.create(variables, Some(&optimizer))?;
    initialize(&mut device, variables, config.train.seed)?;
    let ready = device.prepare(training.plan(config)?)?;
    let mut stream = Stream::new(1, RandomPurpose::Check, 0);
    let count = config.train.batch * config.model.context;
    let mut tokens = || -> Vec<u32> {
        let each = 0..count;
        each.map(|_| stream.below(vocabulary) as u32).collect()
    };
    let (inputs, targets) = (tokens(), tokens());
    let mut fastest = f64::INFINITY;
    let began = Instant::now();
    for step in 0.. {
        training
            .decoder
            .fill(&mut device, ready, &inputs, &targets)?;
        let scalars = Scalars {
            seed: 1,
            step,
            rate: 1e-4,
            loss_weight: training.loss_weight,
        };
        let from = Instant::now();
        device.run(ready, &scalars)?;
        fastest = fastest.min(from.elapsed().as_secs_f64());
        if step >= 8 || began.elapsed() > most.min(MEASURED) {
            break;
        }
    }
    Ok(fastest)
}

/// A measurement ends with the first step that ends later.
const MEASURED: Duration = Duration::from_millis(700);
