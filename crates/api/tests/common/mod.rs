//! A small model with random weights, a server for it, and a client.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use api::{ApiOptions, ApiServer};
use engine::{Init, RandomPurpose, Stream};
use model::{Config, Mode, decoder, hugging_face};
use run::Which;
use serde_json::Value;
use session::{Opened, Use};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use text::Tokenizer;

/// Longest wait for a counter.
const PATIENCE: Duration = Duration::from_secs(120);

pub const CONTEXT: usize = 200;
pub const KEY: &str = "a-key-for-tests";

/// A folder with a model of bytes. Its weights are large enough that texts vary.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sets = format!("layers=2,heads=4,kv_heads=2,width=32,hidden=48,context={CONTEXT}");
    let sets: Vec<String> = sets.split(',').map(|s| format!("model.{s}")).collect();
    let model = Config::load(None, None, &sets).unwrap().model;
    let tokenizer = Tokenizer::bytes();
    let vocabulary = tokenizer.vocabulary_size();
    let graph = decoder(&model, vocabulary, (1, 1), Mode::Score)
        .unwrap()
        .graph;
    let tensor = |name: &str| {
        let at = graph.variables().iter().position(|v| v.name == name)?;
        let v = &graph.variables()[at];
        let mut random = Stream::new(3, RandomPurpose::Check, at as u64);
        let scale = if matches!(v.init, Init::Ones) {
            0.0
        } else {
            0.3
        };
        let middle = if scale == 0.0 { 1.0 } else { 0.0 };
        let numbers = (0..v.len()).map(|_| (middle + scale * random.normal()) as f32);
        Some(numbers.collect())
    };
    let mut weights = Vec::new();
    hugging_face::write_weights(&model, vocabulary, &tensor, &mut weights).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write(hugging_face::WEIGHTS, &weights);
    write("tokenizer.json", tokenizer.to_json().as_bytes());
    write(
        "tokenizer_config.json",
        tokenizer.config_json(CONTEXT).as_bytes(),
    );
    for (name, bytes) in hugging_face::config_files(&model, vocabulary, tokenizer.end_of_text()) {
        write(&name, &bytes);
    }
    folder
}

pub fn opened(folder: &Path) -> Opened {
    Opened::open(folder, Which::Best, Use::default()).unwrap()
}

/// Serves a folder without a key, with room for this many texts that are written and that wait.
pub fn options(folder: &Path, texts: usize, waiting: usize) -> ApiOptions {
    ApiOptions {
        opened: opened(folder),
        name: "small".into(),
        address: "127.0.0.1:0".parse().unwrap(),
        key: None,
        hosts: Vec::new(),
        origins: Vec::new(),
        texts,
        waiting,
    }
}

/// A client of a server on this machine.
#[derive(Clone)]
pub struct Client {
    pub host: String,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The events of a stream, without the mark of its end.
    pub fn events(&self) -> Vec<Value> {
        let body = self.body.strip_suffix("data: [DONE]\n\n");
        let events = body.expect("a stream that ended").split_terminator("\n\n");
        let json = |event: &str| {
            let event = event.strip_prefix("data: ").unwrap();
            serde_json::from_str(event).unwrap()
        };
        events.map(json).collect()
    }
}

impl Client {
    pub fn of(server: &ApiServer) -> Client {
        let url = server.url();
        let host = url.strip_prefix("http://").unwrap();
        let host = host.strip_suffix("/v1").unwrap().to_owned();
        Client { host }
    }

    /// Sends a request; an HTTP/1.0 answer ends with the connection.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.0\r\ncontent-length: {length}\r\n{headers}\r\n");
        // A body that is refused isn't read to its end.
        let _ = stream.write_all((head + body).as_bytes());
        stream
    }

    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let mut stream = self.send(method, path, headers, body);
        let mut bytes = Vec::new();
        // Likewise.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("valid UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        Reply {
            status: status.unwrap_or(0),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn own(&self) -> String {
        format!("host: {}\r\n", self.host)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &self.own(), "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string())
    }

    pub fn post_text(&self, path: &str, body: &str) -> Reply {
        self.ask("POST", path, &self.own(), body)
    }

    /// Starts a request whose answer isn't read yet.
    pub fn start(&self, path: &str, body: &Value) -> TcpStream {
        self.send("POST", path, &self.own(), &body.to_string())
    }

    /// Waits until a counter has a value at least.
    pub fn until(&self, name: &str, value: u64) {
        let until = Instant::now() + PATIENCE;
        while self.metric(name) < value {
            assert!(Instant::now() < until, "never: {name} {value}");
            std::thread::yield_now();
        }
    }

    /// A counter of the server.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").body;
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(&format!("downhill_{name} ")));
        line.expect("a metric").parse().unwrap()
    }
}
