//! Lessons 1, 8 and 9: language models that train in seconds on the built-in stories, in a folder
//! that is removed afterwards.

use super::error::{Error, Result};
use super::{Stories, Told};
use crate::originality::{self, Index, MOST, SampleSettings, TOGETHER, Texts, measure};
use engine::{Cpu, CpuSettings};
use model::Config;
use run::{Choice, Disk, Event, Originality, RunFolder, What, Which};
use serde::Serialize;
use session::{LogProbability, Opened, Sampling, Use, begin, known_only, write_text};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use text::{Text, Tokenizer, TokenizerKind};
use train::{Corpus, LanguageTask, Outcome, Trainer, TrainerSettings, in_memory};

/// Bytes of the stories: for training, and held out.
const BYTES: (usize, usize) = (300_000, 6_000);
/// Longest time for one lesson.
const LIMIT: Duration = Duration::from_secs(600);
/// Steps of the model of lesson 1, and of lesson 9.
const NEXT_STEPS: u64 = 400;
const COPY_STEPS: u64 = 250;
/// Between two reports of progress, and between two checkpoints, of which the first, second,
/// fourth, eighth … writes a text.
const PROGRESS: u64 = 20;
const EVERY: u64 = 50;
/// The most likely tokens that are shown.
const SHOWN: usize = 8;
/// Tokens of a text that is written.
const WRITTEN: usize = 120;
/// Samples of lesson 9 and their tokens.
const SAMPLES: (usize, usize) = (8, 120);
/// The text with which lesson 1 begins.
pub(super) const FIRST: &str = "One sunny day, the d";
/// Characters that are named in an error.
const NAMED: usize = 5;

/// A possible next token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guess {
    /// Its text.
    pub token: String,
    /// Its probability.
    pub probability: f64,
}

/// Lesson 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextLesson {
    /// The text, token by token.
    pub tokens: Vec<String>,
    /// The most likely next tokens.
    pub guesses: Vec<Guess>,
    /// How many tokens there are to choose from.
    pub vocabulary: usize,
    /// Steps that the model was trained for.
    pub steps: u64,
}

/// Lesson 8: the model after some steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LessonStage {
    /// Steps so far.
    pub step: u64,
    /// Cross-entropy on held-out text, in nats per token.
    pub loss: f64,
    /// What it writes.
    pub text: String,
    /// Training losses since the last stage: steps, and nats per token.
    pub losses: Vec<(u64, f64)>,
}

/// Lesson 8: what was trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct WordsLesson {
    /// Steps.
    pub steps: u64,
    /// Parameters of the model.
    pub parameters: u64,
    /// Tokens to choose from.
    pub vocabulary: u64,
    /// Tokens that it read.
    pub tokens: u64,
}

/// Lesson 9.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CopiedLesson {
    /// Lines of text that it got.
    pub lines: usize,
    /// Tokens of these lines.
    pub tokens: usize,
    /// Steps.
    pub steps: u64,
    /// Its loss on the training text and on held-out text, in nats per token.
    pub losses: (f64, f64),
    /// What it copies.
    pub originality: Originality,
}

/// Trains tiny models, and keeps the one of lesson 1 in each language.
pub struct Learner {
    threads: usize,
    known: Mutex<[Option<Opened>; 2]>,
}

/// A trained model in a folder that is removed when this is dropped.
struct Trained {
    folder: TempDir,
}

impl Trained {
    fn open(&self, threads: usize, sequences: usize) -> Result<Opened> {
        open(&run_in(&self.folder), Which::Last, threads, sequences)
    }
}

fn run_in(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("run")
}

fn open(run: &std::path::Path, which: Which, threads: usize, sequences: usize) -> Result<Opened> {
    let how = Use {
        threads,
        sequences,
        ..Use::default()
    };
    Ok(Opened::open(run, which, how)?)
}

/// The loss of an untrained model, which the question of lesson 8 asks for.
pub(super) fn first_loss(stories: Stories) -> f64 {
    match stories {
        Stories::English => 4.11,
        Stories::Chinese => 6.23,
    }
}

fn told(stories: Stories) -> Text {
    let tell = match stories {
        Stories::English => text::tales,
        Stories::Chinese => text::chinese_tales,
    };
    tell(1, BYTES.0, BYTES.1)
}

/// A corpus of the first lines of the training text; the tokenizer is that of the whole text.
fn corpus(stories: Stories, lines: usize) -> Result<Corpus> {
    let text = told(stories);
    let all = [&text.train[..], &text.validation];
    let tokenizer = Tokenizer::make(&TokenizerKind::Chars, &all, &all[..1])?;
    let some: Vec<u8> = (text.train.split_inclusive(|byte| *byte == b'\n'))
        .filter(|line| *line != b"\n")
        .take(lines)
        .flat_map(|line| [line, b"\n"].concat())
        .collect();
    let texts = [&some[..], &text.validation];
    Ok(in_memory(
        text.name,
        texts,
        (TokenizerKind::Chars, tokenizer),
    )?)
}

impl Learner {
    /// A learner whose models use this many threads.
    pub fn new(threads: usize) -> Learner {
        Learner {
            threads,
            known: Mutex::default(),
        }
    }

    /// Trains a tiny model; `show` gets the run and its events.
    fn train(
        &self,
        corpus: Corpus,
        steps: u64,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&RunFolder, &Event) -> Result<()>,
    ) -> Result<Trained> {
        let sets = [
            format!("train.steps={steps}"),
            "optim.name=normuon".into(),
            "optim.lr=0.01".into(),
            "train.precision=f32".into(),
            format!("eval.every={EVERY}"),
            "eval.tokens=1024".into(),
            format!("checkpoint.every={EVERY}"),
            format!("sample.tokens={WRITTEN}"),
        ];
        let config = Config::load(Some("tiny"), None, &sets)?;
        let folder = tempfile::tempdir().map_err(Error::Folder)?;
        let choice = Choice::Exact {
            path: run_in(&folder),
            overwrite: false,
        };
        let run = RunFolder::create(Arc::new(Disk), &choice)?;
        let settings = train::Settings {
            config: config.clone(),
            source: corpus.source.clone(),
        };
        run.write_config(&settings.to_toml()?)?;
        let mut task = LanguageTask::new(&config, corpus)?;
        let mut device = Cpu::new(CpuSettings::with_threads(self.threads));
        let (began, halt) = (Instant::now(), AtomicBool::new(false));
        let mut failed = None;
        let mut screen = |event: &Event| {
            if let Err(error) = show(&run, event) {
                failed.get_or_insert(error);
            }
            let over = stop.load(Ordering::Relaxed) || began.elapsed() > LIMIT;
            if over || failed.is_some() {
                halt.store(true, Ordering::Relaxed);
            }
        };
        let settings = TrainerSettings {
            config,
            threads: self.threads,
            began,
            deadline: None,
            stop: &halt,
        };
        let outcome = Trainer::new(settings, &mut task, &mut device, &run, None, &mut screen)
            .and_then(|mut trainer| trainer.run());
        match (outcome?, failed) {
            (_, Some(error)) => Err(error),
            (Outcome::Finished, None) => Ok(Trained { folder }),
            (Outcome::Interrupted, None) if stop.load(Ordering::Relaxed) => Err(Error::Stopped),
            (Outcome::Interrupted, None) => Err(Error::TooSlow(LIMIT.as_secs())),
        }
    }

    /// Lesson 1: what may come after a text.
    pub(super) fn next(
        &self,
        text: &str,
        stories: Stories,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Told),
    ) -> Result<NextLesson> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &mut known[stories as usize];
        if place.is_none() {
            let corpus = corpus(stories, usize::MAX)?;
            let mut show = |_: &RunFolder, event: &Event| {
                progress(event, NEXT_STEPS, tell);
                Ok(())
            };
            let trained = self.train(corpus, NEXT_STEPS, stop, &mut show)?;
            *place = Some(trained.open(self.threads, 1)?);
        }
        let Some(opened) = place else {
            return Err(Error::Stopped);
        };
        let tokenizer = opened.tokenizer.clone();
        let (_, mut unseen) = known_only(&tokenizer, text);
        if !unseen.is_empty() {
            unseen.truncate(NAMED);
            let named: Vec<String> = unseen.iter().map(char::to_string).collect();
            return Err(Error::Unseen(named.join(" ")));
        }
        let vocabulary = opened.vocabulary();
        let tokens = begin(&tokenizer, text)?;
        let shown = |token: u32| String::from_utf8_lossy(&tokenizer.decode(&[token])).into_owned();
        let mut session = opened.session().until(stop);
        let id = session.sequence()?;
        let read = session.feed(&[(id, &tokens)]);
        let logits = read.and_then(|()| Ok(session.logits(id)?.to_vec()));
        session.release(id);
        let top = LogProbability::of(0, &logits?, SHOWN).top.into_iter();
        Ok(NextLesson {
            tokens: tokens.iter().map(|&token| shown(token)).collect(),
            guesses: top
                .map(|(token, nats)| Guess {
                    token: shown(token),
                    probability: libm::exp(nats),
                })
                .collect(),
            vocabulary,
            steps: NEXT_STEPS,
        })
    }

    /// Lesson 8: a model that learns to write.
    pub(super) fn words(
        &self,
        steps: u64,
        stories: Stories,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Told),
    ) -> Result<WordsLesson> {
        let corpus = corpus(stories, usize::MAX)?;
        let tokenizer = corpus.tokenizer.clone();
        let mut lesson = WordsLesson {
            steps,
            ..WordsLesson::default()
        };
        let mut stage = LessonStage::default();
        let mut show = |run: &RunFolder, event: &Event| {
            let step = event.step.unwrap_or(0);
            match &event.what {
                What::Start(start) => {
                    lesson.parameters = start.parameters;
                    lesson.vocabulary = start.vocabulary;
                    lesson.tokens = steps * start.tokens_per_step;
                }
                What::Step(done) => {
                    progress(event, steps, tell);
                    stage
                        .losses
                        .extend(done.nats_per_token.map(|nats| (step, nats)));
                }
                What::Eval(eval) => stage.loss = eval.val_nats_per_token.unwrap_or(f64::NAN),
                What::Sample(sample) if step == 0 || step == steps => {
                    stage.text.clone_from(&sample.text);
                    stage.step = step;
                    tell(Told::Stage(std::mem::take(&mut stage)));
                }
                What::Saved(_) if step < steps && (step / EVERY).is_power_of_two() => {
                    let path = run.path();
                    stage.text = self.sample(path, Which::Step(step), &tokenizer, stop)?;
                    stage.step = step;
                    tell(Told::Stage(std::mem::take(&mut stage)));
                }
                _ => {}
            }
            Ok(())
        };
        self.train(corpus, steps, stop, &mut show)?;
        Ok(lesson)
    }

    /// What a checkpoint writes.
    fn sample(
        &self,
        run: &std::path::Path,
        which: Which,
        tokenizer: &Tokenizer,
        stop: &AtomicBool,
    ) -> Result<String> {
        let mut opened = open(run, which, self.threads, 1)?;
        let mut session = opened.session().until(stop);
        let sampling = Sampling {
            temperature: 0.8,
            top_p: 0.95,
            seed: 1,
            ..Sampling::default()
        };
        let mut text = String::new();
        let prompt = begin(tokenizer, "")?;
        write_text(
            &mut session,
            tokenizer,
            &prompt,
            WRITTEN,
            &sampling,
            |piece| {
                text += piece;
                true
            },
        )?;
        Ok(text)
    }

    /// Lesson 9: a model that reads so few lines that often.
    pub(super) fn copied(
        &self,
        lines: usize,
        stories: Stories,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Told),
    ) -> Result<CopiedLesson> {
        let corpus = corpus(stories, lines)?;
        let (train, held_out) = (corpus.train.clone(), corpus.validation.clone());
        let tokenizer = corpus.tokenizer.clone();
        let texts = Texts {
            tokenizer: &tokenizer,
            train: &train,
            held_out: &held_out,
        };
        texts.check()?;
        let mut losses = (f64::NAN, f64::NAN);
        let mut show = |_: &RunFolder, event: &Event| {
            match &event.what {
                What::Step(step) => losses.0 = step.nats_per_token.unwrap_or(f64::NAN),
                What::Eval(eval) => losses.1 = eval.val_nats_per_token.unwrap_or(f64::NAN),
                _ => {}
            }
            progress(event, COPY_STEPS, tell);
            Ok(())
        };
        let trained = self.train(corpus, COPY_STEPS, stop, &mut show)?;
        let mut opened = trained.open(self.threads, SAMPLES.0.min(TOGETHER))?;
        let (vocabulary, end) = (tokenizer.vocabulary_size(), tokenizer.end_of_text());
        let index = Index::new(&train, vocabulary, end, MOST)?;
        let settings = SampleSettings {
            samples: SAMPLES.0,
            tokens: SAMPLES.1,
            sampling: Sampling::default(),
        };
        let mut session = opened.session().until(stop);
        let found = measure(&mut session, texts, &index, &settings, Some(COPY_STEPS));
        let originality = found.map_err(|error| match error {
            originality::Error::Session(session::Error::Stopped) => Error::Stopped,
            other => other.into(),
        })?;
        Ok(CopiedLesson {
            lines,
            tokens: train.len(),
            steps: COPY_STEPS,
            losses,
            originality,
        })
    }
}

/// Tells how many steps are done, now and then.
fn progress(event: &Event, steps: u64, tell: &mut dyn FnMut(Told)) {
    let done = event.step.unwrap_or(0);
    if matches!(event.what, What::Step(_)) && done.is_multiple_of(PROGRESS) {
        tell(Told::Training(done, steps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    #[test]
    fn the_questions_of_lessons_1_and_8_have_the_answers_that_running_gives() {
        let learner = Learner::new(1);
        for (stories, text, right) in [
            (Stories::English, "Soon they all walked hom", "e"),
            (Stories::Chinese, "大家高高兴", "兴"),
        ] {
            let mut told = Vec::new();
            let next = learner.next(text, stories, &NEVER, &mut |line| told.push(line));
            let next = next.unwrap();
            assert_eq!(next.guesses[0].token, right, "{next:?}");
            assert!(next.guesses[0].probability > 0.5, "{next:?}");
            assert_eq!(next.tokens.concat(), text);
            // It is trained once.
            assert_eq!(told.len() as u64, NEXT_STEPS / PROGRESS);
            let unseen = learner.next("😀", stories, &NEVER, &mut |line| told.push(line));
            let message = unseen.unwrap_err().to_string();
            assert!(message.contains("has never seen 😀"), "{message}");
            learner.next("", stories, &NEVER, &mut |_| {}).unwrap();

            let mut stages = Vec::new();
            let mut tell = |line| {
                if let Told::Stage(stage) = line {
                    stages.push(stage);
                }
            };
            learner.words(60, stories, &NEVER, &mut tell).unwrap();
            let steps: Vec<u64> = stages.iter().map(|stage| stage.step).collect();
            assert_eq!(steps, [0, 50, 60]);
            let first = stages[0].loss;
            assert!((first - first_loss(stories)).abs() < 0.005, "{first}");
            assert!(stages[2].loss < 0.8 * stages[0].loss);
            assert_eq!(stages[2].losses.len(), 10);
            assert!(stages.iter().all(|stage| stage.text.chars().count() > 50));
        }
        let stop = AtomicBool::new(true);
        let stopped = learner.words(400, Stories::English, &stop, &mut |_| {});
        assert!(matches!(stopped, Err(Error::Stopped)));
    }

    #[test]
    fn few_lines_are_copied_and_many_are_not() {
        let learner = Learner::new(1);
        let copied = |lines| {
            let lesson = learner
                .copied(lines, Stories::English, &NEVER, &mut |_| {})
                .unwrap();
            let old = |of: &run::TextFigures| 1.0 - of.new_ngrams[&8];
            let found = &lesson.originality;
            (old(&found.model), old(&found.human), lesson.losses)
        };
        let (model, human, (train, held_out)) = copied(3);
        assert!(model > 0.5 && model > 3.0 * human, "{model} {human}");
        assert!(held_out > 4.0 * train, "{train} {held_out}");
        let (model, _, (train, held_out)) = copied(500);
        assert!(
            model < 0.3 && held_out < 1.5 * train,
            "{model} {train} {held_out}"
        );
        // The shortest text that is allowed has a whole passage.
        let shortest = corpus(Stories::Chinese, 2).unwrap();
        assert!(shortest.train.len() >= 2 * originality::PREFIX);
    }
}
