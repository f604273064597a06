//! Every setting of a run, declared once: this file defines names and types, `default.toml` values,
//! ranges and descriptions.

mod conflict;
mod delimiter;
mod document;
mod error;
mod family;
mod merge;

use std::path::Path;
use std::sync::Arc;

use crate::Pace;
use engine::{Adam, Assignment, Descent, Group, Muon};
use serde::{Deserialize, Serialize};
use text::TokenizerKind;
use toml::{Table, Value};

pub use error::{ConfigError, Mistake};
pub use family::{Family, Mlp, Norm, Position};

/// The whole config of a run, including the values derived from the family. Only [`Config::load`]
/// constructs it; flags are passed to it as assignments, so they are checked too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model's shape.
    pub model: ModelConfig,
    /// How gradients update the weights.
    pub optim: OptimConfig,
    /// The training run.
    pub train: TrainConfig,
    /// Evaluation during training.
    pub eval: EvalConfig,
    /// Checkpoints on disk.
    pub checkpoint: CheckpointConfig,
    /// Reading and tokenizing the text.
    pub data: DataConfig,
    /// Samples during training, and the defaults of `downhill sample`.
    pub sample: SampleConfig,
}

/// `model.*`: the model's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct ModelConfig {
    pub family: Family,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_size: usize,
    pub width: usize,
    pub hidden: usize,
    pub context: usize,
    pub dropout: f64,
    pub norm: Norm,
    pub position: Position,
    pub mlp: Mlp,
    pub qk_norm: bool,
    pub bias: bool,
    pub tied: bool,
    pub rope_theta: f64,
    pub norm_epsilon: f64,
    pub output_std: f64,
}

/// `optim.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct OptimConfig {
    pub name: OptimizerName,
    pub lr: f64,
    pub matrix_lr: f64,
    pub matrix_block: usize,
    pub lr_min: f64,
    pub schedule: Schedule,
    #[serde(with = "all")]
    pub schedule_steps: Option<usize>,
    pub warmup: usize,
    pub decay: f64,
    pub momentum: f64,
    pub beta1: f64,
    pub beta2: f64,
    #[serde(with = "none")]
    pub half_life: Option<f64>,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub cautious: bool,
    #[serde(with = "none")]
    pub clip: Option<f64>,
}

/// `train.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct TrainConfig {
    pub batch: usize,
    pub steps: usize,
    pub seed: u64,
    pub average: f64,
    pub short_context: usize,
    pub short_share: f64,
    #[serde(with = "none")]
    pub pace: Option<Pace>,
    pub members: usize,
    pub patience: usize,
    pub improvement: f64,
    pub stable: f64,
    #[serde(with = "all")]
    pub threads: Option<usize>,
    pub precision: PrecisionSetting,
}

/// `eval.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct EvalConfig {
    pub every: usize,
    pub tokens: usize,
}

/// `checkpoint.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct CheckpointConfig {
    pub every: usize,
    pub keep: usize,
}

/// `data.*`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct DataConfig {
    pub tokenizer: TokenizerKind,
    pub validation_bytes: usize,
    pub encoding: String,
    pub lossy: bool,
    pub field: String,
    #[serde(with = "delimiter")]
    pub delimiter: Option<u8>,
    pub quotes: bool,
    pub separator: String,
    pub raw: bool,
    pub skip_bad: bool,
    pub gitignore: bool,
    pub merge_dropout: f64,
    pub canaries: usize,
    pub canary_tokens: usize,
}

/// `sample.*`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "default.toml has the prose of every key")]
pub struct SampleConfig {
    pub prompt: String,
    pub tokens: usize,
    pub temperature: f64,
    #[serde(with = "all")]
    pub top_k: Option<usize>,
    pub top_p: f64,
    pub seed: u64,
}

/// `optim.name`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum OptimizerName {
    Sgd,
    Momentum,
    Nesterov,
    Adam,
    Adamw,
    Muon,
    Normuon,
}

/// β₂ of NorMuon's second moment (Li et al., 2025).
const SECOND: f64 = 0.9;

/// Share of the weight decay that embedding and output head get beside Muon: AdamW's rates are
/// smaller, and rare tokens have few gradients to hold against it.
const TABLE_DECAY: f64 = 0.1;

impl TrainConfig {
    /// How far each step is.
    pub fn pace(&self) -> Pace {
        match &self.pace {
            Some(pace) => pace.clone(),
            None => Pace::steps(self.steps as u64),
        }
    }
}

impl OptimConfig {
    fn rules(&self) -> engine::Optimizer {
        let momentum = |nesterov| Descent {
            momentum: Some(self.momentum),
            nesterov,
        };
        let (decay, clip) = (self.weight_decay, self.clip);
        match self.name {
            OptimizerName::Sgd => engine::Optimizer::uniform(Descent::PLAIN, decay, clip),
            OptimizerName::Momentum => engine::Optimizer::uniform(momentum(false), decay, clip),
            OptimizerName::Nesterov => engine::Optimizer::uniform(momentum(true), decay, clip),
            OptimizerName::Adam => engine::Optimizer::uniform(self.adam(false), decay, clip),
            OptimizerName::Adamw => engine::Optimizer::uniform(self.adam(true), decay, clip),
            OptimizerName::Muon => self.muon(None),
            OptimizerName::Normuon => self.muon(Some(SECOND)),
        }
    }

    /// Muon for the matrices of the blocks, AdamW for all else.
    fn muon(&self, second: Option<f64>) -> engine::Optimizer {
        let muon = Muon {
            momentum: self.momentum,
            second,
            block: self.matrix_block,
            cautious: self.cautious,
        };
        let adam = Arc::new(self.adam(true));
        let rest = |groups: &[Group], decay: f64| Assignment {
            groups: groups.to_vec(),
            rule: adam.clone(),
            rate: 1.0,
            decay,
        };
        let matrices = Assignment {
            groups: vec![Group::Matrices],
            rule: Arc::new(muon),
            rate: self.matrix_lr / self.lr,
            decay: self.weight_decay,
        };
        let tables = [Group::Embeddings, Group::OutputHead];
        engine::Optimizer {
            assignments: vec![
                matrices,
                rest(&tables, TABLE_DECAY * self.weight_decay),
                rest(&[Group::Vectors], 0.0),
            ],
            clip: self.clip,
        }
    }

    fn adam(&self, decoupled: bool) -> Adam {
        Adam {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            decoupled,
        }
    }
}

/// `optim.schedule`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Warm-up, then the same rate.
    Constant,
    /// Warm-up, then half a cosine down to `lr_min`.
    Cosine,
    /// Warm-up, stable, then a straight line down to `lr_min`.
    Wsd,
}

/// `train.precision`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionSetting {
    /// bf16 if the processor has instructions for it, otherwise f32.
    Auto,
    /// Operands are not rounded.
    F32,
    /// Operands are rounded to bf16 on any processor; sums are in f32.
    Bf16,
}

impl PrecisionSetting {
    /// The same, with `Auto` resolved for this processor. A run stores the result, so that it
    /// continues with the same arithmetic on another machine.
    #[must_use]
    pub fn settled(self) -> PrecisionSetting {
        match self {
            PrecisionSetting::Auto if engine::has_bf16() => PrecisionSetting::Bf16,
            PrecisionSetting::Auto => PrecisionSetting::F32,
            known => known,
        }
    }

    /// For the engine.
    pub fn of_products(self) -> engine::Precision {
        match self.settled() {
            PrecisionSetting::Bf16 => engine::Precision::Bf16,
            _ => engine::Precision::F32,
        }
    }
}

/// A key as shown by `downhill config`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigKey {
    /// Section and key, `optim.lr`.
    pub key: String,
    /// The value, as TOML.
    pub value: String,
    /// What it does and what is allowed.
    pub comment: String,
    /// Whether the value is derived from others, so that a config file should leave it out.
    pub derived: bool,
}

/// A key whose value differs between two configs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Section and key, `optim.lr`.
    pub key: String,
    /// The value in this config, as TOML.
    pub mine: String,
    /// The value in the other config, as TOML.
    pub theirs: String,
}

impl Config {
    /// The optimizer, for the engine.
    pub fn optimizer(&self) -> engine::Optimizer {
        let mut optim = self.optim.clone();
        if let Some(half) = optim.half_life {
            // The mean then spans the same text whatever the batch (Marek et al., 2025, section 3).
            let tokens = self.train.batch * self.model.context;
            optim.beta2 = libm::exp2(-(tokens as f64) / half);
        }
        optim.rules()
    }

    /// The config of the part of the run whose windows are short, if there is one: the same tokens
    /// of a step, in more windows.
    pub fn short(&self) -> Option<Config> {
        let (context, train) = (self.model.context, &self.train);
        if train.short_context == 0 || train.short_share == 0.0 {
            return None;
        }
        let mut short = self.clone();
        short.model.context = train.short_context;
        short.train.batch *= context / train.short_context;
        Some(short)
    }

    /// Merges default ← preset ← file (its path and content) ← assignments `key=value`.
    ///
    /// No preset means the `default` one. On success, every value is within its range and all of
    /// them are compatible.
    ///
    /// # Errors
    /// Every mistake found.
    pub fn load(
        preset: Option<&str>,
        file: Option<(&Path, &str)>,
        sets: &[String],
    ) -> Result<Self, ConfigError> {
        let mut merge = merge::Merge::new(preset);
        if let Some((path, text)) = file {
            merge.file(path, text);
        }
        for assignment in sets {
            merge.set(assignment);
        }
        merge.finish()
    }

    /// The keys that a preset, a file and assignments set, valid or not: what the user chose.
    pub fn given(
        preset: Option<&str>,
        file: Option<(&Path, &str)>,
        sets: &[String],
    ) -> Vec<String> {
        let mut merge = merge::Merge::new(None);
        if let Some((path, text)) = file {
            merge.file(path, text);
        }
        sets.iter().for_each(|set| merge.set(set));
        merge.keys(preset)
    }

    /// The defaults with values from elsewhere, `origin`, checked like those of a config file.
    pub(crate) fn from_values(
        origin: &str,
        values: Vec<(&str, Value)>,
    ) -> Result<Self, ConfigError> {
        let mut merge = merge::Merge::new(None);
        for (key, value) in values {
            merge.give(key, value, origin);
        }
        merge.finish()
    }

    /// The preset names that [`Config::load`] accepts.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        document::PRESETS.iter().map(|(name, _)| *name)
    }

    /// The whole config as a TOML file, which [`Config::load`] reads back as an equal config.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = String::new();
        for ConfigKey { key, value, .. } in self.keys() {
            let (name, key) = key.split_once('.').unwrap_or(("", &key));
            if name != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}[{name}]\n"));
                section = name.to_string();
            }
            text.push_str(&format!("{key} = {value}\n"));
        }
        text
    }

    /// Every key in the order of `default.toml`, with its value and comment.
    pub fn keys(&self) -> Vec<ConfigKey> {
        let table = self.to_table();
        document::entries()
            .into_iter()
            .map(|entry| ConfigKey {
                value: value(&table, &entry.key),
                derived: is_derived(&table, &entry.key),
                key: entry.key,
                comment: entry.comment,
            })
            .collect()
    }

    /// The keys whose values differ between two configs.
    pub fn differences(&self, other: &Config) -> Vec<Difference> {
        let (mine, theirs) = (self.to_table(), other.to_table());
        document::entries()
            .into_iter()
            .map(|entry| Difference {
                mine: value(&mine, &entry.key),
                theirs: value(&theirs, &entry.key),
                key: entry.key,
            })
            .filter(|difference| difference.mine != difference.theirs)
            .collect()
    }

    fn from_table(table: Table) -> Result<Self, toml::de::Error> {
        table.try_into()
    }

    fn to_table(&self) -> Table {
        Table::try_from(self).expect("numbers, words and text are TOML")
    }
}

/// A value as TOML text.
fn value(table: &Table, key: &str) -> String {
    let (section, key) = key.split_once('.').unwrap_or((key, ""));
    let value = table.get(section).and_then(|section| section.get(key));
    value.map_or_else(String::new, Value::to_string)
}

/// Whether a model value equals the one that would be derived if it were absent.
fn is_derived(table: &Table, key: &str) -> bool {
    let (Some(key), Some(Value::Table(model))) = (key.strip_prefix("model."), table.get("model"))
    else {
        return false;
    };
    let mut without = model.clone();
    without.remove(key);
    family::fill(&mut without);
    without.get(key) == model.get(key)
}

/// Defines the word that stands for an absent number.
macro_rules! or_word {
    ($word:ident) => {
        mod $word {
            use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

            const WORD: &str = stringify!($word);

            pub fn serialize<T, S>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error>
            where
                T: Serialize,
                S: Serializer,
            {
                match value {
                    Some(value) => value.serialize(to),
                    None => to.serialize_str(WORD),
                }
            }

            pub fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
            where
                T: Deserialize<'de>,
                D: Deserializer<'de>,
            {
                #[derive(Deserialize)]
                #[serde(untagged)]
                enum Either<T> {
                    Value(T),
                    Word(String),
                }
                match Either::deserialize(from)? {
                    Either::Value(value) => Ok(Some(value)),
                    Either::Word(word) if word == WORD => Ok(None),
                    Either::Word(word) => Err(D::Error::custom(word)),
                }
            }
        }
    };
}

or_word!(all);
or_word!(none);
