//! The terminal log, from made-up events with made-up times.
#![allow(clippy::unwrap_used)]

mod common;

use common::{at, end, run, sample, start, step};
use run::{End, Event, Kind, Smoothed, Start, Step, Warning, What};
use watch::TerminalLog;

fn log(events: &[Event], width: Option<usize>, color: bool, quiet: bool) -> String {
    let mut out = Vec::new();
    let mut log = TerminalLog::new(&mut out, width, color, quiet);
    events.iter().for_each(|event| log.event(event).unwrap());
    drop(log);
    String::from_utf8(out).unwrap()
}

/// The final content of a terminal: text after a carriage return overwrites the line.
fn seen(log: &str) -> String {
    let mut screen = String::new();
    for line in log.split_inclusive('\n') {
        let mut cells: Vec<char> = Vec::new();
        for piece in line.trim_end_matches('\n').split('\r') {
            let piece: Vec<char> = piece.chars().collect();
            cells.resize(cells.len().max(piece.len()), ' ');
            cells[..piece.len()].copy_from_slice(&piece);
        }
        screen.push_str(cells.iter().collect::<String>().trim_end());
        screen.push('\n');
    }
    screen
}

/// Compares with a golden text, whose leading line break is only for readability.
fn assert_log(log: &str, golden: &str) {
    assert_eq!(log, golden.trim_start_matches('\n'), "it is now:\n{log}");
}

#[test]
fn a_run_in_a_pipe() {
    let log = log(&run(), None, false, false);
    assert!(!log.contains(['\r', '\x1b']));
    assert_log(&log, GOLDEN_PIPE);
}

#[test]
fn a_run_in_terminals_of_80_and_40_columns() {
    let wide = log(&run(), Some(80), false, false);
    assert!(!wide.contains('\x1b') && wide.contains('\r'));
    assert_log(&seen(&wide), GOLDEN_80);
    assert_log(&seen(&log(&run(), Some(40), false, false)), GOLDEN_40);
}

#[test]
fn no_line_wraps_at_any_width() {
    for width in 12..130 {
        for line in log(&run(), Some(width), false, false).split(['\n', '\r']) {
            let columns = line.chars().count();
            // Commands aren't wrapped, so that they can be copied; labels need some width.
            let fine = columns < width.max(18) || line.starts_with("  downhill ");
            assert!(fine, "width {width}: {line:?}");
        }
    }
    for width in [0, 1, 2] {
        assert!(!log(&run(), Some(width), true, false).is_empty());
    }
}

#[test]
fn a_hostile_sample_does_not_control_the_terminal() {
    let text = "从前有座山，山里有座庙。\x1b[2J\x1b]0;title\x07\r\u{9b}31m\u{202e}\tend\r\n"
        .to_string()
        + &"x\n".repeat(30);
    let mut hostile = sample(7, &text);
    if let What::Sample(sample) = &mut hostile.what {
        sample.prompt = "\x1b[1m\n".to_string();
    }
    let message = "a\x1b[31mb\u{7f}".to_string();
    let warning = at(7, Warning { message });
    let log = log(&[hostile, warning], Some(31), false, false);
    assert_log(&log, GOLDEN_HOSTILE);
}

#[test]
fn a_fit() {
    let start = Start {
        corpus: "points.csv".to_string(),
        family: "linear".to_string(),
        parameters: 2,
        vocabulary: 0,
        train_tokens: 1000,
        steps: 60,
        bytes_peak: 0,
        run: "runs/my fit".to_string(),
        floor_bits_per_byte: None,
        ..start()
    };
    let mut events: Vec<Event> = vec![at(0, start)];
    for n in [1, 2, 3, 50, 60] {
        let mse = Some(0.01 + 90.0 / (n * n) as f64);
        let what = Step {
            nats_per_token: None,
            mse,
            step_seconds: 1e-5,
            ..step(n)
        };
        events.push(at(n, what));
    }
    let end = End {
        mse: Some(0.0123456789),
        r2: Some(0.99875),
        train_seconds: 0.4,
        wall_seconds: 0.5,
        run: "runs/my fit".to_string(),
        reason: "target".to_string(),
        ..End::default()
    };
    events.push(at(60, end));
    assert_log(&log(&events, None, false, false), GOLDEN_FIT);
}

#[test]
fn a_run_of_an_unknown_kind_is_still_shown() {
    let mut events = run();
    if let What::Start(start) = &mut events[0].what {
        start.kind = Some(Kind::Unknown("ra\x1bce".into()));
    }
    let log = log(&events, None, false, false);
    let expected = "downhill 0.1.0\nkind     ra␛ce, unknown to this version\ncorpus   tales";
    assert!(log.starts_with(expected), "{log}");
}

/// The steps that get a line in a run whose steps take `seconds` each.
fn printed(steps: u64, seconds: f64) -> Vec<u64> {
    let mut events: Vec<Event> = vec![at(0, Start { steps, ..start() })];
    for n in 1..=steps {
        let what = Step {
            step_seconds: seconds,
            ..step(n)
        };
        events.push(at(n, what));
    }
    let log = log(&events, None, false, false);
    let first = |line: &str| line.split_whitespace().next()?.parse().ok();
    log.lines().filter_map(first).collect()
}

#[test]
fn long_runs_print_a_line_every_few_seconds() {
    assert_eq!(printed(8, 10.0), [1, 2, 3, 4, 5, 6, 7, 8]);
    let beginning = [1, 2, 5, 10, 20, 50, 100];
    let nanogpt = printed(2000, 0.066);
    assert_eq!(nanogpt[..7], beginning);
    assert_eq!(nanogpt[7..], (3..=40).map(|n| n * 50).collect::<Vec<_>>());
    let fast = printed(33_333, 0.001);
    assert_eq!(fast[..7], beginning);
    assert_eq!(fast[7..9], [2000, 4000]);
    assert_eq!(fast.last(), Some(&33_333));
}

#[test]
fn the_smoothed_loss_continues_in_a_resumed_run() {
    let trains = |events: &[Event]| {
        let log = log(events, None, false, false);
        let last = log
            .lines()
            .rfind(|line| line.trim_start().starts_with("20 "));
        last.map(str::to_owned).unwrap()
    };
    let start = |first_step, smoothed_loss| Start {
        first_step,
        smoothed_loss,
        steps: 20,
        ..start()
    };
    let mut whole = vec![at(0, start(0, None))];
    whole.extend((1..=20).map(|n| at(n, step(n))));
    let mut smoothed = Smoothed::default();
    (1..=10).for_each(|n| smoothed.add(step(n).nats_per_token.unwrap()));
    let mut resumed = vec![at(10, start(10, smoothed.value()))];
    resumed.extend((11..=20).map(|n| at(n, step(n))));
    assert_eq!(trains(&whole), trains(&resumed));
}

#[test]
fn an_interrupted_run_says_how_to_resume_and_quiet_shows_only_the_end() {
    let mut events = run();
    events.pop();
    events.push(at(1000, end("interrupted")));
    assert_log(&log(&events, None, false, true), GOLDEN_INTERRUPTED);
    assert!(log(&events, None, true, true).contains("\x1b["));
}

#[test]
fn a_run_that_breaks_off_shows_its_last_step() {
    let events = [at(0, start()), at(1, step(1))];
    for width in [None, Some(80)] {
        let log = log(&events, width, false, false);
        assert!(seen(&log).ends_with("50s\n"), "{log}");
    }
}

#[test]
fn nonsensical_numbers_stop_nothing() {
    let nan = f64::NAN;
    let broken = Step {
        nats_per_token: None,
        grad_norm: nan,
        lr: f64::INFINITY,
        step_seconds: nan,
        tokens_per_second: -nan,
        ..step(u64::MAX)
    };
    let huge = Start {
        steps: u64::MAX,
        floor_bits_per_byte: Some(0.0),
        ..start()
    };
    let zero = Step {
        step_seconds: 0.0,
        ..step(3)
    };
    let events: [Event; 5] = [
        Event::new(nan, u64::MAX, broken.clone()),
        at(u64::MAX, huge),
        Event::new(nan, u64::MAX, broken),
        at(3, zero),
        at(
            u64::MAX,
            End {
                wall_seconds: nan,
                ..end("finished")
            },
        ),
    ];
    for width in [None, Some(60)] {
        assert!(log(&events, width, true, false).contains("18.4 E"));
    }
}

const GOLDEN_PIPE: &str = r#"
downhill 0.1.0
corpus   tales · 1.80 M training tokens · 0.20 M validation · vocabulary 65
model    qwen3 · 0.81 M parameters · 3.93 GFLOP per step
batch    12 × 64 tokens · 768 per step · 1,000 steps · 0.4 passes over the text
machine  2 threads · Example Processor @ 2.50GHz · f32 · 41.0 MB planned
run      runs/tales · seed 1
floor    0.9100 bits/byte, the lowest any model can reach

 step   train      val  bits/byte   floor    grad       lr  ms/step   tok/s    left
    0       -  ~4.1727     6.0200   +562%       -        -        -       -       -  subset
── step 0 · prompt "Once" ──────────────────────────────────────────────────────
kq;Z
x e
────────────────────────────────────────────────────────────────────────────────
 step   train      val  bits/byte   floor    grad       lr  ms/step   tok/s    left
    1  4.0000        -          -       -   0.530  1.00e-3    50.00   15360     50s
    2  3.2308        -          -       -   0.530  1.00e-3    50.00   15360     50s
    5  2.3139        -          -       -   0.530  1.00e-3    50.00   15360     50s
   10  1.7887        -          -       -   0.530  1.00e-3    50.00   15360     50s
   20  1.4174        -          -       -   0.530  1.00e-3    50.00   15360     49s
  500  1.3862  ~0.7625     1.1000  +20.9%   0.530  1.00e-3    50.00   15360     25s  best, subset
 1000  1.3579   0.6793     0.9800   +7.7%   0.530  1.00e-3    50.00   15360    0.0s  best
── step 1000 · prompt "Once" ───────────────────────────────────────────────────
 upon a time, Mia had a red ball. She put it into the box and went to the river,
and there she met an old frog.
────────────────────────────────────────────────────────────────────────────────

finished after step 1,000
model    runs/tales · best checkpoint: step 1,000
quality  0.6793 nats/token · 0.9800 bits/byte, floor 0.9100, +7.7%
         perplexity 1.97
cost     50s training · 1m03s total · 62.0 MB peak memory
next
  downhill sample runs/tales --prompt "Once"
  downhill watch runs/tales
  downhill eval runs/tales
  downhill train --resume runs/tales --steps 2000
"#;
const GOLDEN_80: &str = r#"
downhill 0.1.0
corpus   tales · 1.80 M training tokens · 0.20 M validation · vocabulary 65
model    qwen3 · 0.81 M parameters · 3.93 GFLOP per step
batch    12 × 64 tokens · 768 per step · 1,000 steps · 0.4 passes over the text
machine  2 threads · Example Processor @ 2.50GHz · f32 · 41.0 MB planned
run      runs/tales · seed 1
floor    0.9100 bits/byte, the lowest any model can reach

 step   train      val  bits/byte   floor    grad       lr  ms/step    left
    0       -  ~4.1727     6.0200   +562%       -        -        -       -
── step 0 · prompt "Once" ─────────────────────────────────────────────────────
kq;Z
x e
───────────────────────────────────────────────────────────────────────────────
 step   train      val  bits/byte   floor    grad       lr  ms/step    left
    1  4.0000        -          -       -   0.530  1.00e-3    50.00     50s
    2  3.2308        -          -       -   0.530  1.00e-3    50.00     50s
    5  2.3139        -          -       -   0.530  1.00e-3    50.00     50s
   10  1.7887        -          -       -   0.530  1.00e-3    50.00     50s
   20  1.4174        -          -       -   0.530  1.00e-3    50.00     49s
  500  1.3862  ~0.7625     1.1000  +20.9%   0.530  1.00e-3    50.00     25s
 1000  1.3579   0.6793     0.9800   +7.7%   0.530  1.00e-3    50.00    0.0s
── step 1000 · prompt "Once" ──────────────────────────────────────────────────
 upon a time, Mia had a red ball. She put it into the box and went to the
river, and there she met an old frog.
───────────────────────────────────────────────────────────────────────────────

finished after step 1,000
model    runs/tales · best checkpoint: step 1,000
quality  0.6793 nats/token · 0.9800 bits/byte, floor 0.9100, +7.7%
         perplexity 1.97
cost     50s training · 1m03s total · 62.0 MB peak memory
next
  downhill sample runs/tales --prompt "Once"
  downhill watch runs/tales
  downhill eval runs/tales
  downhill train --resume runs/tales --steps 2000
"#;
const GOLDEN_40: &str = r#"
downhill 0.1.0
corpus   tales · 1.80 M training tokens
         0.20 M validation
         vocabulary 65
model    qwen3 · 0.81 M parameters
         3.93 GFLOP per step
batch    12 × 64 tokens · 768 per step
         1,000 steps
         0.4 passes over the text
machine  2 threads
         Example Processor @ 2.50GHz
         f32 · 41.0 MB planned
run      runs/tales · seed 1
floor    0.9100 bits/byte, the lowest
         any model can reach

 step   train      val    left
    0       -  ~4.1727       -
── step 0 · prompt "Once" ─────────────
kq;Z
x e
───────────────────────────────────────
 step   train      val    left
    1  4.0000        -     50s
    2  3.2308        -     50s
    5  2.3139        -     50s
   10  1.7887        -     50s
   20  1.4174        -     49s
  500  1.3862  ~0.7625     25s
 1000  1.3579   0.6793    0.0s
── step 1000 · prompt "Once" ──────────
 upon a time, Mia had a red ball. She
put it into the box and went to the
river, and there she met an old frog.
───────────────────────────────────────

finished after step 1,000
model    runs/tales
         best checkpoint: step 1,000
quality  0.6793 nats/token
         0.9800 bits/byte, floor
         0.9100, +7.7%
         perplexity 1.97
cost     50s training · 1m03s total
         62.0 MB peak memory
next
  downhill sample runs/tales --prompt "Once"
  downhill watch runs/tales
  downhill eval runs/tales
  downhill train --resume runs/tales --steps 2000
"#;
const GOLDEN_HOSTILE: &str = r#"
── step 7 · prompt "␛[1m␊" ───
从前有座山，山里有座庙。␛[2J␛]
0;title␇␍�31m�    end
x
x
x
x
x
x
x
x
x
x
… (20 more lines)
──────────────────────────────
warning: a␛[31mb␡
"#;
const GOLDEN_FIT: &str = r#"
downhill 0.1.0
data     points.csv · 1,000 rows
model    linear · 2 parameters
machine  2 threads · Example Processor @ 2.50GHz · f32
run      runs/my fit · seed 1

 step         mse    grad       lr
    1    9.0010e1   0.530  1.00e-3
    2    2.2510e1   0.530  1.00e-3
   50   4.6000e-2   0.530  1.00e-3
   60   3.5000e-2   0.530  1.00e-3

reached its target at step 60
run      runs/my fit
quality  mean squared error 1.234568e-2 · R² 0.998750
cost     0.4s training · 0.5s total
next
  downhill predict 'runs/my fit' FILE.csv
"#;
const GOLDEN_INTERRUPTED: &str = r#"
stopped after step 1,000; everything is saved
model    runs/tales · best checkpoint: step 1,000
quality  0.6793 nats/token · 0.9800 bits/byte, floor 0.9100, +7.7%
         perplexity 1.97
cost     50s training · 1m03s total · 62.0 MB peak memory
next
  downhill train --resume runs/tales
  downhill sample runs/tales --prompt "Once"
"#;
