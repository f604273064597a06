//! From paths, or the built-in stories, to tokens; and how run.toml remembers where they came from.

use crate::error::{Error, Result};
use data::{Options, Place, Prepared, Recipe, TextFacts, Tokens, Watch};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::{Text, Tokenizer};

/// Size of the built-in corpus's parts, and its seed: constants, so that losses compare.
const TALES: (u64, usize, usize) = (1, 6_000_000, 200_000);

/// Where a corpus comes from, as run.toml has it under `[source]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the corpus.
    pub corpus: String,
    /// Absolute paths of its files and folders; none for the built-in stories.
    pub paths: Vec<PathBuf>,
    /// Absolute path of a validation text, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// SHA-256 of the text and its split, so that a changed text is noticed.
    pub sha256: String,
}

/// A text in tokens, ready to train on.
pub struct Corpus {
    /// Where it comes from.
    pub source: Source,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Which kind was chosen where the config leaves it to the text; a path is absolute.
    pub chosen: model::Tokenizer,
    /// Training part.
    pub train: Arc<Tokens>,
    /// Validation part.
    pub validation: Vec<u32>,
    /// Entropy floor of the validation part after its first token, in bits.
    pub floor_bits: Option<f64>,
}

impl Corpus {
    /// Reads and prepares paths, opens a prepared folder, or makes the built-in stories where there
    /// are no paths. A run that is there already has its tokenizer, `known`; otherwise it is made as
    /// the config says.
    ///
    /// # Errors
    /// Where a file can't be read, is not text, or is too short for the context.
    pub fn read(
        paths: &[PathBuf],
        validation: Option<&Path>,
        data: &model::DataConfig,
        context: usize,
        known: Option<Tokenizer>,
        watch: &Watch,
    ) -> Result<Corpus> {
        let corpus = match paths {
            [] => stories(data, known)?,
            [folder] if Prepared::is_in(folder) => {
                if validation.is_some() {
                    let told = "a prepared folder brings its own validation part: leave out --val";
                    return Err(Error::Task(told.into()));
                }
                Corpus::prepared(Prepared::open(folder)?, std::slice::from_ref(folder), None)?
            }
            _ => {
                if let Some(folder) = paths.iter().find(|path| Prepared::is_in(path)) {
                    let folder = folder.display();
                    let told = format!(
                        "{folder} is prepared data, which can't be joined with texts: \
                                        train on it alone"
                    );
                    return Err(Error::Task(told));
                }
                let place = Place::Cache(cache_folder());
                let (prepared, chosen) =
                    prepare_for(paths, validation, data, known.as_ref(), &place, watch)?;
                Corpus {
                    chosen,
                    ..Corpus::prepared(prepared, paths, validation)?
                }
            }
        };
        text::check_length(corpus.train.len(), context, "the training text")?;
        text::check_length(corpus.validation.len(), 1, "the validation text")?;
        Ok(corpus)
    }

    fn prepared(from: Prepared, paths: &[PathBuf], validation: Option<&Path>) -> Result<Corpus> {
        let once = |p: &PathBuf| p.as_os_str() == data::STANDARD_INPUT;
        // What can't be read again is found again where it was prepared.
        let (sources, held_out) = match &from.folder {
            Some(folder) if paths.iter().any(once) => (vec![absolute(folder)], None),
            _ => (
                paths.iter().map(|p| absolute(p)).collect(),
                validation.map(absolute),
            ),
        };
        Ok(Corpus {
            source: Source {
                corpus: from.name,
                paths: sources,
                validation: held_out,
                sha256: from.text_sha256,
            },
            chosen: match from.tokenizer.kind() {
                "bytes" => model::Tokenizer::Bytes,
                "chars" => model::Tokenizer::Chars,
                _ => model::Tokenizer::Bpe(from.tokenizer.vocabulary_size()),
            },
            tokenizer: from.tokenizer,
            train: from.train,
            validation: from.validation.all()?,
            floor_bits: None,
        })
    }

    /// Tokens of the validation part that are scored (all but the first), and their raw bytes.
    pub fn scored(&self) -> (u64, u64) {
        let each = self.validation.iter().skip(1);
        let bytes = each.map(|&t| self.tokenizer.token_bytes(t) as u64).sum();
        (self.validation.len() as u64 - 1, bytes)
    }

    /// The floor in bits per byte.
    pub fn floor_bits_per_byte(&self) -> Option<f64> {
        let bytes = self.scored().1 as f64;
        self.floor_bits.map(|bits| bits / bytes)
    }
}

/// Prepares texts as the config says.
///
/// # Errors
/// Where a text can't be read or the place can't be written to.
pub fn prepare(
    paths: &[PathBuf],
    validation: Option<&Path>,
    data: &model::DataConfig,
    place: &Place,
    watch: &Watch,
) -> Result<Prepared> {
    Ok(prepare_for(paths, validation, data, None, place, watch)?.0)
}

/// The same, and which tokenizer was chosen. A run's own tokenizer, `known`, is used where what is
/// prepared already has another.
fn prepare_for(
    paths: &[PathBuf],
    validation: Option<&Path>,
    data: &model::DataConfig,
    known: Option<&Tokenizer>,
    place: &Place,
    watch: &Watch,
) -> Result<(Prepared, model::Tokenizer)> {
    let given = match (known, &data.tokenizer) {
        (Some(known), _) => Some(known.clone()),
        (None, model::Tokenizer::Path(path)) => Some(Tokenizer::open(path)?),
        _ => None,
    };
    let fingerprint = |t: &Tokenizer| format!("given {}", sha256(t.to_json().as_bytes()));
    let decided = RefCell::new(data.tokenizer.clone());
    let name = |facts: &TextFacts| {
        let chosen = chosen(&data.tokenizer, facts);
        let name = match (&chosen, &given) {
            (model::Tokenizer::Path(_), Some(given)) => fingerprint(given),
            _ => chosen.to_string(),
        };
        decided.replace(chosen);
        name
    };
    let make = |facts: &TextFacts| match (&given, &*decided.borrow()) {
        (Some(given), _) => Ok(given.clone()),
        (None, model::Tokenizer::Bytes) => Ok(Tokenizer::bytes()),
        (None, model::Tokenizer::Bpe(size)) => {
            let sample: Vec<&[u8]> = facts.sample.iter().map(Vec::as_slice).collect();
            Ok(Tokenizer::bpe(&sample, *size))
        }
        (None, _) => Tokenizer::chars(&[facts.characters.as_bytes()]),
    };
    let learns = matches!(
        data.tokenizer,
        model::Tokenizer::Bpe(_) | model::Tokenizer::Auto
    );
    let recipe = Recipe {
        name: &name,
        sample_bytes: if learns { text::SAMPLE_BYTES } else { 0 },
        make: &make,
    };
    let options = options(data);
    let mut prepared = data::prepare(paths, validation, &options, &recipe, place, watch)?;
    if let Some(known) = known.filter(|known| **known != prepared.tokenizer) {
        let name = |_: &TextFacts| fingerprint(known);
        let recipe = Recipe {
            name: &name,
            ..recipe
        };
        prepared = data::prepare(paths, validation, &options, &recipe, place, watch)?;
    }
    let chosen = decided.borrow().clone();
    Ok((prepared, chosen))
}

/// What a config asks for, once the text is known.
fn chosen(asked: &model::Tokenizer, facts: &TextFacts) -> model::Tokenizer {
    match asked {
        model::Tokenizer::Auto => match text::choose(&facts.sample.concat()) {
            text::Choice::Chars => model::Tokenizer::Chars,
            text::Choice::Bpe(size) => model::Tokenizer::Bpe(size),
        },
        model::Tokenizer::Path(path) => model::Tokenizer::Path(absolute(path)),
        other => other.clone(),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// A text of one's own in the tokens of a model that exists, all of it.
///
/// # Errors
/// Where the text can't be read, or has what the tokenizer doesn't know.
pub fn tokens_of(path: &Path, tokenizer: &Tokenizer, data: &model::DataConfig) -> Result<Vec<u32>> {
    let recipe = Recipe {
        name: &|_| "given".into(),
        sample_bytes: 0,
        make: &|_| Ok(tokenizer.clone()),
    };
    let options = Options {
        validation_bytes: 0,
        ..options(data)
    };
    let place = Place::Memory;
    let watch = Watch::nobody();
    let all = data::prepare(
        &[path.to_path_buf()],
        None,
        &options,
        &recipe,
        &place,
        &watch,
    )?;
    let mut tokens = all.train.all()?;
    tokens.extend(all.validation.all()?);
    Ok(tokens)
}

fn options(data: &model::DataConfig) -> Options {
    Options {
        raw_bytes: data.tokenizer == model::Tokenizer::Bytes,
        lossy: data.lossy,
        field: (data.field != "auto").then(|| data.field.clone()),
        skip_bad: data.skip_bad,
        gitignore: data.gitignore,
        validation_bytes: data.validation_bytes as u64,
    }
}

/// Where prepared texts are kept: in the user's folder of caches (XDG Base Directory Specification).
pub fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let home = || set("HOME").map(|home| home.join(".cache"));
    let caches = set("XDG_CACHE_HOME")
        .or_else(home)
        .or_else(|| set("LOCALAPPDATA"));
    caches.map(|caches| caches.join("downhill").join("data"))
}

/// The built-in stories. They have few characters, and a floor that is reckoned in them, so `auto`
/// takes a token for each.
fn stories(data: &model::DataConfig, known: Option<Tokenizer>) -> Result<Corpus> {
    let text = text::tales(TALES.0, TALES.1, TALES.2);
    let chosen = match &data.tokenizer {
        model::Tokenizer::Auto => model::Tokenizer::Chars,
        model::Tokenizer::Path(path) => model::Tokenizer::Path(absolute(path)),
        other => other.clone(),
    };
    let tokenizer = match (known, &chosen) {
        (Some(known), _) => known,
        (None, model::Tokenizer::Bytes) => Tokenizer::bytes(),
        (None, model::Tokenizer::Bpe(size)) => Tokenizer::bpe(&[&text.train], *size),
        (None, model::Tokenizer::Path(path)) => Tokenizer::open(path)?,
        (None, _) => Tokenizer::chars(&[&text.train, &text.validation])?,
    };
    Ok(Corpus {
        train: Arc::new(Tokens::in_memory(&tokenizer.encode(&text.train)?)),
        validation: tokenizer.encode(&text.validation)?,
        tokenizer,
        chosen,
        source: Source {
            corpus: text.name.clone(),
            paths: Vec::new(),
            validation: None,
            sha256: digest(&text),
        },
        floor_bits: Some(text.floor_bits),
    })
}

fn digest(text: &Text) -> String {
    let length = (text.train.len() as u64).to_le_bytes();
    sha256(&[&length, &text.train[..], &text.validation].concat())
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
