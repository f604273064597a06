//! The playground's models: one thread that opens them, keeps the last ones in memory, and answers
//! one question after another.

use crate::answer::{Client, Lines, Reply};
use crate::play::Inquiry;
use crate::power::Power;
use crate::seen::{ModelId, Seen};
use run::Which;
use session::{Opened, Use};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum questions that wait.
const WAITING: usize = 8;

type Job = (ModelId, Inquiry, Client);

/// The thread that uses models; it starts with the first question.
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

    /// Asks a question, which is answered after those before it.
    ///
    /// # Errors
    /// If too many wait, or the thread can't start.
    pub fn ask(&self, model: ModelId, question: Inquiry) -> Result<Lines, String> {
        if self.waiting.load(Ordering::Acquire) >= WAITING {
            return Err("the model is busy with other texts; try again when one is done".into());
        }
        let (client, lines) = Client::new();
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
        let sent = queue.send((model, question, client));
        sent.map_err(|_| "the model's thread has ended".to_owned())?;
        Ok(lines)
    }
}

/// A model in memory.
struct Loaded {
    model: ModelId,
    opened: Opened,
    /// Bytes of its weights.
    weights: u64,
}

/// Answers questions until the last `Player` is dropped.
fn serve(jobs: &Receiver<Job>, waiting: &AtomicUsize, power: Power, seen: &Seen) {
    if power.lowest {
        crate::priority::lower();
    }
    // The last one used comes last.
    let mut kept: Vec<Loaded> = Vec::new();
    loop {
        match jobs.recv_timeout(power.idle) {
            Ok((model, question, client)) => {
                waiting.fetch_sub(1, Ordering::AcqRel);
                if client.gone().load(Ordering::Relaxed) {
                    continue;
                }
                let done = open(&mut kept, model, power, &client)
                    .and_then(|l| question.answer(&l.model, &mut l.opened, power, seen, &client));
                match done {
                    Ok(()) | Err(session::Error::Stopped) => {}
                    Err(error) => {
                        client.tell(Reply::error(error.to_string()));
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
    model: ModelId,
    power: Power,
    client: &Client,
) -> session::Result<&'a mut Loaded> {
    let loaded = match kept.iter().position(|l| l.model == model) {
        Some(at) => kept.remove(at),
        None => {
            client.tell(Reply::Loading);
            while kept.iter().map(|l| l.weights).sum::<u64>() > power.weights {
                kept.remove(0);
            }
            let how = Use {
                threads: power.threads,
                ..Use::default()
            };
            let which = model.step.map_or(Which::Best, Which::Step);
            let opened = Opened::open(&model.folder, which, how)?;
            Loaded {
                model,
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
    let files = std::fs::read_dir(folder).into_iter().flatten();
    let tensors = files.flatten().filter(|file| {
        let path = file.path();
        path.extension().is_some_and(|e| e == "safetensors")
    });
    let sizes = tensors.filter_map(|file| std::fs::metadata(file.path()).ok());
    sizes.map(|found| found.len()).sum()
}
