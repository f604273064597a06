//! Generates text from a checkpoint for the page: one text at a time, on one thread at the lowest
//! priority, which keeps the last model loaded for a while.

use crate::describe::sampling;
use run::Which;
use serde::{Deserialize, Serialize};
use session::{Opened, Sampling, Use, begin, write_text};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Maximum number of tokens, prompt length in bytes, and time.
const TOKENS: usize = 400;
const PROMPT: usize = 1000;
const TIME: Duration = Duration::from_secs(20);
/// How long an idle model stays in memory.
const KEPT: Duration = Duration::from_secs(60);

/// A request from the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Step of the checkpoint.
    pub step: u64,
    /// The prompt.
    pub prompt: String,
    /// Sampling temperature.
    pub temperature: f64,
    /// Sampling seed.
    pub seed: u64,
}

/// The response.
#[derive(Debug, Serialize)]
pub struct Written {
    /// The text after the prompt.
    pub text: String,
}

type Answer = Result<Written, String>;
type Job = (PathBuf, Wish, oneshot::Sender<Answer>);

/// The thread that generates text; it starts with the first request.
#[derive(Clone, Default)]
pub struct Sampler {
    /// Whether a text is being generated.
    busy: Arc<AtomicBool>,
    jobs: Arc<Mutex<Option<Sender<Job>>>>,
}

impl Sampler {
    /// Generates a text.
    ///
    /// # Errors
    /// A message for the user if the request is invalid or generation fails.
    pub async fn write(&self, folder: PathBuf, wish: Wish) -> Answer {
        if wish.prompt.len() > PROMPT || !(0.0..=1000.0).contains(&wish.temperature) {
            return Err(format!(
                "a prompt can have at most {PROMPT} bytes, and the temperature must be 0 to 1000"
            ));
        }
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err("another text is being generated; try again when it is done".into());
        }
        let (sender, receiver) = oneshot::channel();
        if let Err(error) = self.send((folder, wish, sender)) {
            self.busy.store(false, Ordering::Release);
            return Err(error);
        }
        receiver
            .await
            .unwrap_or_else(|_| Err("generating the text failed".into()))
    }

    fn send(&self, job: Job) -> Result<(), String> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => {
                let (sender, receiver) = channel();
                let busy = self.busy.clone();
                let thread = std::thread::Builder::new().name("sampler".into());
                let spawned = thread.spawn(move || serve(&receiver, &busy));
                spawned.map_err(|error| error.to_string())?;
                jobs.insert(sender)
            }
        };
        sender
            .send(job)
            .map_err(|_| "generating the text failed".to_owned())
    }
}

/// Answers requests until the last `Sampler` is dropped.
fn serve(jobs: &Receiver<Job>, busy: &AtomicBool) {
    crate::priority::lower();
    let mut kept: Option<(PathBuf, u64, Opened)> = None;
    loop {
        match jobs.recv_timeout(KEPT) {
            Ok((folder, wish, sender)) => {
                let written = write(&mut kept, folder, &wish);
                busy.store(false, Ordering::Release);
                // The client may have disconnected.
                let _ = sender.send(written);
            }
            Err(RecvTimeoutError::Timeout) => kept = None,
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn write(kept: &mut Option<(PathBuf, u64, Opened)>, folder: PathBuf, wish: &Wish) -> Answer {
    let work = || -> session::Result<String> {
        let until = Instant::now() + TIME;
        let how = Use::default();
        let same = |k: &(PathBuf, u64, Opened)| k.0 == folder && k.1 == wish.step;
        if !kept.as_ref().is_some_and(same) {
            *kept = None;
        }
        let opened = match kept {
            Some((.., opened)) => opened,
            none => {
                let opened = Opened::open(&folder, Which::Step(wish.step), how)?;
                &mut none.insert((folder.clone(), wish.step, opened)).2
            }
        };
        let tokenizer = opened.tokenizer.clone();
        let prompt = begin(&tokenizer, &wish.prompt)?;
        let s = sampling(&folder);
        let drawn = Sampling {
            temperature: wish.temperature,
            top_k: s.top_k,
            top_p: s.top_p,
            seed: wish.seed,
            ..Sampling::default()
        };
        let mut text = String::new();
        let piece = |piece: &str| {
            text.push_str(piece);
            Instant::now() < until
        };
        let (mut session, count) = (opened.session(), s.tokens.min(TOKENS));
        write_text(&mut session, &tokenizer, &prompt, count, &drawn, piece)?;
        Ok(text)
    };
    work()
        .map(|text| Written { text })
        .map_err(|e| e.to_string())
}
