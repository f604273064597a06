//! Many sequences read together match one pass over each whole text, for all families, also when a
//! context is full; and each gets the same bits as it would alone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use engine::verify::relative_error;
use engine::{
    Cpu, CpuSettings, Device, Field, Host, HostMut, RandomPurpose, Stream, WeightForm, tolerance,
};
use model::{Config, Mode, ModelConfig, decoder};
use session::{Error, Plans, Sampling, SequenceId, Session, TokenSampler};

const FAMILIES: [&str; 3] = ["gpt2", "llama", "qwen3"];
const VOCABULARY: usize = 13;

/// More than one chunk of prompt plus some tokens; not a multiple of a page.
const CONTEXT: usize = 74;

/// Always takes the most likely token.
fn greedy() -> TokenSampler {
    let greedy = Sampling {
        temperature: 0.0,
        ..Sampling::default()
    };
    TokenSampler::new(greedy, &[]).unwrap()
}

/// A small model of a family.
fn small(family: &str) -> ModelConfig {
    let shared = if family == "gpt2" { 4 } else { 2 };
    let sets = format!(
        "family={family},layers=2,heads=4,kv_heads={shared},width=16,hidden=24,\
         context={CONTEXT},dropout=0.1"
    );
    let sets: Vec<String> = sets.split(',').map(|s| format!("model.{s}")).collect();
    Config::load(None, None, &sets).unwrap().model
}

/// A CPU device whose store has weights large enough for every part of the model to matter.
fn device(model: &ModelConfig) -> Cpu {
    device_in(model, WeightForm::Rows)
}

/// The same with its weights in a form.
fn device_in(model: &ModelConfig, weights: WeightForm) -> Cpu {
    let mut device = Cpu::new(CpuSettings {
        weights,
        ..CpuSettings::with_threads(2)
    });
    let graph = decoder(model, VOCABULARY, (1, 1), Mode::Score)
        .unwrap()
        .graph;
    device.create(graph.variables(), None).unwrap();
    let mut random = Stream::new(2, RandomPurpose::Check, 8);
    for v in graph.variables() {
        let middle = if v.shape.len() == 1 { 1.0 } else { 0.0 };
        let numbers: Vec<f32> = (0..v.len())
            .map(|_| (middle + 0.3 * random.normal()) as f32)
            .collect();
        let host = Host::Real(&numbers);
        device.write_variable(&v.name, Field::Weight, host).unwrap();
    }
    device
}

fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Stream::new(seed, RandomPurpose::Check, 9);
    (0..count)
        .map(|_| random.below(VOCABULARY) as u32)
        .collect()
}

/// Logits after each token of a text, from one pass.
fn whole(session: &mut Session, text: &[u32]) -> Vec<Vec<f64>> {
    let logits = session.look(text, 1).unwrap().logits;
    let rows = logits.chunks(VOCABULARY);
    rows.map(|row| row.iter().map(|&x| f64::from(x)).collect())
        .collect()
}

fn agree(session: &mut Session, id: SequenceId, expected: &[f64], when: &str) {
    let found = session.logits(id).unwrap().iter();
    let found: Vec<f64> = found.map(|&x| f64::from(x)).collect();
    let error = relative_error(&found, expected);
    assert!(error <= tolerance::CACHE, "{when}: {error}");
}

#[test]
fn token_by_token_as_in_one_pass() {
    for family in FAMILIES {
        let model = small(family);
        let (mut device, mut plans) = (device(&model), Plans::new(&model, VOCABULARY, 2));
        let mut session = Session::new(&mut device, &mut plans);
        let text = tokens(CONTEXT, 1);
        let expected = whole(&mut session, &text);
        let id = session.sequence().unwrap();
        for (token, expected) in text.iter().zip(&expected) {
            session.feed(&[(id, &[*token])]).unwrap();
            agree(&mut session, id, expected, family);
        }
        // A prompt read in chunks, shorter and longer than one.
        for length in [2, 5, 32, 33, CONTEXT] {
            let other = session.sequence().unwrap();
            session.feed(&[(other, &text[..length])]).unwrap();
            let when = format!("{family}, {length}");
            agree(&mut session, other, &expected[length - 1], &when);
            session.release(other);
        }
    }
}

#[test]
fn a_full_context_goes_on_from_its_last_half() {
    for family in FAMILIES {
        let model = small(family);
        let (mut device, mut plans) = (device(&model), Plans::new(&model, VOCABULARY, 1));
        let mut session = Session::new(&mut device, &mut plans);
        let text = tokens(2 * CONTEXT, 4);
        let id = session.sequence().unwrap();
        session.feed(&[(id, &text[..CONTEXT])]).unwrap();
        // After the context has filled up it starts with the half that was read again.
        let mut from = 0;
        for next in CONTEXT..text.len() {
            if next - from == CONTEXT {
                from = next - CONTEXT / 2;
            }
            session.feed(&[(id, &text[next..=next])]).unwrap();
            let expected = whole(&mut session, &text[from..=next]);
            let expected = expected.last().unwrap();
            agree(&mut session, id, expected, &format!("{family}, {next}"));
        }
        // Only the end of a text longer than the context is read.
        session.feed(&[(id, &text)]).unwrap();
        let expected = whole(&mut session, &text[CONTEXT..]);
        agree(&mut session, id, expected.last().unwrap(), family);
    }
}

/// The generated tokens after a prompt, with the logits of each token as bits.
type Written = Vec<(u32, Vec<u32>)>;

fn write(session: &mut Session, ids: &[SequenceId], count: usize) -> Vec<Written> {
    let mut all = vec![Vec::new(); ids.len()];
    for _ in 0..count {
        let mut next = Vec::new();
        for (id, written) in ids.iter().zip(&mut all) {
            let bits = session.logits(*id).unwrap().iter().map(|x| x.to_bits());
            let bits = bits.collect();
            let token = session.draw(*id, &mut greedy()).unwrap();
            written.push((token, bits));
            next.push((*id, [token]));
        }
        let parts: Vec<_> = next.iter().map(|(id, token)| (*id, &token[..])).collect();
        session.feed(&parts).unwrap();
    }
    all
}

#[test]
fn a_sequence_gets_the_same_bits_alone_and_among_others() {
    for family in FAMILIES {
        let model = small(family);
        let prompts: Vec<Vec<u32>> = [1, 40, 7, CONTEXT, 33]
            .iter()
            .zip(1..)
            .map(|(&length, seed)| tokens(length, seed))
            .collect();
        let (mut device, mut plans) = (device(&model), Plans::new(&model, VOCABULARY, 6));
        let mut session = Session::new(&mut device, &mut plans);
        let mut alone = Vec::new();
        for prompt in &prompts {
            let id = session.sequence().unwrap();
            session.feed(&[(id, prompt)]).unwrap();
            alone.extend(write(&mut session, &[id], 60));
            session.release(id);
        }
        // Pages are taken in another order, and one sequence leaves while others go on.
        let leaving = session.sequence().unwrap();
        session.feed(&[(leaving, &tokens(50, 9))]).unwrap();
        let ids: Vec<_> = prompts
            .iter()
            .map(|_| session.sequence().unwrap())
            .collect();
        session.release(leaving);
        let parts = ids.iter().copied().zip(&prompts).rev();
        let parts: Vec<_> = parts.map(|(id, prompt)| (id, &prompt[..])).collect();
        session.feed(&parts).unwrap();
        let together = write(&mut session, &ids, 60);
        for ((together, alone), prompt) in together.iter().zip(&alone).zip(&prompts) {
            assert!(together == alone, "{family}, prompt of {}", prompt.len());
        }
    }
}

#[test]
fn one_seed_gives_one_text() {
    let model = small("qwen3");
    let (mut device, mut plans) = (device(&model), Plans::new(&model, VOCABULARY, 1));
    let mut session = Session::new(&mut device, &mut plans);
    let mut write = |seed: u64| {
        let sampling = Sampling {
            seed,
            ..Sampling::default()
        };
        let mut sampler = TokenSampler::new(sampling, &[1, 2, 3]).unwrap();
        let id = session.sequence().unwrap();
        session.feed(&[(id, &[1, 2, 3])]).unwrap();
        let mut text = Vec::new();
        for _ in 0..2 * CONTEXT {
            text.push(session.draw(id, &mut sampler).unwrap());
            session.feed(&[(id, &text[text.len() - 1..])]).unwrap();
        }
        session.release(id);
        text
    };
    assert_eq!(write(5), write(5));
    assert_ne!(write(5), write(6));
}

#[test]
fn unknown_sequences_and_tokens_are_errors() {
    let model = small("llama");
    let (mut device, mut plans) = (device(&model), Plans::new(&model, VOCABULARY, 1));
    let mut session = Session::new(&mut device, &mut plans);
    let id = session.sequence().unwrap();
    assert!(matches!(session.sequence(), Err(Error::Full(1))));
    let token = session.feed(&[(id, &[VOCABULARY as u32])]);
    assert!(matches!(token, Err(Error::Token { .. })), "{token:?}");
    assert!(matches!(session.nats(&[0, 99]), Err(Error::Token { .. })));
    session.release(id);
    assert!(matches!(session.logits(id), Err(Error::NoSequence)));
    assert!(matches!(
        session.feed(&[(id, &[1])]),
        Err(Error::NoSequence)
    ));
}

/// Packed weights give the same bits, rounded ones nearly the same probabilities; what is read back
/// is what was stored; a sequence gets the same bits however its tokens are fed.
#[test]
fn a_model_agrees_with_itself_in_every_form_of_its_weights() {
    for family in FAMILIES {
        let model = small(family);
        let text = tokens(CONTEXT - 3, 3);
        let mut plain = device(&model);
        let mut plans = Plans::new(&model, VOCABULARY, 1);
        let mut session = Session::new(&mut plain, &mut plans);
        let expected = session.look(&text, 1).unwrap().logits;
        for (form, allowed) in [
            (WeightForm::F32, 0.0),
            (WeightForm::Bf16, tolerance::BF16_WEIGHTS),
            (WeightForm::Int8, tolerance::INT8_WEIGHTS),
        ] {
            let mut device = device_in(&model, form);
            let mut plans = Plans::new(&model, VOCABULARY, 2);
            let mut session = Session::new(&mut device, &mut plans);
            let found = session.look(&text, 1).unwrap().logits;
            let real = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let error = relative_error(&real(&found), &real(&expected));
            assert!(error <= allowed, "{family} {form:?}: {error}");
            let (once, single) = (session.sequence().unwrap(), session.sequence().unwrap());
            session.feed(&[(once, &text)]).unwrap();
            for token in &text {
                session.feed(&[(single, &[*token])]).unwrap();
            }
            let logits = session.logits(once).unwrap().to_vec();
            assert_eq!(logits, session.logits(single).unwrap(), "{family} {form:?}");
            let name = "embed_tokens.weight";
            let mut numbers = vec![0.0; VOCABULARY * 16];
            let host = HostMut::Real(&mut numbers);
            device.read_variable(name, Field::Weight, host).unwrap();
            let mut stored = vec![0.0; numbers.len()];
            let host = HostMut::Real(&mut stored);
            self::device(&model)
                .read_variable(name, Field::Weight, host)
                .unwrap();
            let error = relative_error(&real(&numbers), &real(&stored));
            assert!(error <= allowed, "{family} {form:?}: {error}");
        }
    }
}

/// Room for more than one page.
fn long(family: &str) -> ModelConfig {
    ModelConfig {
        context: 200,
        ..small(family)
    }
}

#[test]
fn a_shared_beginning_is_read_once_and_changes_no_bit() {
    for family in FAMILIES {
        let model = long(family);
        let (mut device, mut plans) = (device(&model), Plans::with_pages(&model, VOCABULARY, 3, 9));
        let mut session = Session::new(&mut device, &mut plans);
        let text = tokens(150, 3);
        let mut other = text.clone();
        other[140] = (other[140] + 1) % VOCABULARY as u32;
        let mut alone = Vec::new();
        for text in [&text, &other] {
            let id = session.sequence().unwrap();
            session.feed(&[(id, text)]).unwrap();
            alone.extend(write(&mut session, &[id], 100));
            session.release(id);
        }
        assert_eq!(session.free_pages(), 9);
        let first = session.sequence().unwrap();
        session.feed(&[(first, &text)]).unwrap();
        assert_eq!(session.shared(first, &text[..128]), 64, "one token is left");
        assert_eq!(session.shared(first, &text[..129]), 128);
        let (second, shared) = session.fork(first, &other).unwrap();
        assert_eq!((shared, session.free_pages()), (128, 6));
        assert_eq!(session.own_pages(first).unwrap(), 1);
        session.feed(&[(second, &other[shared..])]).unwrap();
        // Both get beyond the end of the context, where their beginnings are overwritten.
        let together = write(&mut session, &[first, second], 100);
        assert!(together == alone, "{family}");
        assert_eq!(session.own_pages(second).unwrap(), 4);
        assert_eq!(session.shared(first, &text), 0, "positions have moved");
        session.release(first);
        session.release(second);
        assert_eq!(session.free_pages(), 9);
    }
}

#[test]
fn a_cache_without_free_pages_is_an_error() {
    let model = long("llama");
    let (mut device, mut plans) = (device(&model), Plans::with_pages(&model, VOCABULARY, 2, 3));
    let mut session = Session::new(&mut device, &mut plans);
    let ids = [session.sequence().unwrap(), session.sequence().unwrap()];
    session.feed(&[(ids[0], &tokens(100, 1))]).unwrap();
    let full = session.feed(&[(ids[1], &tokens(100, 2))]);
    assert!(matches!(full, Err(Error::NoPages)), "{full:?}");
}

#[test]
fn logits_of_every_token_of_a_prompt_are_those_of_one_pass() {
    for family in FAMILIES {
        let model = long(family);
        let (mut device, mut plans) = (device(&model), Plans::new(&model, VOCABULARY, 2));
        let mut session = Session::new(&mut device, &mut plans);
        let text = tokens(180, 5);
        let expected = whole(&mut session, &text);
        let id = session.sequence().unwrap();
        session.feed(&[(id, &text[..50])]).unwrap();
        let mut rows = 0;
        session
            .feed_each(id, &text[50..], |row, logits| {
                let found: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
                let error = relative_error(&found, &expected[50 + row]);
                assert!(error <= tolerance::CACHE, "{family}, {row}: {error}");
                rows += 1;
            })
            .unwrap();
        assert_eq!(rows, 130);
        agree(&mut session, id, &expected[179], family);
        let other = session.sequence().unwrap();
        session.feed(&[(other, &text)]).unwrap();
        let logits = session.logits(other).unwrap().to_vec();
        assert_eq!(session.logits(id).unwrap(), logits, "the same bits");
        let more = session.feed_each(id, &text[..21], |_, _| ());
        assert!(matches!(more, Err(Error::Context { left: 20, .. })));
    }
}
