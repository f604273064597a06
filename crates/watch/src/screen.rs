//! A log beside the training, on a thread of its own.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use run::{Event, What};

use crate::TerminalLog;

/// Events that may wait for a slow terminal.
const WAITING: usize = 1024;

/// Shows events without ever making the training wait: where the terminal is too slow (a pipe to a
/// pager, say), steps are left out; evaluations, samples and the end come late but whole. A
/// terminal that goes away ends the showing, not the training.
pub struct Screen {
    sender: Option<SyncSender<Event>>,
    late: VecDeque<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Begins to show events with this log.
    pub fn new<W: Write + Send + 'static>(log: TerminalLog<W>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("screen".to_string())
            .spawn(move || show(log, &receiver));
        Self {
            // Without a thread the receiver is gone, and each event is let go.
            sender: Some(sender),
            late: VecDeque::new(),
            thread: thread.ok(),
        }
    }

    /// Shows an event, soon.
    pub fn event(&mut self, event: &Event) {
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

    /// Waits until everything is shown. Call it once all is saved.
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
            // A panic of the screen has been printed by its thread; the run is as good as before.
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
