//! The terminal screen: draws the dashboard until the user quits or the events end.

use crate::dashboard::Dashboard;
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use run::{Condition, Event, Follow, Followed, RunFolder};
use std::io;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

/// Interval between two frames.
const PACE: Duration = Duration::from_millis(200);

/// Where events come from.
pub enum Events {
    /// A run on disk, which may still grow.
    Follow(Follow, RunFolder),
    /// Training in this process; it is over when the sender is dropped.
    Beside(Receiver<Event>),
}

/// Why the screen closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The user quit.
    User,
    /// Training is over.
    Over,
}

/// Shows the screen.
///
/// # Errors
/// If the terminal can't be used.
pub fn show(name: &str, mut events: Events) -> io::Result<Closed> {
    let mut terminal = ratatui::try_init()?;
    let mut dashboard = Dashboard::new(name);
    let mut draw = || -> io::Result<Closed> {
        loop {
            let over = match &mut events {
                Events::Follow(log, folder) => catch_up((log, folder), name, &mut dashboard),
                Events::Beside(receiver) => loop {
                    match receiver.try_recv() {
                        Ok(event) => dashboard.event(&event),
                        Err(why) => break why == TryRecvError::Disconnected,
                    }
                },
            };
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

/// Whether a key quits: q, Escape or Ctrl-C.
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

/// Takes in the new events of a log, and returns `false`: a log is never over. Lines that aren't
/// events are skipped; a read that fails is tried again at the next frame. What was seen of a run
/// whose folder is gone stays.
fn catch_up(
    (log, folder): (&mut Follow, &RunFolder),
    name: &str,
    dashboard: &mut Dashboard,
) -> bool {
    if folder.condition(true) == Condition::Gone {
        dashboard.set_condition(Condition::Gone);
        return false;
    }
    while let Ok(Followed::Replaced) = log.look(|_, line| {
        if let Ok(Some(event)) = Event::parse(line) {
            dashboard.event(&event);
        }
    }) {
        *dashboard = Dashboard::new(name);
    }
    dashboard.set_condition(folder.condition(dashboard.has_ended()));
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use run::{Choice, Disk, Start, Step};
    use std::io::Write;
    use std::sync::Arc;

    #[test]
    fn a_growing_log_is_shown_and_a_replaced_one_from_its_start() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let overwrite = false;
        let folder = RunFolder::create(Arc::new(Disk), &Choice::Exact { path, overwrite }).unwrap();
        folder.write_config("").unwrap();
        // A reader's handle doesn't hold the writer's lock.
        let place = folder.path().to_path_buf();
        drop(folder);
        let folder = RunFolder::open(Arc::new(Disk), &place).unwrap();
        let path = folder.events_path();
        let (mut log, mut dashboard) = (Follow::new(path.clone()), Dashboard::new("mine"));
        let mut shown = |step: &str| {
            catch_up((&mut log, &folder), "mine", &mut dashboard);
            let mut terminal = Terminal::new(TestBackend::new(80, 16)).unwrap();
            terminal.draw(|frame| dashboard.draw(frame)).unwrap();
            let screen = terminal.backend().to_string();
            assert!(screen.contains(step), "{step}: {screen}");
        };
        shown("step 0 of");
        let step = |n| serde_json::to_string(&Event::new(1.0, n, Step::default())).unwrap();
        let mut file = std::fs::File::create(&path).unwrap();
        write!(file, "{}\nbroken\n{}\n{}", step(1), step(2), &step(3)[..20]).unwrap();
        shown("step 2 of");
        writeln!(file, "{}", &step(3)[20..]).unwrap();
        shown("step 3 of");
        std::fs::write(&path, format!("{}\n", step(1)).repeat(9)).unwrap();
        shown("step 1 of");
        std::fs::write(&path, "").unwrap();
        shown("step 0 of");
        // Killed, then training again, then deleted.
        let start = serde_json::to_string(&Event::new(1.0, 0, Start::default())).unwrap();
        std::fs::write(&path, format!("{start}\n{}\n", step(7))).unwrap();
        shown("stopped unexpectedly at step 7");
        shown("resume: downhill train --resume mine");
        let writer = RunFolder::open_to_write(Arc::new(Disk), &place).unwrap();
        shown("training");
        drop(writer);
        std::fs::remove_dir_all(folder.path()).unwrap();
        shown("its folder is gone");
        shown("step 7 of");
    }
}
