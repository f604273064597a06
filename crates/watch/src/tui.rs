//! The terminal screen itself: draws the dashboard until the user leaves or the events end.

use crate::dashboard::Dashboard;
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use run::Event;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

/// Between two drawings.
const PACE: Duration = Duration::from_millis(200);
/// Bytes read of an event log at once.
const CHUNK: u64 = 4 << 20;

/// Where events come from.
pub enum Events {
    /// A run on disk, which may still grow.
    Follow(Follow),
    /// A training in this process; it is over when its sender is gone.
    Beside(Receiver<Event>),
}

/// Follows an event log.
pub struct Follow {
    path: PathBuf,
    read: u64,
    rest: Vec<u8>,
}

impl Follow {
    /// Follows this event log, which need not exist yet.
    pub fn new(path: PathBuf) -> Follow {
        Follow {
            path,
            read: 0,
            rest: Vec::new(),
        }
    }

    /// Events of whole new lines. Lines that are none are left out; so is a last one that is cut.
    fn next(&mut self) -> Vec<Event> {
        let Ok(mut file) = File::open(&self.path) else {
            return Vec::new();
        };
        let length = file.metadata().map_or(0, |m| m.len());
        if length < self.read {
            (self.read, self.rest) = (0, Vec::new());
        }
        if length == self.read || file.seek(SeekFrom::Start(self.read)).is_err() {
            return Vec::new();
        }
        let got = file.take(CHUNK).read_to_end(&mut self.rest).unwrap_or(0);
        self.read += got as u64;
        let end = self
            .rest
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..end).collect();
        let lines = lines.split(|&b| b == b'\n');
        lines.filter_map(run::parse_event).collect()
    }
}

/// Why the screen closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The user left.
    User,
    /// The training is over.
    Over,
}

/// Shows the screen.
///
/// # Errors
/// Where the terminal can't be used.
pub fn show(name: &str, mut events: Events) -> io::Result<Closed> {
    let mut terminal = ratatui::try_init()?;
    let mut dashboard = Dashboard::new(name);
    let mut draw = || -> io::Result<Closed> {
        loop {
            let mut over = false;
            match &mut events {
                Events::Follow(follow) => loop {
                    let new = follow.next();
                    if new.is_empty() {
                        break;
                    }
                    new.iter().for_each(|e| dashboard.event(e));
                },
                Events::Beside(receiver) => loop {
                    match receiver.try_recv() {
                        Ok(event) => dashboard.event(&event),
                        Err(TryRecvError::Empty) => break,
                        Err(TryRecvError::Disconnected) => {
                            over = true;
                            break;
                        }
                    }
                },
            }
            terminal.draw(|frame| dashboard.draw(frame))?;
            if over {
                return Ok(Closed::Over);
            }
            if event::poll(PACE)? && leaves(&event::read()?) {
                return Ok(Closed::User);
            }
        }
    };
    let left = draw();
    ratatui::try_restore()?;
    left
}

/// Whether a key leaves: q, Escape or Ctrl-C.
fn leaves(event: &event::Event) -> bool {
    let event::Event::Key(key) = event else {
        return false;
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') | KeyCode::Esc => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn broken_and_cut_lines_are_left_out() {
        let path = std::env::temp_dir().join(format!("downhill-follow-{}", std::process::id()));
        let mut follow = Follow::new(path.clone());
        assert!(follow.next().is_empty());
        let mut file = File::create(&path).unwrap();
        let step = |n: u64| {
            format!(
                "{{\"event\":\"step\",\"time\":1,\"step\":{n},\"grad_norm\":1,\"lr\":1,\"step_seconds\":1,\"tokens_per_second\":1}}"
            )
        };
        write!(file, "{}\nbroken\n{}\n{}", step(1), step(2), &step(3)[..20]).unwrap();
        assert_eq!(follow.next().len(), 2);
        assert!(follow.next().is_empty());
        writeln!(file, "{}", &step(3)[20..]).unwrap();
        assert_eq!(follow.next()[0].step(), Some(3));
        std::fs::remove_file(&path).unwrap();
    }
}
