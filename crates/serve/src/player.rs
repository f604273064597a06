//! The playground's models: one thread that opens them, keeps the last ones in memory, and does one
//! task after another.

use crate::play::{Line, Task};
use crate::seen::Seen;
use run::Which;
use session::{Opened, Use};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Maximum tasks that wait.
const WAITING: usize = 8;

/// How much of the machine the models may take.
#[derive(Debug, Clone, Copy)]
pub struct Power {
    /// Number of threads.
    pub threads: usize,
    /// Whether the threads have the lowest priority.
    pub lowest: bool,
    /// Maximum tokens generated in one text.
    pub tokens: usize,
    /// Maximum bytes of a prompt or a text to score.
    pub bytes: usize,
    /// Maximum time of one text.
    pub time: Duration,
    /// How long idle models stay in memory.
    idle: Duration,
    /// Maximum bytes of weights kept when another model is opened.
    weights: u64,
}

impl Power {
    /// Little enough that a training on this machine isn't slowed down.
    pub const LEAST: Power = Power {
        threads: 1,
        lowest: true,
        tokens: 400,
        bytes: 4 << 10,
        time: Duration::from_secs(20),
        idle: Duration::from_secs(60),
        weights: 0,
    };

    /// The machine is for the models.
    pub fn with_threads(threads: usize) -> Power {
        Power {
            threads,
            lowest: false,
            tokens: 2000,
            bytes: 16 << 10,
            time: Duration::from_secs(300),
            idle: Duration::from_secs(3600),
            weights: 2 << 30,
        }
    }
}

/// A model: its folder, its step if it is in a run, and when that was saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    folder: PathBuf,
    step: Option<u64>,
    saved: Option<SystemTime>,
}

impl Chosen {
    /// The model in a folder, or that of a step of a run.
    pub fn new(folder: PathBuf, step: Option<u64>) -> Chosen {
        let own = step.map(|step| folder.join(format!("checkpoints/step-{step:06}")));
        let saved = std::fs::metadata(own.as_deref().unwrap_or(&folder));
        Chosen {
            saved: saved.and_then(|found| found.modified()).ok(),
            folder,
            step,
        }
    }
}

/// The way to the client that asked.
pub struct Client {
    lines: UnboundedSender<Line>,
    gone: Arc<AtomicBool>,
}

impl Client {
    /// Sends a line; returns whether the client is still there.
    pub fn tell(&self, line: Line) -> bool {
        self.lines.send(line).is_ok()
    }

    /// A flag that is set when the client is gone.
    pub fn gone(&self) -> &AtomicBool {
        &self.gone
    }
}

/// The lines for a client.
pub struct Lines {
    /// Those so far and to come.
    pub receiver: UnboundedReceiver<Line>,
    /// When it is dropped, the task ends.
    pub held: Held,
}

/// Sets a flag when it is dropped.
pub struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Job = (Chosen, Task, Client);

/// The thread that uses models; it starts with the first task.
#[derive(Clone)]
pub struct Player {
    /// What its models may take.
    pub power: Power,
    /// The places that it has read.
    pub seen: Seen,
    waiting: Arc<AtomicUsize>,
    jobs: Arc<Mutex<Option<Sender<Job>>>>,
}

impl Player {
    /// A player without models.
    pub fn new(power: Power) -> Player {
        Player {
            power,
            seen: Seen::default(),
            waiting: Arc::default(),
            jobs: Arc::default(),
        }
    }

    /// Starts a task, when those before it are done.
    ///
    /// # Errors
    /// If too many wait, or the thread can't start.
    pub fn ask(&self, model: Chosen, task: Task) -> Result<Lines, String> {
        if self.waiting.load(Ordering::Acquire) >= WAITING {
            return Err("the model is busy with other texts; try again when one is done".into());
        }
        let (sender, receiver) = unbounded_channel();
        let gone = Arc::new(AtomicBool::new(false));
        let client = Client {
            lines: sender,
            gone: gone.clone(),
        };
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match &*jobs {
            Some(queue) => queue,
            None => {
                let (queue, receiver) = channel();
                let player = self.clone();
                let (waiting, power, seen) = (player.waiting, player.power, player.seen);
                let serve = move || serve(&receiver, &waiting, power, &seen);
                let thread = std::thread::Builder::new().name("models".into());
                thread.spawn(serve).map_err(|error| error.to_string())?;
                jobs.insert(queue)
            }
        };
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let sent = queue.send((model, task, client));
        sent.map_err(|_| "the model's thread has ended".to_owned())?;
        Ok(Lines {
            receiver,
            held: Held(gone),
        })
    }
}

/// A model in memory.
struct Loaded {
    chosen: Chosen,
    opened: Opened,
    /// Bytes of its weights.
    weights: u64,
}

/// Does tasks until the last `Player` is dropped.
fn serve(jobs: &Receiver<Job>, waiting: &AtomicUsize, power: Power, seen: &Seen) {
    if power.lowest {
        crate::priority::lower();
    }
    // The last one used comes last.
    let mut kept: Vec<Loaded> = Vec::new();
    loop {
        match jobs.recv_timeout(power.idle) {
            Ok((chosen, task, client)) => {
                waiting.fetch_sub(1, Ordering::AcqRel);
                if client.gone.load(Ordering::Relaxed) {
                    continue;
                }
                let done = open(&mut kept, chosen, power, &client)
                    .and_then(|l| task.run(&l.chosen, &mut l.opened, power, seen, &client));
                match done {
                    Ok(()) | Err(session::Error::Stopped) => {}
                    Err(error) => {
                        client.tell(Line::error(error.to_string()));
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => kept.clear(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn open<'a>(
    kept: &'a mut Vec<Loaded>,
    chosen: Chosen,
    power: Power,
    client: &Client,
) -> session::Result<&'a mut Loaded> {
    let loaded = match kept.iter().position(|l| l.chosen == chosen) {
        Some(at) => kept.remove(at),
        None => {
            client.tell(Line::Loading);
            while kept.iter().map(|l| l.weights).sum::<u64>() > power.weights {
                kept.remove(0);
            }
            let how = Use {
                threads: power.threads,
                sequences: 1,
            };
            let which = chosen.step.map_or(Which::Best, Which::Step);
            let opened = Opened::open(&chosen.folder, which, how)?;
            Loaded {
                chosen,
                weights: weights(&opened.folder),
                opened,
            }
        }
    };
    kept.push(loaded);
    let last = kept.len() - 1;
    Ok(&mut kept[last])
}

/// Bytes of the weights in a folder.
fn weights(folder: &Path) -> u64 {
    let Ok(files) = std::fs::read_dir(folder) else {
        return u64::MAX;
    };
    let tensors = files.flatten().filter(|file| {
        let path = file.path();
        path.extension().is_some_and(|e| e == "safetensors")
    });
    let sizes = tensors.filter_map(|file| std::fs::metadata(file.path()).ok());
    sizes.map(|found| found.len()).sum()
}
