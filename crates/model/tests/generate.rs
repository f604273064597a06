//! Generation with a cache says what one pass over the whole text says, three families, also when
//! the context is full.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{FAMILIES, Recorded, shape, shared, tokens};
use engine::{Cpu, Device, Purpose, Settings, tolerance, verify::relative_error};
use model::{Draw, Generator, Mode, ModelConfig};

const VOCABULARY: usize = 13;

/// More than one chunk of the prompt, and some tokens beyond.
const CONTEXT: usize = 42;

fn small(family: &str) -> ModelConfig {
    let sets = format!(
        "layers=2,heads=4,kv_heads={},width=16,hidden=24,context={CONTEXT},dropout=0.1",
        shared(family)
    );
    shape(family, &sets)
}

/// A processor whose store has a model's weights.
fn device(shape: &ModelConfig) -> Cpu {
    let mut device = Cpu::new(Settings::with_threads(2));
    let model = Recorded::new(shape, VOCABULARY, (1, 1, 4), Mode::Score);
    model.fill(&mut device, &model.weights(2));
    device
}

/// Logits after each token of a text, from one pass.
fn whole(shape: &ModelConfig, text: &[u32]) -> Vec<Vec<f64>> {
    let mut device = device(shape);
    let model = Recorded::new(shape, VOCABULARY, (1, 1, text.len()), Mode::Score);
    let ready = model.prepare(&mut device, Purpose::Infer);
    model.feed(&mut device, ready, text, text);
    device.run(ready, &model.scalars(0, 0.0)).unwrap();
    let logits = model.logits(&device, ready);
    logits.chunks(VOCABULARY).map(<[f64]>::to_vec).collect()
}

fn agree(found: &Generator, expected: &[f64], when: &str) {
    let found: Vec<f64> = found.logits().iter().map(|&x| f64::from(x)).collect();
    let error = relative_error(&found, expected);
    assert!(error <= tolerance::CACHE, "{when}: {error}");
}

#[test]
fn token_by_token_as_in_one_pass() {
    for family in FAMILIES {
        let shape = small(family);
        let text = tokens(CONTEXT, VOCABULARY, 1);
        let expected = whole(&shape, &text);
        let mut device = device(&shape);
        let mut one = Generator::new(&mut device, &shape, VOCABULARY).unwrap();
        one.begin(&mut device, &text[..1]).unwrap();
        agree(&one, &expected[0], family);
        for (token, expected) in text.iter().zip(&expected).skip(1) {
            one.read(&mut device, &[*token]).unwrap();
            agree(&one, expected, family);
        }
        // A prompt read in chunks, shorter and longer than one.
        for length in [5, 32, 33, CONTEXT] {
            one.begin(&mut device, &text[..length]).unwrap();
            agree(&one, &expected[length - 1], &format!("{family}, {length}"));
        }
    }
}

#[test]
fn a_full_context_goes_on_from_its_last_half() {
    for family in FAMILIES {
        let shape = small(family);
        let text = tokens(2 * CONTEXT, VOCABULARY, 4);
        let mut device = device(&shape);
        let mut writer = Generator::new(&mut device, &shape, VOCABULARY).unwrap();
        writer.begin(&mut device, &text[..CONTEXT]).unwrap();
        // After the context has filled up it begins with the half that was read again.
        let mut from = 0;
        for next in CONTEXT..text.len() {
            if next - from == CONTEXT {
                from = next - CONTEXT / 2;
            }
            writer.read(&mut device, &text[next..=next]).unwrap();
            let expected = whole(&shape, &text[from..=next]);
            agree(
                &writer,
                expected.last().unwrap(),
                &format!("{family}, {next}"),
            );
        }
        // Of a prompt longer than the context only its end is read.
        writer.begin(&mut device, &text).unwrap();
        let expected = whole(&shape, &text[CONTEXT..]);
        agree(&writer, expected.last().unwrap(), family);
    }
}

#[test]
fn one_seed_gives_one_text() {
    let shape = small("qwen3");
    let write = |seed: u64| {
        let mut device = device(&shape);
        let mut writer = Generator::new(&mut device, &shape, VOCABULARY).unwrap();
        let settings = Draw {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            seed,
        };
        writer.begin(&mut device, &[1, 2, 3]).unwrap();
        let mut text = Vec::new();
        for _ in 0..2 * CONTEXT {
            text.push(writer.draw(&settings));
            writer.read(&mut device, &text[text.len() - 1..]).unwrap();
        }
        text
    };
    assert_eq!(write(5), write(5));
    assert_ne!(write(5), write(6));
}
