//! Control of a preparation: number of threads, progress, cancellation.

use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The stage of a preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The first pass over the texts: documents, duplicates, characters.
    Reading,
    /// The tokenizer is created.
    Tokenizer,
    /// The second pass: the texts are encoded.
    Encoding,
}

/// Progress of a preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The current stage.
    pub stage: Stage,
    /// Bytes of the files read in this stage.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// Threads, progress and the stop flag of one preparation.
pub struct JobControl<'a> {
    /// Number of worker threads.
    pub threads: usize,
    /// How many bytes the cache may have; by default a share of the free space.
    pub cache_limit: Option<u64>,
    stop: &'a AtomicBool,
    show: &'a (dyn Fn(Progress) + Sync),
    done: AtomicU64,
    total: AtomicU64,
}

impl<'a> JobControl<'a> {
    /// `show` is called often, on the calling thread, and should return soon; `stop` is set by
    /// Ctrl-C.
    pub fn new(threads: usize, stop: &'a AtomicBool, show: &'a (dyn Fn(Progress) + Sync)) -> Self {
        JobControl {
            threads,
            cache_limit: None,
            stop,
            show,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
        }
    }

    /// One thread, no progress shown, never stopped.
    pub fn silent() -> JobControl<'static> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        JobControl::new(1, &NEVER, &|_| {})
    }

    /// Starts a stage: counting starts at 0.
    pub(crate) fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reports progress; returns an error if the user asked to stop.
    pub(crate) fn tick(&self, stage: Stage) -> Result<()> {
        let (done, total) = (&self.done, &self.total);
        (self.show)(Progress {
            stage,
            done: done.load(Ordering::Relaxed),
            total: total.load(Ordering::Relaxed),
        });
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }
}
