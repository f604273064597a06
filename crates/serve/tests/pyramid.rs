#![allow(clippy::unwrap_used, reason = "a test")]
//! The records of a run: no spike is lost at any level, and they survive the process.

use run::{Disk, Step};
use serve::Pyramid;
use std::sync::Arc;

fn step(number: u64) -> Step {
    let spike = if number == 54_321 { 1e3 } else { 0.0 };
    Step {
        nats_per_token: Some(4.0 / (1.0 + number as f64 / 1e4) + spike),
        grad_norm: 1.0,
        lr: 1e-3,
        step_seconds: 0.1,
        tokens_per_second: if number == 70_000 { 1.0 } else { 1e4 },
        ..Step::default()
    }
}

fn push(pyramid: &mut Pyramid, steps: std::ops::RangeInclusive<u64>) {
    steps.for_each(|n| pyramid.push(n as f64 / 10.0, n, &step(n)));
}

fn filled(folder: &std::path::Path, steps: u64) -> Pyramid {
    let mut pyramid = Pyramid::open(Arc::new(Disk), folder).unwrap();
    push(&mut pyramid, 1..=steps);
    pyramid
}

#[test]
fn no_spike_is_lost_and_every_step_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut pyramid = filled(folder.path(), 100_003);
    for points in [50, 500, 5_000, 1_000_000] {
        let slice = pyramid.slice(0.0, 1e9, points).unwrap();
        assert!(
            slice.len() as u64 <= points + 60,
            "{points}: {}",
            slice.len()
        );
        assert_eq!(slice[0].steps.0, 1.0);
        assert_eq!(slice.last().unwrap().steps.1, 100_003.0);
        let joined = slice.windows(2).all(|w| w[0].steps.1 + 1.0 == w[1].steps.0);
        assert!(joined, "{points}");
        let most = slice.iter().map(|r| r.series[0][1]).fold(0.0, f32::max);
        let least = slice.iter().map(|r| r.series[5][0]).fold(1e9, f32::min);
        assert!(most > 1e3 && least == 1.0, "{points}: {most} {least}");
    }
    let zoomed = pyramid.slice(54_300.0, 54_340.0, 1000).unwrap();
    assert_eq!(zoomed.len(), 41);
    assert!(zoomed.iter().all(|r| r.steps.0 == r.steps.1));
    assert!(pyramid.slice(2e5, 3e5, 100).unwrap().is_empty());
}

#[test]
fn the_moving_mean_has_no_bias() {
    let folder = tempfile::tempdir().unwrap();
    let mut pyramid = Pyramid::open(Arc::new(Disk), folder.path()).unwrap();
    for number in 1..=100 {
        let nats_per_token = Some(3.0);
        let step = Step {
            nats_per_token,
            ..Step::default()
        };
        pyramid.push(0.0, number, &step);
    }
    let slice = pyramid.slice(0.0, 100.0, 1000).unwrap();
    assert!(slice.iter().all(|r| (r.series[1][2] - 3.0).abs() < 1e-5));
}

#[test]
fn records_survive_the_process_and_can_be_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = filled(folder.path(), 1_000);
    first.save(4_711, b"{start}").unwrap();
    push(&mut first, 1_001..=1_099);
    first.flush().unwrap();
    let whole = first.slice(0.0, 1_000.0, 100).unwrap();
    drop(first);
    // Steps after the last save are read from the events again.
    let mut second = Pyramid::open(Arc::new(Disk), folder.path()).unwrap();
    assert_eq!((second.len(), second.covers(b"{start}")), (1_000, 4_711));
    assert_eq!(second.covers(b"{another}"), 0);
    assert_eq!(second.slice(0.0, 1_000.0, 100).unwrap(), whole);
    second.back_to(500).unwrap();
    assert_eq!(second.len(), 500);
    push(&mut second, 501..=1_000);
    let again = second.slice(0.0, 1_000.0, 100).unwrap();
    for (a, b) in again.iter().zip(&whole) {
        assert_eq!((a.steps, a.series[0]), (b.steps, b.series[0]));
        assert!((a.series[1][2] - b.series[1][2]).abs() < 1e-4);
    }
}

#[test]
fn a_second_process_has_its_own_records() {
    let folder = tempfile::tempdir().unwrap();
    let first = filled(folder.path(), 10);
    let second = filled(folder.path(), 20);
    assert_eq!((first.len(), second.len()), (10, 20));
}
