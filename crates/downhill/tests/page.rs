//! The live page under attack.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Place;
use common::page::Page;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A text whose every line would run a script if it were taken for markup.
fn hostile() -> String {
    let lines = [
        "<script>window.hacked = 1</script>",
        "<img src=x onerror=\"window.hacked=1\">",
        "</div></pre><svg onload='window.hacked=1'>",
        "javascript:window.hacked=1 & \"quotes\" '<!--'",
    ];
    (0..400)
        .map(|i| format!("{} {i}\n", lines[i % 4]))
        .collect()
}

/// Sends a request unchanged and returns the whole answer.
fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A server that refuses may close the connection early.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(port: u16, path: &str, more: &str) -> String {
    raw(
        port,
        &format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{more}\r\n"),
    )
}

fn hostile_run() -> Place {
    let place = Place::new();
    place.write("hostile.txt", hostile().as_bytes());
    let train = "train hostile.txt --preset tiny --steps 30 --set eval.every=10 --run r --quiet";
    place.run(train).fine();
    place
}

#[test]
fn only_our_own_page_is_answered() {
    let place = hostile_run();
    let page = Page::watch(&place, "watch r");
    let port = page.port;
    let ours = format!("host: 127.0.0.1:{port}\r\n");
    let fine = get(port, "/", &ours);
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
    for header in ["script-src 'self'", "nosniff", "frame-ancestors 'none'"] {
        assert!(fine.contains(header), "{header}");
    }
    assert!(!fine.to_lowercase().contains("access-control-allow"));
    let foreign = ["host: evil.example\r\n".to_owned(), String::new()];
    let crossed = [
        "origin: http://evil.example\r\n",
        "sec-fetch-site: cross-site\r\n",
    ];
    let crossed = crossed.map(|header| format!("{ours}{header}"));
    for headers in foreign.iter().chain(&crossed) {
        let answer = get(port, "/api/runs", headers);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{headers}: {answer}");
    }
    let events = get(port, "/api/runs/0/events", &ours);
    assert!(events.contains("\"ladder\"") && events.contains("\"layers\""));
    assert!(get(port, "/api/runs/9/events", &ours).starts_with("HTTP/1.1 404"));
    assert!(get(port, "/page/../Cargo.toml", &ours).starts_with("HTTP/1.1 404"));
    // Control is off unless it was asked for, and a change needs our Origin.
    let body = "{\"token\":\"x\",\"action\":\"stop\"}";
    let post = |origin: &str| {
        let length = body.len();
        let head =
            "POST /api/control HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\n";
        raw(
            port,
            &format!("{head}{ours}{origin}content-length: {length}\r\n\r\n{body}"),
        )
    };
    for origin in ["", &format!("origin: http://127.0.0.1:{port}\r\n")] {
        assert!(post(origin).starts_with("HTTP/1.1 403"));
    }
    // Headers and bodies are bounded.
    let long = format!("{ours}x: {}\r\n", "x".repeat(40_000));
    assert!(!get(port, "/", &long).starts_with("HTTP/1.1 200"));
    let big = format!(
        "POST /api/control HTTP/1.1\r\nconnection: close\r\n{ours}origin: http://127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
    );
    assert!(raw(port, &big).starts_with("HTTP/1.1 413"));
}

#[test]
fn train_shows_the_page_and_prints_its_address() {
    let place = Place::with_story();
    let shown = place
        .run("train story.txt --preset tiny --steps 5 --run r")
        .fine();
    assert!(
        shown.out.contains("page     http://127.0.0.1:"),
        "{}",
        shown.out
    );
    let silent = place
        .run("train story.txt --preset tiny --steps 5 --run n --no-page")
        .fine();
    assert!(!silent.out.contains("http://"));
    place.run("report r -o r.html --svg pictures").fine();
    place.run("report r -o r.html --svg pictures").fine();
    place.write("novel.txt", b"not to be lost");
    place
        .run("report r -o novel.txt")
        .fails(1, &["novel.txt exists", "--overwrite"]);
    assert_eq!(place.read("novel.txt"), b"not to be lost");
    assert!(place.run("report r -o -").fine().out.contains("</svg>"));
    let report = String::from_utf8(place.read("r.html")).unwrap();
    assert!(report.contains("<svg") && !report.contains("<script") && !report.contains("src="));
    assert!(place.has("pictures/loss.svg"));
}

/// Clients that are slow, or ask for much and read nothing, don't shut others out or fill memory.
#[test]
fn nobody_can_hold_the_page() {
    let place = hostile_run();
    // More than the system keeps for a client that doesn't read.
    let long = serde_json::json!({
        "event": "sample", "time": 1.5, "step": 30, "prompt": "", "text": "long ".repeat(1 << 21),
        "seed": 1, "temperature": 1.0,
    });
    let mut events = place.read("r/events.jsonl");
    events.extend(format!("{long}\n").bytes());
    place.write("r/events.jsonl", &events);
    let page = Page::watch(&place, "watch r");
    let (port, host) = (page.port, format!("host: 127.0.0.1:{}\r\n", page.port));
    let hold = |text: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let slow: Vec<TcpStream> = (0..193).map(|_| hold("GET / HTTP/1.1\r\n")).collect();
    assert!(get(port, "/", &host).starts_with("HTTP/1.1 200"));
    drop(slow);
    let serials = get(port, "/api/runs/0/events", &host);
    let serial = serials.rsplit("\"serial\":").next().unwrap();
    let serial = serial.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    let large = format!("/api/runs/0/event/{serial}");
    let request = format!("GET {large} HTTP/1.1\r\n{host}\r\n");
    let unread: Vec<TcpStream> = (0..30).map(|_| hold(&request)).collect();
    assert!(get(port, "/api/runs", &host).starts_with("HTTP/1.1 200"));
    // It comes once those before it were given up.
    let own = get(port, &large, &host);
    assert!(own.starts_with("HTTP/1.1 200"), "{own:.300}");
    assert!(own.contains("long long"));
    if let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", page.child.id())) {
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(peak < 250_000, "{peak} kB");
    }
    drop(unread);
}
