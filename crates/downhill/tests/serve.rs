//! `downhill serve`: the command line, and the same text as `downhill sample`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, signal};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// A server of this place and its address.
fn serve(place: &Place, arguments: &str) -> (Child, String) {
    let mut command = place.command(&format!("serve {arguments} --port 0"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("serving http://");
    let address = address.and_then(|a| a.strip_suffix("/v1"));
    let address = address.expect("the address is printed").to_owned();
    (child, address)
}

fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn a_run_is_served_until_a_signal_comes() {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --set data.tokenizer=chars --steps 10 --quiet";
    place.run(line).fine();
    place.write("key", b"my-key\n");
    let (mut child, address) = serve(&place, "runs/story --api-key-file key --threads 1");
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let key = "authorization: Bearer my-key\r\n";
    assert_eq!(ask(&address, "GET", "/v1/models", "", "").0, "401");
    let (_, models) = ask(&address, "GET", "/v1/models", key, "");
    assert_eq!(models["data"][0]["id"], "story");
    let wish =
        json!({"prompt": "Anna", "max_tokens": 90, "temperature": 1.1, "top_k": 20, "seed": 7});
    let (status, reply) = ask(&address, "POST", "/v1/completions", key, &wish.to_string());
    assert_eq!(status, "200", "{reply}");
    let line =
        "sample --prompt Anna --tokens 90 --temperature 1.1 --top-k 20 --top-p 1 --seed 7 --json";
    let sample = place.run(line).fine().json();
    assert_eq!(reply["choices"][0]["text"], sample["text"]);
    let unknown = json!({"prompt": "Ä"}).to_string();
    let (status, reply) = ask(&address, "POST", "/v1/completions", key, &unknown);
    assert_eq!(
        (&status[..], &reply["error"]["param"]),
        ("400", &json!("prompt"))
    );
    assert!(reply["error"]["message"].as_str().unwrap().contains("'Ä'"));
    // A text that is being written doesn't hold up the end.
    let endless = json!({"prompt": "A", "max_tokens": 60_000, "stream": true, "ignore_eos": true});
    let mut stream = TcpStream::connect(&address).unwrap();
    let length = endless.to_string().len();
    let head =
        format!("POST /v1/completions HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n");
    write!(stream, "{head}{key}\r\n{endless}").unwrap();
    stream.read_exact(&mut [0; 300]).unwrap();
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (mut child, address) = serve(&place, "--model-name mine");
    let (_, models) = ask(&address, "GET", "/v1/models", "", "");
    assert_eq!(models["data"][0]["id"], "mine");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_served_is_an_error() {
    let place = Place::new();
    place
        .run("serve nowhere --host 0.0.0.0")
        .fails(2, &["0.0.0.0", "--api-key-file"]);
    place.run("serve nowhere").fails(1, &["nowhere"]);
    place.run("serve x --api-key-file none").fails(1, &["none"]);
    place.write("key", b"two words");
    place
        .run("serve x --api-key-file key")
        .fails(1, &["key", "visible"]);
    place.run("serve x --streams 0").fails(2, &["--streams"]);
}
