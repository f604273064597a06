//! The event log, `events.jsonl`: appended during training, read by everything else.

use std::io::Read;
use std::path::Path;

use crate::files::open_regular;
use crate::{AppendFile, Error, Event, Files, Result, Warning, What};

/// The event log of a run, open for appending. Each event is one write of one line; the file is
/// synced only when a checkpoint was saved and at the end.
pub struct EventLog {
    file: Box<dyn AppendFile>,
    line: Vec<u8>,
    /// Bytes of complete lines in the file.
    length: u64,
    /// Whether a failed write may have left part of a line after them.
    torn: bool,
}

impl EventLog {
    /// Opens the log, creating it if needed. A last line cut off by a crash is removed.
    pub fn open(files: &dyn Files, path: &Path) -> Result<Self> {
        let mut file = files.append(path)?;
        let old = read(path)?;
        let start = old.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let tail = &old[start..];
        let mut length = old.len() as u64;
        if !tail.is_empty() {
            if Event::parse(tail).is_ok() {
                file.write(b"\n")?;
                length += 1;
            } else {
                length = start as u64;
                file.cut(length)?;
            }
        }
        Ok(Self {
            file,
            line: Vec::new(),
            length,
            torn: false,
        })
    }

    /// Appends an event. After an error the log is still usable and contains only complete lines.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        if self.torn {
            self.file.cut(self.length)?;
            self.torn = false;
        }
        self.line.clear();
        // Writing scalars to memory can't fail, but the signature allows an error.
        serde_json::to_writer(&mut self.line, event)
            .map_err(|error| Error::at("writing", Path::new("events.jsonl"), error.into()))?;
        self.line.push(b'\n');
        if let Err(error) = self.file.write(&self.line) {
            self.torn = true;
            return Err(error);
        }
        self.length += self.line.len() as u64;
        if matches!(event.what, What::Saved(_) | What::End(_)) {
            self.file.sync()?;
        }
        Ok(())
    }
}

/// Reads a whole event log as one curve: where a later session resumed from an earlier step, the
/// events it undid are dropped. Unknown kinds and fields are ignored, as is a truncated last line;
/// a warning at the end counts broken lines.
pub fn read_events(path: &Path) -> Result<Vec<Event>> {
    let bytes = read(path)?;
    let mut broken: Option<(usize, usize, String)> = None;
    let mut events: Vec<Event> = Vec::new();
    let mut lines = bytes.split(|&b| b == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match Event::parse(line) {
            Ok(Some(event)) => {
                if let What::Start(_) = event.what {
                    events.retain(|earlier| !event.undoes(earlier.step));
                }
                events.push(event);
            }
            Ok(None) => {}
            // Nothing follows, not even a newline: it was cut off, or is being written right now.
            Err(_) if lines.peek().is_none() => {}
            Err(reason) => match &mut broken {
                Some((count, ..)) => *count += 1,
                None => broken = Some((1, index + 1, reason.to_string())),
            },
        }
    }
    if let Some((count, first, reason)) = broken {
        let message = format!(
            "{}: lines that are not events were skipped: {count}, the first is line {first} ({reason})",
            path.display()
        );
        let time = events.last().map_or(0.0, |event| event.time);
        events.push(Event::new(time, 0, Warning { message }));
    }
    Ok(events)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open_regular(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|error| Error::at("reading", path, error))?;
    Ok(bytes)
}
