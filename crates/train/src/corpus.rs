//! From paths, or the built-in stories, to tokens; and how run.toml records the source.

use crate::error::{Error, Result};
use crate::planting::Planting;
use crate::questions::{Examined, QuestionLine, Questions};
use data::{Destination, JobControl, Prepared, ReadOptions, Report, Scan, Tokens};
use model::{Config, DataConfig};
use run::{RunFolder, absolute, sha256};
use serde::{Deserialize, Serialize};
use session::{Score, Session};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::{BuiltIn, Exercises, Tokenizer, TokenizerKind};

/// Sizes of the parts of the built-in corpus, and its seed: constants, so that losses are
/// comparable.
const TALES: (u64, usize, usize) = (1, 6_000_000, 200_000);

/// How much of the stories a bpe tokenizer is learned from, and how often each syllable of their
/// songs is put before them: more often than any other pair of letters occurs there. So each has a
/// token of its own, and songs, whose syllables are independent, aren't cut across them.
const TALES_LEARNED: usize = 500_000;
const SYLLABLES_LEARNED: usize = TALES_LEARNED / 32;

/// The source of a corpus, stored in run.toml under `[source]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSource {
    /// Name of the corpus.
    pub corpus: String,
    /// Absolute paths of its files and folders; none for a built-in corpus.
    pub paths: Vec<PathBuf>,
    /// Absolute path of the validation text, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// SHA-256 of the text and its split, to detect a changed text.
    pub sha256: String,
}

impl TextSource {
    /// Refuses a text whose hash differs from that of the run's training text.
    fn check(&self, run: &RunFolder, sha256: &str) -> Result<()> {
        if sha256 == self.sha256 {
            return Ok(());
        }
        let paths: Vec<String> = self.paths.iter().map(|p| p.display().to_string()).collect();
        Err(Error::Changed {
            run: run.path().to_path_buf(),
            what: format!(
                "its text changed since the run began ({})",
                paths.join(", ")
            ),
            advice: "Restore the text, or start a new run",
        })
    }
}

/// A tokenized text, ready for training.
#[derive(Clone)]
pub struct Corpus {
    /// Its source.
    pub source: TextSource,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Which kind was chosen if the config says `auto`; a path is absolute.
    pub chosen: TokenizerKind,
    /// Training part.
    pub train: Arc<Tokens>,
    /// Validation part.
    pub validation: Vec<u32>,
    /// How many bytes the tokenizer was learned from, if that was a sample of the text.
    pub sampled: Option<u64>,
    /// What was read and what was skipped; none for a built-in corpus.
    pub report: Option<Report>,
    /// Entropy floor of the validation part after its first token, in bits.
    pub floor_bits: Option<f64>,
    /// The strings planted in the training part.
    pub planting: Option<Planting>,
    /// Questions about it whose answers are known.
    pub questions: Option<Questions>,
}

impl Corpus {
    /// A corpus that comes with the program.
    ///
    /// # Errors
    /// If it doesn't go with the config's tokenizer or context.
    pub fn built_in(corpus: BuiltIn, config: &Config) -> Result<Corpus> {
        generated(corpus, &config.data, None)?.ready(config)
    }

    /// Reads and prepares paths according to the config, opens a prepared folder, or generates the
    /// built-in stories if there are no paths.
    ///
    /// # Errors
    /// If a file can't be read, is not text, or is too short for the context.
    pub fn read(
        paths: &[PathBuf],
        validation: Option<&Path>,
        config: &Config,
        control: &JobControl,
        choose: &dyn Fn(&Scan) -> TokenizerKind,
    ) -> Result<Corpus> {
        let corpus = match paths {
            [] => generated(BuiltIn::Tales, &config.data, None)?,
            [folder] if Prepared::is_in(folder) => {
                if validation.is_some() {
                    let told = "a prepared folder has its own validation part: leave out --val";
                    return Err(Error::Task(told.into()));
                }
                Corpus::prepared(Prepared::open(folder)?, std::slice::from_ref(folder), None)?
            }
            _ => {
                if let Some(folder) = paths.iter().find(|path| Prepared::is_in(path)) {
                    let folder = folder.display();
                    let told = format!(
                        "{folder} is prepared data, which can't be combined with other texts: \
                                        train on it alone"
                    );
                    return Err(Error::Task(told));
                }
                let to = Destination::Cache(cache_folder());
                let (prepared, chosen) =
                    prepare(paths, validation, &config.data, to, control, choose)?;
                Corpus {
                    chosen,
                    ..Corpus::prepared(prepared, paths, validation)?
                }
            }
        };
        corpus.ready(config)
    }

    /// The text of an existing run, encoded with the run's own tokenizer, or, where no checkpoint
    /// holds one yet, with one made as the config says.
    ///
    /// # Errors
    /// As [`Corpus::read`]; also if it is not the text that the run was trained on.
    pub fn of_run(
        run: &RunFolder,
        source: &TextSource,
        config: &Config,
        tokenizer: Option<Tokenizer>,
        control: &JobControl,
    ) -> Result<Corpus> {
        let (paths, validation) = (&source.paths[..], source.validation.as_deref());
        let corpus = match paths {
            [] => {
                let corpus = source.corpus.parse().map_err(Error::Task)?;
                generated(corpus, &config.data, tokenizer)?
            }
            [folder] if Prepared::is_in(folder) => {
                Corpus::prepared(Prepared::open(folder)?, paths, None)?
            }
            _ => {
                let to = Destination::Cache(cache_folder());
                let sample = match tokenizer {
                    Some(_) => 0,
                    None => sample_bytes(&config.data),
                };
                let options = options(&config.data);
                let scan = data::scan(paths, validation, &options, sample, to, control)?;
                source.check(run, scan.text_sha256())?;
                let prepared = scan.encode(&config.data.tokenizer, tokenizer.as_ref(), control)?;
                Corpus::prepared(prepared, paths, validation)?
            }
        };
        source.check(run, &corpus.source.sha256)?;
        corpus.ready(config)
    }

    /// Refuses a config with which the corpus can't be learned, and plants strings if the config
    /// says so.
    fn ready(mut self, config: &Config) -> Result<Corpus> {
        if let Some(questions) = &self.questions {
            questions.check(&self.source.corpus, config)?;
        }
        text::check_length(self.train.len(), config.model.context, "the training text")?;
        text::check_length(self.validation.len(), 1, "the validation text")?;
        let planted = Planting::new(&config.data, &self.tokenizer, &self.train)?;
        if let Some((planting, train)) = planted {
            (self.planting, self.train) = (Some(planting), Arc::new(train));
        }
        Ok(self)
    }

    fn prepared(from: Prepared, paths: &[PathBuf], validation: Option<&Path>) -> Result<Corpus> {
        let once = |p: &PathBuf| p.as_os_str() == data::STANDARD_INPUT;
        // Text that can't be read again is found in its prepared folder.
        let (sources, held_out) = match &from.folder {
            Some(folder) if paths.iter().any(once) => (vec![absolute(folder)], None),
            _ => (
                paths.iter().map(|p| absolute(p)).collect(),
                validation.map(absolute),
            ),
        };
        let (sampled, chosen) = (from.sampled(), from.kind());
        Ok(Corpus {
            source: TextSource {
                corpus: from.name,
                paths: sources,
                validation: held_out,
                sha256: from.text_sha256,
            },
            chosen,
            sampled,
            report: Some(from.report),
            tokenizer: from.tokenizer,
            train: from.train,
            validation: from.validation.all()?,
            floor_bits: None,
            planting: None,
            questions: None,
        })
    }

    /// Scores a model on the first tokens of the validation part, and asks it as many questions.
    ///
    /// # Errors
    /// If the device fails.
    pub fn score(&self, session: &mut Session, tokens: usize) -> Result<(Score, Option<Examined>)> {
        let ask = |q: &Questions| q.examine(session, &self.tokenizer, tokens);
        let examined = self.questions.as_ref().map(ask).transpose()?;
        let score = match (&examined, self.line()) {
            (Some(examined), Some(_)) => examined.held_out.score,
            _ => session.score(&self.tokenizer, &self.validation[..tokens])?,
        };
        Ok((score, examined))
    }

    /// Tokens of the validation part that are scored, and their raw bytes: all but the first, or,
    /// where a text is nothing but questions, the answers.
    pub fn scored(&self) -> (u64, u64) {
        let bytes = |tokens: &[u32]| -> u64 {
            let each = tokens.iter();
            each.map(|&t| self.tokenizer.token_bytes(t) as u64).sum()
        };
        match self.questions.as_ref().filter(|q| q.line.is_some()) {
            None => (
                self.validation.len() as u64 - 1,
                bytes(&self.validation[1..]),
            ),
            Some(questions) => {
                let answers: Vec<u32> = (questions.held_out.iter())
                    .flat_map(|asked| asked.answer())
                    .copied()
                    .collect();
                (answers.len() as u64, bytes(&answers))
            }
        }
    }

    /// The layout of a text that is nothing but questions.
    pub(crate) fn line(&self) -> Option<QuestionLine> {
        self.questions.as_ref()?.line
    }

    /// The floor in bits per byte.
    pub fn floor_bits_per_byte(&self) -> Option<f64> {
        let bytes = self.scored().1 as f64;
        self.floor_bits.map(|bits| bits / bytes)
    }
}

/// The tokenizer for a text whose time is not limited: characters where there are few of them.
pub fn choose(scan: &Scan) -> TokenizerKind {
    text::choose(&scan.sample().concat())
}

/// Prepares texts according to the config; `choose` resolves the tokenizer `auto`. Also returns the
/// kind of tokenizer: `auto` is resolved, a path is absolute.
///
/// # Errors
/// If a text can't be read or the destination can't be written to.
pub fn prepare(
    paths: &[PathBuf],
    validation: Option<&Path>,
    data: &DataConfig,
    to: Destination,
    control: &JobControl,
    choose: &dyn Fn(&Scan) -> TokenizerKind,
) -> Result<(Prepared, TokenizerKind)> {
    let sample = sample_bytes(data);
    let scan = data::scan(paths, validation, &options(data), sample, to, control)?;
    let kind = settled(&data.tokenizer, || choose(&scan));
    Ok((scan.encode(&kind, None, control)?, kind))
}

/// Bytes of the text from which the tokenizer is learned or chosen.
fn sample_bytes(data: &DataConfig) -> usize {
    let kind = &data.tokenizer;
    match *kind == TokenizerKind::Auto || kind.learned().is_some() {
        true => text::SAMPLE_BYTES,
        false => 0,
    }
}

/// The tokenizer that a config asks for, once the text is known.
fn settled(asked: &TokenizerKind, auto: impl FnOnce() -> TokenizerKind) -> TokenizerKind {
    match asked {
        TokenizerKind::Auto => auto(),
        TokenizerKind::Path(path) => TokenizerKind::Path(absolute(path)),
        other => other.clone(),
    }
}

/// All of a user's text, encoded with the tokenizer of an existing model.
///
/// # Errors
/// If the text can't be read, or has characters that the tokenizer doesn't know.
pub fn tokens_of(path: &Path, tokenizer: &Tokenizer, data: &DataConfig) -> Result<Vec<u32>> {
    let options = ReadOptions {
        validation_bytes: 0,
        ..options(data)
    };
    let (paths, control) = ([path.to_path_buf()], JobControl::silent());
    let scan = data::scan(&paths, None, &options, 0, Destination::Memory, &control)?;
    let all = scan.encode(&tokenizer.kind(), Some(tokenizer), &control)?;
    let mut tokens = all.train.all()?;
    tokens.extend(all.validation.all()?);
    Ok(tokens)
}

/// How texts are read according to the config.
pub fn options(data: &DataConfig) -> ReadOptions {
    ReadOptions {
        raw_bytes: data.tokenizer == TokenizerKind::Bytes,
        lossy: data.lossy,
        field: (data.field != "auto").then(|| data.field.clone()),
        encoding: (data.encoding != "auto").then(|| data.encoding.clone()),
        delimiter: data.delimiter,
        quotes: data.quotes,
        separator: (data.separator != "none").then(|| data.separator.clone()),
        raw: data.raw,
        skip_bad: data.skip_bad,
        gitignore: data.gitignore,
        validation_bytes: data.validation_bytes as u64,
    }
}

/// Where prepared texts are kept: in the user's cache folder (XDG Base Directory Specification).
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

/// A built-in corpus, with the tokenizer that a run already has.
fn generated(corpus: BuiltIn, data: &DataConfig, known: Option<Tokenizer>) -> Result<Corpus> {
    match Exercises::of(corpus) {
        None => stories(corpus, data, known),
        Some(exercises) => asking(corpus, &exercises, data),
    }
}

/// The built-in stories. They have few characters, and their entropy floor is computed per
/// character, so `auto` chooses one token per character.
fn stories(corpus: BuiltIn, data: &DataConfig, known: Option<Tokenizer>) -> Result<Corpus> {
    let tell = match corpus {
        BuiltIn::TalesZh => text::chinese_tales,
        _ => text::tales,
    };
    let text = tell(TALES.0, TALES.1, TALES.2);
    let chosen = settled(&data.tokenizer, || TokenizerKind::Chars);
    let tokenizer = match known {
        Some(known) => known,
        None => {
            let learned = &text.train[..text.train.len().min(TALES_LEARNED)];
            let syllables = match chosen.learned() {
                Some(_) => text.syllables.repeat(SYLLABLES_LEARNED),
                None => Vec::new(),
            };
            let whole: [&[u8]; 2] = [&text.train, &text.validation];
            Tokenizer::make(&chosen, &whole, &[&syllables, learned])?
        }
    };
    Ok(Corpus {
        floor_bits: Some(text.floor_bits),
        questions: Some(Questions::of_stories(&text.questions, &tokenizer)?),
        ..in_memory(
            text.name.clone(),
            [&text.train, &text.validation],
            (chosen, tokenizer),
        )?
    })
}

/// A corpus of questions, which has a tokenizer of its own.
fn asking(corpus: BuiltIn, exercises: &Exercises, data: &DataConfig) -> Result<Corpus> {
    let tokenizer = exercises.tokenizer(corpus)?;
    if ![TokenizerKind::Auto, tokenizer.kind()].contains(&data.tokenizer) {
        let told = format!(
            "{corpus} has a tokenizer of its own: leave out data.tokenizer = {}",
            data.tokenizer
        );
        return Err(Error::Task(told));
    }
    let [train, held_out] = exercises.texts();
    let chosen = tokenizer.kind();
    let texts = [train.as_bytes(), held_out.as_bytes()];
    let questions = Questions::of(exercises, &tokenizer)?;
    Ok(Corpus {
        questions: Some(questions),
        ..in_memory(corpus.to_string(), texts, (chosen, tokenizer))?
    })
}

/// A corpus that is held in memory: training and validation text.
///
/// # Errors
/// If a text has a character that the tokenizer doesn't know.
pub fn in_memory(
    name: String,
    texts: [&[u8]; 2],
    (chosen, tokenizer): (TokenizerKind, Tokenizer),
) -> Result<Corpus> {
    let [train, validation] = texts;
    Ok(Corpus {
        train: Arc::new(Tokens::in_memory(&tokenizer.encode(train)?)),
        validation: tokenizer.encode(validation)?,
        tokenizer,
        chosen,
        sampled: None,
        report: None,
        source: TextSource {
            corpus: name,
            paths: Vec::new(),
            validation: None,
            sha256: digest(texts),
        },
        floor_bits: None,
        planting: None,
        questions: None,
    })
}

fn digest([train, validation]: [&[u8]; 2]) -> String {
    let length = (train.len() as u64).to_le_bytes();
    sha256(&[&length, train, validation].concat())
}
