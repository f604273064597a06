//! Loads batches on a thread of its own, a few ahead of the trainer.

use crate::{Result, Tokens};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use text::{MergeDropout, Windows};

/// Batches prepared ahead of the trainer.
const AHEAD: usize = 2;

/// The data of a training step; both `[batch, context]`, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The input tokens.
    pub inputs: Vec<u32>,
    /// The target: the token after each input token.
    pub targets: Vec<u32>,
}

/// Returns the batch of each step: a function of the seed and the step number alone.
pub struct Loader {
    source: Source,
    running: Option<Running>,
}

/// What batches are made from.
#[derive(Clone)]
struct Source {
    tokens: Arc<Tokens>,
    windows: Windows,
    /// Windows begin at multiples of this many tokens.
    unit: usize,
    context: usize,
    batch: usize,
    merges: Option<MergeDropout>,
}

/// The thread, and the step of its next batch.
struct Running {
    step: u64,
    batches: Receiver<Result<Batch>>,
    thread: JoinHandle<()>,
}

impl Loader {
    /// A loader of `batch` windows of `context` tokens a step; `merges` cuts the text of each
    /// window anew.
    ///
    /// # Errors
    /// Where there are too few tokens for a window.
    pub fn new(
        tokens: Arc<Tokens>,
        (batch, context): (usize, usize),
        seed: u64,
        merges: Option<MergeDropout>,
    ) -> Result<Loader> {
        let source = Source {
            windows: Windows::new(tokens.len(), context, seed)?,
            unit: 1,
            tokens,
            context,
            batch,
            merges,
        };
        Ok(Loader {
            source,
            running: None,
        })
    }

    /// A loader for a text of lines of one context each: every window is a line.
    ///
    /// # Errors
    /// As [`Loader::new`].
    pub fn of_lines(
        tokens: Arc<Tokens>,
        (batch, context): (usize, usize),
        seed: u64,
    ) -> Result<Loader> {
        let windows = Windows::new(tokens.len() / context, 1, seed)?;
        let mut loader = Loader::new(tokens, (batch, context), seed, None)?;
        (loader.source.windows, loader.source.unit) = (windows, context);
        Ok(loader)
    }

    /// The batch of a step. The following batches are prepared in the background.
    ///
    /// # Errors
    /// If a shard can't be read or is damaged.
    pub fn batch(&mut self, step: u64) -> Result<Batch> {
        if let Some(running) = &mut self.running
            && running.step == step
            && let Ok(batch) = running.batches.recv()
        {
            running.step += 1;
            return batch;
        }
        self.stop();
        let batch = self.source.make(step);
        self.start(step + 1);
        batch
    }

    /// Where no thread can be had, batches are made when they are asked for.
    fn start(&mut self, first: u64) {
        let (sender, batches) = sync_channel(AHEAD);
        let mut source = self.source.clone();
        let prefetch = move || {
            for step in first.. {
                if sender.send(source.make(step)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("loader".into());
        self.running = thread.spawn(prefetch).ok().map(|thread| Running {
            step: first,
            batches,
            thread,
        });
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            drop(running.batches);
            // It ends at its next batch; a panic in it was already printed.
            let _ = running.thread.join();
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Source {
    fn make(&mut self, step: u64) -> Result<Batch> {
        let size = self.batch * self.context;
        let (mut inputs, mut targets) = (vec![0; size], vec![0; size]);
        let mut window = vec![0; self.context + 1];
        let rows = inputs.chunks_exact_mut(self.context);
        let rows = rows.zip(targets.chunks_exact_mut(self.context));
        for ((input, target), number) in rows.zip(step * self.batch as u64..) {
            let start = self.windows.start(number) * self.unit;
            self.tokens.read_ring(start, &mut window)?;
            if let Some(merges) = &self.merges {
                // Cut anew there are at least as many tokens: the window's text ends sooner.
                let anew = merges.apply(&window, number);
                for (to, from) in window.iter_mut().zip(anew) {
                    *to = from;
                }
            }
            input.copy_from_slice(&window[..self.context]);
            target.copy_from_slice(&window[1..]);
        }
        Ok(Batch { inputs, targets })
    }
}
