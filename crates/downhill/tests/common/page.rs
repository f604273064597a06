//! The program while it shows its page.

use super::Place;
use super::browser::Browser;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Elements of drawn panels, each with its minimum count.
const DRAWN: [(&str, usize); 29] = [
    ("#loss-chart .scatterlayer .trace path", 4),
    ("#loss-chart .shapelayer path", 5),
    ("#loss-stage .gauge .name", 5),
    ("#loss-stage .here", 1),
    ("#film-strip button", 2),
    ("#lens-text span", 20),
    ("#lens-top .share", 8),
    ("#inside-heads canvas", 4),
    ("#inside-layers b", 6),
    ("#inside-map text", 20),
    ("#machine-heat .heatmaplayer image", 1),
    ("#machine-lines .scatterlayer .trace", 8),
    ("#terrain-3d canvas", 1),
    ("#terrain-flat .scatterlayer .trace", 6),
    ("#terrain-table tr", 5),
    ("#terrain-told li", 5),
    ("#crowd-lines .scatterlayer .trace", 6),
    ("#crowd-runs tr", 5),
    ("#crowd-agreement td", 9),
    ("#copied-gap .scatterlayer .trace", 2),
    ("#copied-planted tr", 8),
    ("#copied-table tr", 18),
    ("#time-cards b", 4),
    ("#time-speed .scatterlayer .trace path", 1),
    ("#time-work .barlayer .point", 5),
    ("#run-settings tr", 5),
    ("#run-graph rect", 20),
    ("#run-events tr", 3),
    ("#run-checkpoints a", 1),
];

/// A program that serves the page; killed when dropped.
pub struct Page {
    pub child: Child,
    pub port: u16,
    /// Its output after the page's address.
    pub out: BufReader<ChildStdout>,
}

impl Page {
    /// Starts it, and waits until it has printed the page's address.
    pub fn watch(place: &Place, arguments: &str) -> Page {
        Page::of(place.command(arguments))
    }

    /// The same with a command of its own.
    pub fn of(mut command: Command) -> Page {
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
    assert_ne!(out.read_line(&mut line).unwrap(), 0, "the program ended");
    line
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PLANTED: &str = "--set data.canaries=1 --set data.canary_tokens=8";

/// A small language model's run, with its landscape, runs from other random starts, and what it
/// copied.
pub fn language_run() -> Place {
    let place = Place::new();
    let train = "train --preset tiny --steps 40 --run r --quiet --set eval.every=10 \
                 --set checkpoint.every=10 --set eval.tokens=1024 --set sample.tokens=60";
    place.run(&format!("{train} {PLANTED}")).fine();
    place
        .run("originality r --samples 4 --tokens 100 --show 0")
        .fine();
    place.run("landscape r --crowd 3 --json").fine();
    place
        .run("landscape r --grid 9 --tokens 256 --steps 8 --walkers 2")
        .fine();
    place
}

/// Opens the page, and waits until it is ready.
pub fn open(browser: &Browser, page: &Page) {
    browser.open(&page.address());
    browser.wait("document.documentElement.dataset.ready === 'yes'");
}

/// Waits until every panel is drawn.
pub fn all_drawn(browser: &Browser) {
    for (what, least) in DRAWN {
        browser.wait(&format!(
            "document.querySelectorAll('{what}').length >= {least}"
        ));
    }
    browser.wait("document.getElementById('film-strip').textContent.length > 20");
    // Every chart has a size and a label, and lies inside its panel.
    let bad = browser.run(
        "return [...document.querySelectorAll('.chart:not([hidden])')].filter((c) => {
           const [box, around] = [c.getBoundingClientRect(), c.closest('section').getBoundingClientRect()];
           return !c.ariaLabel || box.height < 100 || box.width < 200 || box.right > around.right;
         }).map((c) => c.id)",
    );
    assert_eq!(bad, json!([]));
}
