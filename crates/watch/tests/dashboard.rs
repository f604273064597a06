//! The terminal screen at three sizes, and with nothing to show. The expected screens lie in
//! `screens/`; a screen that differs is written beside it as `.new`.
#![allow(clippy::unwrap_used, reason = "a test")]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use run::{End, Eval, Ladder, Profile, Sample, Start, Step, Warning};
use std::path::Path;
use watch::Dashboard;

fn learning() -> Dashboard {
    let mut d = Dashboard::new("runs/tales");
    d.event(
        &Start {
            corpus: "tales".into(),
            family: "qwen3".into(),
            steps: 400,
            flops_per_step: 6_000_000_000,
            peak_flops_per_second: Some(4e11),
            bytes_peak: 41_000_000,
            ..Start::default()
        }
        .into(),
    );
    let ladder = Ladder {
        uniform: 4.1,
        unigram: 3.2,
        bigram: 2.4,
        trigram: 1.8,
        ..Ladder::default()
    };
    d.event(&ladder.into());
    let kinds = [
        ("linear backward", 0.02),
        ("linear forward", 0.01),
        ("attention", 0.005),
    ];
    let profile = Profile {
        seconds: kinds.map(|(kind, seconds)| (kind.into(), seconds)).into(),
        ..Profile::default()
    };
    d.event(&profile.into());
    for step in 1..=300u64 {
        let loss = 1.0 + 3.0 / (1.0 + step as f64 / 40.0) + 0.1 * f64::from(step as u32 % 7);
        d.event(
            &Step {
                step,
                nats_per_token: Some(loss),
                grad_norm: 0.5,
                lr: 3e-3,
                step_seconds: 0.04,
                tokens_per_second: 25_600.0,
                ..Step::default()
            }
            .into(),
        );
        if step % 50 == 0 {
            let eval = Eval {
                step,
                val_nats_per_token: Some(loss),
                ..Eval::default()
            };
            d.event(&eval.into());
        }
    }
    let text = "One warm day, Sam the goat\nran up a tall hill.\u{1b}[31m <b>bold</b> 你好";
    d.event(
        &Sample {
            step: 250,
            text: text.into(),
            ..Sample::default()
        }
        .into(),
    );
    d
}

fn check(name: &str, d: &Dashboard, (width, height): (u16, u16)) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| d.draw(frame)).unwrap();
    let screen = terminal.backend().to_string();
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
}

#[test]
fn an_empty_run_and_a_finished_one() {
    check("empty", &Dashboard::new("runs/new"), (80, 16));
    let mut d = learning();
    let warning = Warning {
        message: "something".into(),
        ..Warning::default()
    };
    d.event(&warning.into());
    let end = End {
        reason: "finished".into(),
        ..End::default()
    };
    d.event(&end.into());
    check("finished", &d, (80, 20));
}

#[test]
fn any_size_is_drawn() {
    for (width, height) in [(1, 1), (44, 14), (109, 15), (110, 14), (300, 90)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| learning().draw(frame)).unwrap();
    }
}
