//! A question counts as answered exactly if the greedy continuation of its prompt is the answer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use engine::verify::relative_error;
use engine::{Cpu, CpuSettings, Device, Field, Host, RandomPurpose, Stream, tolerance};
use model::{Config, Mode, decoder};
use session::{Asked, Plans, Session};
use text::Tokenizer;

const CONTEXT: usize = 24;

#[test]
fn the_right_answers_are_those_of_greedy_generation() {
    let sets = [
        "width=16",
        "hidden=24",
        "heads=2",
        "kv_heads=1",
        "context=24",
    ];
    let sets: Vec<String> = sets.iter().map(|set| format!("model.{set}")).collect();
    let model = Config::load(Some("tiny"), None, &sets).unwrap().model;
    let tokenizer = Tokenizer::chars(&[b"abcdefghijkl"]).unwrap();
    let vocabulary = tokenizer.vocabulary_size();
    let mut device = Cpu::new(CpuSettings::with_threads(2));
    let recorded = decoder(&model, vocabulary, (1, 1), Mode::Score).unwrap();
    device.create(recorded.graph.variables(), None).unwrap();
    let mut random = Stream::new(5, RandomPurpose::Check, 8);
    for v in recorded.graph.variables() {
        let numbers: Vec<f32> = (0..v.len()).map(|_| random.normal() as f32).collect();
        let host = Host::Real(&numbers);
        device.write_variable(&v.name, Field::Weight, host).unwrap();
    }
    let mut plans = Plans::new(&model, vocabulary, 1);
    let mut session = Session::new(&mut device, &mut plans);
    let (mut all, mut right) = (Vec::new(), 0);
    for number in 0..300usize {
        // Prompts of any length, some of them longer than the window.
        let prompt = 1 + number % 30;
        let mut tokens: Vec<u32> = (0..prompt).map(|_| random.below(12) as u32).collect();
        let length = 1 + number % 4;
        for _ in 0..length {
            // The last token isn't read.
            let read = &tokens[(prompt + length - 1).saturating_sub(CONTEXT)..];
            let logits = session.look(read, 1).unwrap().logits;
            let last = logits.chunks(vocabulary).last().unwrap();
            let most = last.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            tokens.push(last.iter().position(|&x| x == most).unwrap() as u32);
        }
        match number % 3 {
            0 => right += 1,
            // One wrong token, anywhere in the answer.
            _ => {
                let at = prompt + random.below(length);
                tokens[at] = (tokens[at] + 1) % vocabulary as u32;
            }
        }
        all.push(Asked { tokens, prompt });
    }
    let fits = |asked: &&Asked| asked.tokens.len() <= CONTEXT;
    let short: Vec<Asked> = all.iter().filter(fits).cloned().collect();
    let answers = session.ask(&tokenizer, CONTEXT, &all).unwrap();
    assert_eq!((answers.asked, answers.right), (300, right));
    // The nats are those of the text.
    let answers = session.ask(&tokenizer, CONTEXT, &short).unwrap();
    let mut nats = 0.0;
    for asked in &short {
        let each = session.nats(&asked.tokens).unwrap();
        let each = each[asked.prompt - 1..].iter();
        nats += each.map(|&n| f64::from(n)).sum::<f64>();
    }
    let error = relative_error(&[answers.score.nats], &[nats]);
    assert!(error <= tolerance::CACHE, "{error}");
    // An answer that is longer than the window isn't asked for.
    assert_eq!(session.ask(&tokenizer, 3, &all).unwrap().asked, 225);
}
