//! Event files for TensorBoard: scalars and texts, in addition to events.jsonl.
//!
//! A file is a sequence of TFRecords: length, its checksum, the bytes, their checksum (CRC-32C,
//! masked; see TensorFlow's `record_writer.h`). The bytes are one `Event` message of TensorFlow's
//! `event.proto`. Only a few of its fields are needed, so they are encoded by hand.

use run::{AppendFile, Event, Result, RunFolder, What, read_events};
use std::time::{Duration, Instant};

/// How long scalars may be buffered.
const WAIT: Duration = Duration::from_secs(1);

/// An event file of a run.
pub struct TensorBoard {
    file: Box<dyn AppendFile>,
    waiting: Vec<u8>,
    written: Instant,
}

impl TensorBoard {
    /// Creates a new event file in a run's folder. If it is the first one of an older run, earlier
    /// events are written too, so that the curve is complete.
    ///
    /// # Errors
    /// If the folder can't be read or written to.
    pub fn open(folder: &RunFolder) -> Result<TensorBoard> {
        let now = run::now();
        let prefix = "events.out.tfevents.";
        let names = std::fs::read_dir(folder.path()).into_iter().flatten();
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        // TensorBoard reads the files of a folder in the order of their names.
        let numbers = names.filter_map(|name| {
            let number = name.strip_prefix(prefix)?.split('.').next()?;
            number.parse::<u64>().ok()
        });
        let last = numbers.max();
        let number = (now as u64).max(last.map_or(0, |last| last + 1));
        let mut board = TensorBoard {
            file: folder.append(&format!("{prefix}{number:010}.downhill"))?,
            waiting: Vec::new(),
            written: Instant::now(),
        };
        board.record(now, 0, &Message::default().text(3, "brain.Event:2"));
        let path = folder.events_path();
        if last.is_none() && path.exists() {
            for event in read_events(&path)? {
                board.take(&event);
            }
        }
        board.flush()?;
        Ok(board)
    }

    /// Writes an event.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        self.take(event);
        if !matches!(event.what, What::Step(_)) || self.written.elapsed() > WAIT {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.written = Instant::now();
        self.file.write(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    fn take(&mut self, event: &Event) {
        let (time, step) = (event.time, event.step.unwrap_or_default());
        match &event.what {
            // Drops everything from this step on: the session resumes from the step before.
            What::Start(_) => {
                let session = Message::default().number(1, 1);
                let begins = Message::default().bytes(7, &session.0);
                self.record(time, step.saturating_add(1), &begins);
            }
            What::Step(e) => {
                let loss = e.nats_per_token.or(e.mse);
                self.scalars(
                    (time, step),
                    &[
                        ("loss/train", loss),
                        ("optimizer/learning_rate", Some(e.lr)),
                        ("optimizer/gradient_norm", Some(e.grad_norm)),
                        ("speed/tokens_per_second", Some(e.tokens_per_second)),
                    ],
                );
            }
            What::Eval(e) => self.scalars(
                (time, step),
                &[
                    ("loss/validation", e.val_nats_per_token.or(e.mse)),
                    ("bits_per_byte/validation", e.val_bits_per_byte),
                ],
            ),
            What::Sample(e) => {
                // The text panel renders Markdown; an indented block is shown verbatim.
                let text = format!("{}{}", e.prompt, e.text);
                let lines: String = text.lines().map(|line| format!("    {line}\n")).collect();
                let value = text_value("sample", &lines);
                self.record(time, step, &Message::default().bytes(5, &value));
            }
            _ => {}
        }
    }

    fn scalars(&mut self, (time, step): (f64, u64), values: &[(&str, Option<f64>)]) {
        let mut summary = Message::default();
        for (tag, value) in values {
            if let Some(value) = value {
                let value = Message::default().text(1, tag).float(2, *value as f32);
                summary = summary.bytes(1, &value.0);
            }
        }
        if !summary.0.is_empty() {
            self.record(time, step, &Message::default().bytes(5, &summary.0));
        }
    }

    fn record(&mut self, time: f64, step: u64, what: &Message) {
        let mut event = Message::default().double(1, time).number(2, step);
        event.0.extend(&what.0);
        let length = (event.0.len() as u64).to_le_bytes();
        self.waiting.extend(length);
        self.waiting.extend(masked(&length).to_le_bytes());
        self.waiting.extend(&event.0);
        self.waiting.extend(masked(&event.0).to_le_bytes());
    }
}

impl Drop for TensorBoard {
    fn drop(&mut self) {
        // On failure nothing is lost: events.jsonl has everything.
        let _ = self.flush();
    }
}

/// A summary with one text: a tensor of one string, for the text plugin.
fn text_value(tag: &str, text: &str) -> Vec<u8> {
    const STRING: u64 = 7;
    let one = Message::default().number(1, 1);
    let shape = Message::default().bytes(2, &one.0);
    let tensor = Message::default()
        .number(1, STRING)
        .bytes(2, &shape.0)
        .text(8, text);
    let plugin = Message::default().text(1, "text");
    let metadata = Message::default().bytes(1, &plugin.0);
    let value = Message::default()
        .text(1, tag)
        .bytes(8, &tensor.0)
        .bytes(9, &metadata.0);
    Message::default().bytes(1, &value.0).0
}

/// A masked CRC-32C, as in TFRecords.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// A Protocol Buffers message, encoded field by field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(mut self, field: u64, number: u64) -> Message {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn double(mut self, field: u64, number: f64) -> Message {
        self.varint(field << 3 | 1);
        self.0.extend(number.to_le_bytes());
        self
    }

    fn float(mut self, field: u64, number: f32) -> Message {
        self.varint(field << 3 | 5);
        self.0.extend(number.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use run::{Choice, Disk, Start, Step};
    use std::sync::Arc;

    #[test]
    fn a_record_has_the_bytes_that_tensorflow_writes() {
        // CRC-32C of "123456789" is 0xe3069283 (RFC 3720, appendix B.4, names others of its kind).
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5);
        let message = Message::default()
            .number(2, 300)
            .text(3, "ab")
            .float(5, 1.0);
        let bytes = [16, 0xac, 2, 26, 2, b'a', b'b', 45, 0, 0, 0x80, 0x3f];
        assert_eq!(message.0, bytes);
    }

    #[test]
    fn each_session_has_its_own_file_and_the_first_one_has_all_events() {
        let place = tempfile::tempdir().unwrap();
        let choice = Choice::Exact {
            path: place.path().join("run"),
            overwrite: false,
        };
        let folder = RunFolder::create(Arc::new(Disk), &choice).unwrap();
        let step = |step| {
            let nats_per_token = Some(1.0);
            let what = Step {
                nats_per_token,
                ..Step::default()
            };
            Event::new(0.0, step, what)
        };
        let start = Event::new(0.0, 0, Start::default());
        let mut log = folder.event_log().unwrap();
        [start, step(1), step(2)]
            .iter()
            .for_each(|event| log.write(event).unwrap());
        let mut board = TensorBoard::open(&folder).unwrap();
        board.event(&step(3)).unwrap();
        drop(board);
        drop(TensorBoard::open(&folder).unwrap());
        let mut files: Vec<(String, usize)> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    records(&entry.path()),
                )
            })
            .filter(|(name, _)| name.contains("tfevents"))
            .collect();
        files.sort();
        let counts: Vec<usize> = files.iter().map(|(_, count)| *count).collect();
        // The version, the start and three steps; then the version alone.
        assert_eq!(counts, [5, 1], "{files:?}");
    }

    /// Counts the complete records of a file and checks their checksums.
    fn records(path: &std::path::Path) -> usize {
        let all = std::fs::read(path).unwrap_or_default();
        let (mut rest, mut count) = (&all[..], 0);
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            let size = u64::from_le_bytes(*length) as usize;
            if size > after.len() {
                return 0;
            }
            assert_eq!(after[..4], masked(length).to_le_bytes());
            let (body, checksum) = after[4..].split_at(size);
            assert_eq!(checksum[..4], masked(body).to_le_bytes());
            rest = &checksum[4..];
            count += 1;
        }
        count
    }
}
