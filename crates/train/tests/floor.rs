//! A loss below the entropy floor is reported as a bug in the program.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use engine::{Cpu, CpuSettings, Device};
use model::Config;
use std::sync::atomic::AtomicBool;
use text::Tokenizer;
use train::{Corpus, Error, LanguageTask, Task, TextSource};

#[test]
fn a_loss_more_than_forty_bits_below_the_floor_is_an_error() {
    let sets = ["model.context=16", "train.batch=2"].map(String::from);
    let config = Config::load(Some("tiny"), None, &sets).unwrap();
    let tokenizer = Tokenizer::bytes();
    let tokens = tokenizer
        .encode("to and fro, ".repeat(40).as_bytes())
        .unwrap();
    let measure = |floor_bits: f64| {
        let corpus = Corpus {
            report: None,
            source: TextSource {
                corpus: "floor".into(),
                paths: Vec::new(),
                validation: None,
                sha256: String::new(),
            },
            tokenizer: tokenizer.clone(),
            chosen: config.data.tokenizer.clone(),
            train: std::sync::Arc::new(data::Tokens::in_memory(&tokens)),
            validation: tokens.clone(),
            sampled: None,
            floor_bits: Some(floor_bits),
            planting: None,
            questions: None,
        };
        let mut task = LanguageTask::new(&config, corpus).unwrap();
        let mut device = Cpu::new(CpuSettings::with_threads(1));
        let recording = task.record().unwrap();
        device.create(recording.graph.variables(), None).unwrap();
        task.initialize(&mut device, &recording.graph).unwrap();
        task.evaluate(&mut device, true, &AtomicBool::new(false))
    };
    let measured = measure(0.0).unwrap();
    let bits = measured.loss * measured.event.tokens as f64 / std::f64::consts::LN_2;
    assert!(measure(bits + 39.0).is_ok(), "luck is allowed");
    let error = measure(bits + 41.0).map(|m| m.loss);
    assert!(matches!(error, Err(Error::BelowFloor { .. })), "{error:?}");
}
