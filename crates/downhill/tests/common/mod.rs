//! Runs the program by its command line, in a temporary folder.
#![allow(dead_code)]

pub mod browser;
pub mod page;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A folder in which the program runs.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A place with a text, `story.txt`.
    pub fn with_story() -> Place {
        let place = Place::new();
        place.write("story.txt", story().as_bytes());
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_downhill"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path(".cache"))
            .stdin(Stdio::null());
        command
    }

    /// Runs `downhill` with arguments that have no spaces in them.
    pub fn run(&self, arguments: &str) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// Starts `downhill` and reads its lines until one holds `until`.
    pub fn start(&self, arguments: &str, until: &str) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|l| l.unwrap().contains(until)),
            "no line with {until}"
        );
        // The pipe closes here; the program must go on without it.
        child
    }
}

/// Sends a signal, given by name.
pub fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// How a run of the program ended.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub error: String,
}

impl Run {
    pub fn of(output: Output) -> Run {
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that it succeeded without a warning.
    pub fn fine(self) -> Run {
        assert_eq!(self.code, 0, "{}{}", self.out, self.error);
        assert_eq!(self.error, "");
        self
    }

    /// Asserts that it failed with this code and an error of at most 12 lines with these words.
    pub fn fails(self, code: i32, words: &[&str]) -> Run {
        assert_eq!(self.code, code, "{}{}", self.out, self.error);
        assert!(self.error.lines().count() <= 12, "{}", self.error);
        for word in words {
            assert!(
                self.error.contains(word),
                "{word} is not in: {}",
                self.error
            );
        }
        self
    }

    /// Its one line as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }

    /// Its lines as JSON.
    pub fn events(&self) -> Vec<Value> {
        parse(&self.out)
    }
}

/// Lines of JSON.
pub fn parse(lines: &str) -> Vec<Value> {
    let each = lines.lines().map(|l| serde_json::from_str(l).unwrap());
    each.collect()
}

/// Events of one kind.
pub fn kind<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == name).collect()
}

/// A text of some 12 kB in which subject, verb and object vary.
pub fn story() -> String {
    let (who, does) = (["Anna", "The dog", "A small bear"], ["finds", "hides"]);
    let what = ["the red ball", "a kite", "his old hat", "nothing at all"];
    let each = (0..400).map(|i| {
        let (who, does, what) = (who[i % 3], does[i / 5 % 2], what[i * i / 7 % 4]);
        format!("{who} {does} {what} behind the hill.\n")
    });
    each.collect()
}

/// Letters without a pattern: they can only be learned by heart.
pub fn letters(count: usize) -> String {
    let mut state = 1u32;
    let letter = |_| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        char::from(b"abcdefghijklmnopqrstuvwxyz \n"[(state >> 16) as usize % 28])
    };
    (0..count).map(letter).collect()
}

/// Trains a model on `text.txt` that learns letters by heart in some 320 steps.
pub const BY_HEART: &str = "train text.txt --preset tiny --set data.tokenizer=chars --quiet \
    --set train.batch=16 --set optim.lr=0.01 --set eval.every=1000";

/// Weights and optimizer state of a checkpoint.
pub fn bits(place: &Place, run: &str, step: u64) -> (Vec<u8>, Vec<u8>) {
    let folder = Path::new(run).join(format!("checkpoints/step-{step:06}"));
    let file = |name: &str| place.read(folder.join(name).to_str().unwrap());
    (file("model.safetensors"), file("optimizer.safetensors"))
}
