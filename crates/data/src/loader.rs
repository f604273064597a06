//! Loads batches on a thread of its own, a few ahead of the trainer.

use crate::{Result, Tokens};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use text::Windows;

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
    tokens: Arc<Tokens>,
    windows: Windows,
    context: usize,
    batch: usize,
    running: Option<Running>,
}

/// The thread, and the step of its next batch.
struct Running {
    step: u64,
    batches: Receiver<Result<Batch>>,
    thread: JoinHandle<()>,
}

impl Loader {
    /// A loader of `batch` windows of `context` tokens per step.
    ///
    /// # Errors
    /// If there are too few tokens for a window.
    pub fn new(tokens: Arc<Tokens>, context: usize, batch: usize, seed: u64) -> Result<Loader> {
        Ok(Loader {
            windows: Windows::new(tokens.len(), context, seed)?,
            tokens,
            context,
            batch,
            running: None,
        })
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
        let batch = self.make(step);
        self.start(step + 1);
        batch
    }

    fn make(&mut self, step: u64) -> Result<Batch> {
        make(
            &self.tokens,
            &mut self.windows,
            self.context,
            self.batch,
            step,
        )
    }

    /// If no thread can be started, batches are loaded on demand.
    fn start(&mut self, first: u64) {
        let (sender, batches) = sync_channel(AHEAD);
        let (tokens, mut windows) = (self.tokens.clone(), self.windows.clone());
        let (context, batch) = (self.context, self.batch);
        let prefetch = move || {
            for step in first.. {
                let made = make(&tokens, &mut windows, context, batch, step);
                if sender.send(made).is_err() {
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

fn make(
    tokens: &Tokens,
    windows: &mut Windows,
    context: usize,
    batch: usize,
    step: u64,
) -> Result<Batch> {
    let size = batch * context;
    let (mut inputs, mut targets) = (vec![0; size], vec![0; size]);
    let mut window = vec![0; context + 1];
    let rows = inputs.chunks_exact_mut(context);
    let rows = rows.zip(targets.chunks_exact_mut(context));
    for ((input, target), number) in rows.zip(step * batch as u64..) {
        tokens.read_ring(windows.start(number), &mut window)?;
        input.copy_from_slice(&window[..context]);
        target.copy_from_slice(&window[1..]);
    }
    Ok(Batch { inputs, targets })
}
