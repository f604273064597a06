//! The program while it shows its page.

use super::Place;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

/// A program that shows the page; ended when dropped.
pub struct Page {
    pub child: Child,
    pub port: u16,
    /// What it prints after the page's address.
    pub out: BufReader<ChildStdout>,
}

impl Page {
    /// Starts it, and waits until it has said where the page is.
    pub fn watch(place: &Place, arguments: &str) -> Page {
        let mut command = place.command(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let line = line(&mut out);
            if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
                break rest.split('/').next().unwrap().parse().unwrap();
            }
        };
        Page { child, port, out }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        line(&mut self.out)
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

fn line(out: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended");
    line
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
