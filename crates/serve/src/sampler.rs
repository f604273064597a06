//! Lets a checkpoint write, for the page: one text at a time, on one thread of lowest priority.

use engine::{Cpu, Settings};
use model::{Draw, Generator};
use run::{Disk, RunFolder, Which};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use train::{SavedModel, begin, write_text};

/// Most tokens, longest prompt in bytes, longest time.
const TOKENS: usize = 400;
const PROMPT: usize = 1000;
const TIME: Duration = Duration::from_secs(20);

/// What the page asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Step of the checkpoint.
    pub step: u64,
    /// What the text begins with.
    pub prompt: String,
    /// Temperature of the drawing.
    pub temperature: f64,
    /// Seed of the drawing.
    pub seed: u64,
}

/// What it gets.
#[derive(Debug, Serialize)]
pub struct Written {
    /// The text after the prompt.
    pub text: String,
}

/// Whether a text is being written.
#[derive(Clone, Default)]
pub struct Sampler(Arc<AtomicBool>);

impl Sampler {
    /// Writes a text.
    ///
    /// # Errors
    /// A sentence: what is wrong with the wish, or what failed.
    pub async fn write(&self, folder: PathBuf, wish: Wish) -> Result<Written, String> {
        if wish.prompt.len() > PROMPT || !(0.0..=1000.0).contains(&wish.temperature) {
            return Err(format!(
                "a prompt has at most {PROMPT} bytes, a temperature is 0 to 1000"
            ));
        }
        if self.0.swap(true, Ordering::AcqRel) {
            return Err("another text is being written".into());
        }
        let busy = self.0.clone();
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            crate::priority::lower();
            let written = write(folder, &wish);
            busy.store(false, Ordering::Release);
            // Whoever asked may be gone.
            let _ = sender.send(written);
        };
        let thread = std::thread::Builder::new()
            .name("sampler".into())
            .spawn(work);
        if let Err(error) = thread {
            self.0.store(false, Ordering::Release);
            return Err(error.to_string());
        }
        receiver
            .await
            .unwrap_or_else(|_| Err("the writing failed".into()))
    }
}

fn write(folder: PathBuf, wish: &Wish) -> Result<Written, String> {
    let work = || -> train::Result<String> {
        let until = Instant::now() + TIME;
        let folder = RunFolder::open(Arc::new(Disk), &folder)?;
        let checkpoint = folder.checkpoints().open(Which::Step(wish.step))?;
        let device = Cpu::new(Settings::with_threads(1));
        let mut model = SavedModel::load(&folder, &checkpoint, device)?;
        let prompt = begin(&model.tokenizer, &wish.prompt)?;
        let vocabulary = model.tokenizer.vocabulary_size();
        let mut generator = Generator::new(&mut model.device, &model.shape, vocabulary)?;
        let s = &model.settings.config.sample;
        let draw = Draw {
            temperature: wish.temperature,
            top_k: s.top_k,
            top_p: s.top_p,
            seed: wish.seed,
        };
        let count = s.tokens.min(TOKENS);
        let mut text = String::new();
        let piece = |piece: &str| {
            text.push_str(piece);
            Instant::now() < until
        };
        let (device, tokenizer) = (&mut model.device, &model.tokenizer);
        write_text(
            device,
            &mut generator,
            tokenizer,
            &prompt,
            count,
            &draw,
            piece,
        )?;
        Ok(text)
    };
    work()
        .map(|text| Written { text })
        .map_err(|e| e.to_string())
}
