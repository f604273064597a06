//! The terminal log on a thread of its own.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use run::{Event, What};

use crate::TerminalLog;

/// Events that may wait for a slow terminal.
const WAITING: usize = 1024;

/// Shows events without ever making training wait. If the terminal is too slow (a pipe to a pager,
/// say), steps are dropped; evaluations, samples and the end are shown late but complete. If the
/// terminal closes, only the log ends; training continues.
pub struct Screen {
    sender: Option<SyncSender<Event>>,
    late: VecDeque<Event>,
    thread: Option<JoinHandle<()>>,
    /// Shows events right away, where the system has no thread to give.
    direct: Option<Show>,
}

type Show = Box<dyn FnMut(&Event) -> io::Result<()> + Send>;

impl Screen {
    /// Starts a thread that shows events with this log.
    pub fn new<W: Write + Send + 'static>(mut log: TerminalLog<W>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let (give, take) = channel();
        let work = move || take.recv().map_or((), |log| show(log, &receiver));
        let builder = std::thread::Builder::new().name("screen".to_string());
        let mut direct: Option<Show> = None;
        let thread = match builder.spawn(work) {
            Ok(thread) => {
                // The thread waits for it.
                let _ = give.send(log);
                Some(thread)
            }
            Err(_) => {
                direct = Some(Box::new(move |event| log.event(event)));
                None
            }
        };
        Self {
            sender: thread.is_some().then_some(sender),
            late: VecDeque::new(),
            thread,
            direct,
        }
    }

    /// Queues an event to be shown.
    pub fn event(&mut self, event: &Event) {
        if let Some(show) = &mut self.direct
            && show(event).is_err()
        {
            self.direct = None;
        }
        let Some(sender) = &self.sender else { return };
        while let Some(event) = self.late.pop_front() {
            if let Err(TrySendError::Full(event)) = sender.try_send(event) {
                self.late.push_front(event);
                break;
            }
        }
        let full = !self.late.is_empty();
        let step = matches!(event.what, What::Step(_));
        if full && !step {
            self.late.push_back(event.clone());
        } else if !full
            && let Err(TrySendError::Full(event)) = sender.try_send(event.clone())
            && !step
        {
            self.late.push_back(event);
        }
    }

    /// Waits until everything is shown. Call it after the final save.
    pub fn finish(mut self) {
        self.close();
    }

    fn close(&mut self) {
        if let Some(sender) = self.sender.take() {
            for event in self.late.drain(..) {
                if sender.send(event).is_err() {
                    break;
                }
            }
        }
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, it has printed its message; the run isn't affected.
            let _ = thread.join();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

fn show<W: Write>(mut log: TerminalLog<W>, events: &Receiver<Event>) {
    for event in events {
        if log.event(&event).is_err() {
            return;
        }
    }
}
