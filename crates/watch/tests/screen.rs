//! The log on its own thread: neither a slow nor a closed terminal affects the trainer.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use common::{at, end, eval, run, start, step};
use watch::{Screen, TerminalLog};

/// A terminal that blocks until it is released, and records what is written.
#[derive(Clone, Default)]
struct Stuck {
    gate: Arc<Mutex<()>>,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _open = self.gate.lock().unwrap();
        self.shown.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_terminal_delays_no_step_and_loses_no_evaluation() {
    let terminal = Stuck::default();
    let stuck = terminal.gate.lock().unwrap();
    let mut screen = Screen::new(TerminalLog::new(terminal.clone(), None, false, false));
    screen.event(&at(0, start()));
    for n in 1..=5000 {
        screen.event(&at(n, step(n)));
        if n % 1000 == 0 {
            screen.event(&eval(n, n as f64, true));
        }
    }
    drop(stuck);
    screen.event(&at(1000, end("finished")));
    screen.finish();
    let shown = String::from_utf8(terminal.shown.lock().unwrap().clone()).unwrap();
    for bits in ["1000.0", "2000.0", "3000.0", "4000.0", "5000.0"] {
        assert!(shown.contains(bits), "{bits} is missing in {shown}");
    }
    assert!(shown.ends_with("--steps 2000\n"), "{shown}");
}

#[test]
fn a_closed_terminal_stops_nothing() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let mut screen = Screen::new(TerminalLog::new(Gone, Some(80), true, false));
    run().iter().for_each(|event| screen.event(event));
    screen.finish();
}
