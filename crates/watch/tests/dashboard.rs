//! The terminal screen at three sizes, and with nothing to show. The expected screens are in
//! `screens/`; a screen that differs is written next to it as `.new`.
#![allow(clippy::unwrap_used, reason = "a test")]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use run::{End, Eval, Event, Ladder, Profile, Sample, Start, Step, Warning, What};
use std::path::Path;
use watch::Dashboard;

fn show(d: &mut Dashboard, step: u64, what: impl Into<What>) {
    d.event(&Event::new(0.0, step, what));
}

fn start() -> Start {
    Start {
        corpus: "tales".into(),
        family: "qwen3".into(),
        steps: 400,
        flops_per_step: 6_000_000_000,
        peak_flops_per_second: Some(4e11),
        bytes_peak: 41_000_000,
        ..Start::default()
    }
}

fn learning() -> Dashboard {
    let mut d = Dashboard::new("runs/tales");
    show(&mut d, 0, start());
    let ladder = Ladder {
        uniform: 4.1,
        unigram: 3.2,
        bigram: 2.4,
        trigram: 1.8,
        ..Ladder::default()
    };
    show(&mut d, 0, ladder);
    let kinds = [
        ("linear backward", 0.02),
        ("linear forward", 0.01),
        ("attention", 0.005),
    ];
    let profile = Profile {
        seconds: kinds.map(|(kind, seconds)| (kind.into(), seconds)).into(),
    };
    show(&mut d, 0, profile);
    for step in 1..=300u64 {
        let loss = 1.0 + 3.0 / (1.0 + step as f64 / 40.0) + 0.1 * f64::from(step as u32 % 7);
        let what = Step {
            nats_per_token: Some(loss),
            grad_norm: 0.5,
            lr: 3e-3,
            step_seconds: 0.04,
            tokens_per_second: 25_600.0,
            ..Step::default()
        };
        show(&mut d, step, what);
        if step % 50 == 0 {
            let eval = Eval {
                val_nats_per_token: Some(loss),
                ..Eval::default()
            };
            show(&mut d, step, eval);
        }
    }
    let text = "One warm day, Sam the goat\nran up a tall hill.\u{1b}[31m <b>bold</b> 你好";
    let sample = Sample {
        text: text.into(),
        ..Sample::default()
    };
    show(&mut d, 250, sample);
    d
}

fn drawn(d: &Dashboard, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| d.draw(frame)).unwrap();
    terminal.backend().to_string()
}

fn check(name: &str, d: &Dashboard, size: (u16, u16)) {
    let screen = drawn(d, size);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let path = folder.join(format!("{name}.txt"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if screen != expected {
        std::fs::write(folder.join(format!("{name}.new")), &screen).unwrap();
    }
    assert_eq!(screen, expected, "{name}");
}

#[test]
fn a_run_at_three_sizes() {
    check("small", &learning(), (40, 10));
    check("middle", &learning(), (80, 30));
    check("wide", &learning(), (130, 36));
    check("low", &learning(), (80, 24));
}

#[test]
fn an_empty_run_and_a_finished_one() {
    check("empty", &Dashboard::new("runs/new"), (80, 16));
    let mut d = learning();
    let message = "something".into();
    show(&mut d, 300, Warning { message });
    let end = End {
        reason: "finished".into(),
        ..End::default()
    };
    show(&mut d, 300, end);
    check("finished", &d, (80, 20));
}

#[test]
fn a_session_resumed_from_an_earlier_step_removes_later_points() {
    let mut d = learning();
    show(&mut d, 260, start());
    let screen = drawn(&d, (130, 36));
    assert!(screen.contains("step 260 of 400") && screen.contains("sample at step 250"));
    assert!(!screen.contains("300"), "{screen}");
    show(&mut d, 200, start());
    let screen = drawn(&d, (130, 36));
    assert!(
        screen.contains("step 200 of 400") && !screen.contains("at step"),
        "{screen}"
    );
}

#[test]
fn any_size_is_drawn() {
    for size in [(1, 1), (44, 14), (109, 15), (110, 14), (300, 90)] {
        drawn(&learning(), size);
    }
}
