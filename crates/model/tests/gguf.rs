//! GGUF files read back by a parser of their own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use model::gguf::{Gguf, Quantization};
use model::hugging_face::{Described, write_weights};
use model::{Config, ModelConfig, TensorFiles};
use std::collections::BTreeMap;
use std::io::Cursor;
use text::Tokenizer;

/// A file's keys (as text) and tensors: dimensions, type, bytes from its start to the next.
struct Parsed {
    keys: BTreeMap<String, String>,
    tensors: BTreeMap<String, (Vec<u64>, u32, Vec<u8>)>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        self.at += N;
        self.bytes[self.at - N..self.at].try_into().unwrap()
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn text(&mut self) -> String {
        let length = self.u64() as usize;
        self.at += length;
        String::from_utf8(self.bytes[self.at - length..self.at].to_vec()).unwrap()
    }

    fn value(&mut self, kind: u32) -> String {
        match kind {
            4 => self.u32().to_string(),
            5 => i32::from_le_bytes(self.take()).to_string(),
            6 => f32::from_le_bytes(self.take()).to_string(),
            7 => (self.take::<1>()[0] == 1).to_string(),
            8 => self.text(),
            9 => {
                let (kind, length) = (self.u32(), self.u64());
                let all: Vec<String> = (0..length).map(|_| self.value(kind)).collect();
                all.join("|")
            }
            other => panic!("type {other}"),
        }
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    let mut r = Reader { bytes, at: 0 };
    assert_eq!((&r.take(), r.u32()), (b"GGUF", 3));
    let (tensors, keys) = (r.u64(), r.u64());
    let mut pair = || {
        let (key, kind) = (r.text(), r.u32());
        (key, r.value(kind))
    };
    let keys = (0..keys).map(|_| pair()).collect();
    let mut info = || {
        let (name, count) = (r.text(), r.u32());
        let dimensions: Vec<u64> = (0..count).map(|_| r.u64()).collect();
        (name, dimensions, r.u32(), r.u64() as usize)
    };
    let infos: Vec<_> = (0..tensors).map(|_| info()).collect();
    let data = r.at.next_multiple_of(32);
    let ends = infos
        .iter()
        .skip(1)
        .map(|i| i.3)
        .chain([bytes.len() - data]);
    let tensors = infos
        .iter()
        .zip(ends)
        .map(|((name, dimensions, kind, from), end)| {
            assert!(from % 32 == 0, "{name} is aligned");
            let part = bytes[data + from..data + end].to_vec();
            (name.clone(), (dimensions.clone(), *kind, part))
        });
    Parsed {
        keys,
        tensors: tensors.collect(),
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.as_chunks().0.iter();
    numbers.map(|b| f32::from_le_bytes(*b)).collect()
}

/// The file of a model in which each parameter counts up from 0.
fn written(model: &ModelConfig, quantization: Quantization) -> Parsed {
    let tokenizer = Tokenizer::chars(&["aé".as_bytes()]).unwrap();
    let vocabulary = 5;
    let described = Described {
        model: model.clone(),
        vocabulary,
        eos: tokenizer.end_of_text(),
    };
    let graph = model::decoder(model, vocabulary, (1, 1), model::Mode::Score)
        .unwrap()
        .graph;
    let tensor = |name: &str| {
        let variable = graph.variables().iter().find(|v| v.name == name)?;
        Some((0..variable.len()).map(|i| i as f32).collect())
    };
    let mut weights = Vec::new();
    write_weights(model, vocabulary, &tensor, &mut weights).unwrap();
    let mut files = TensorFiles::new(vec![Box::new(Cursor::new(weights))]).unwrap();
    let gguf = Gguf::new(&described, &tokenizer, "mine", quantization).unwrap();
    let mut bytes = Vec::new();
    gguf.write(&mut files, &mut bytes).unwrap();
    parse(&bytes)
}

fn shape(sets: &str) -> ModelConfig {
    let sets: Vec<String> = format!("layers=1,heads=2,width=8,hidden=32,context=16,{sets}")
        .split(',')
        .map(|s| format!("model.{s}"))
        .collect();
    Config::load(None, None, &sets).unwrap().model
}

#[test]
fn names_shapes_and_keys_are_those_of_each_family() {
    let qwen3 = written(
        &shape("family=qwen3,kv_heads=1,head_size=6"),
        Quantization::F32,
    );
    let key = |name: &str| qwen3.keys[name].as_str();
    assert_eq!(key("general.architecture"), "qwen3");
    assert_eq!(key("qwen3.attention.key_length"), "6");
    assert_eq!(key("qwen3.attention.head_count_kv"), "1");
    assert_eq!(key("qwen3.context_length"), "16");
    assert_eq!(
        key("tokenizer.ggml.tokens"),
        "a|Ã©|<|endoftext|>|[PAD3]|[PAD4]"
    );
    assert_eq!(key("tokenizer.ggml.token_type"), "1|1|3|5|5");
    assert_eq!(key("tokenizer.ggml.merges"), "Ã ©");
    assert_eq!(key("tokenizer.ggml.add_bos_token"), "false");
    assert_eq!(
        qwen3.tensors["blk.0.attn_q.weight"].0,
        [8, 12],
        "columns first"
    );
    assert!(!qwen3.tensors.contains_key("output.weight"), "tied");
    let counting: Vec<f32> = (0..12 * 8).map(|i| i as f32).collect();
    assert_eq!(
        floats(&qwen3.tensors["blk.0.attn_q.weight"].2),
        counting,
        "in our order"
    );

    let llama = written(&shape("family=llama,kv_heads=2"), Quantization::F32);
    assert!(llama.tensors.contains_key("output.weight"), "not tied");
    // Heads of 4 rows: the halves are interleaved.
    let rows = |name: &str| -> Vec<f32> {
        let numbers = floats(&llama.tensors[name].2);
        numbers.iter().step_by(8).map(|x| x / 8.0).collect()
    };
    assert_eq!(
        rows("blk.0.attn_q.weight"),
        [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]
    );
    assert_eq!(rows("blk.0.attn_v.weight")[..4], [0.0, 1.0, 2.0, 3.0]);

    let gpt2 = written(&shape("family=gpt2,bias=false"), Quantization::F32);
    let (dimensions, _, bytes) = &gpt2.tensors["blk.0.attn_qkv.weight"];
    assert_eq!(dimensions[..], [8, 24]);
    let one: Vec<f32> = (0..64).map(|i| i as f32).collect();
    assert_eq!(
        floats(bytes),
        [&one[..], &one, &one].concat(),
        "not transposed"
    );
    assert_eq!(
        floats(&gpt2.tensors["blk.0.attn_qkv.bias"].2)[..24],
        [0.0; 24]
    );
}

#[test]
fn only_matrices_whose_rows_divide_are_quantized() {
    let file = written(&shape("family=gpt2"), Quantization::Q8_0);
    let kind = |name: &str| file.tensors[name].1;
    // ffn_down has rows of 32 numbers, the others rows of 8.
    assert_eq!(kind("blk.0.ffn_down.weight"), 8);
    assert_eq!(kind("blk.0.ffn_up.weight"), 1);
    assert_eq!(kind("position_embd.weight"), 0);
    assert_eq!(kind("output_norm.weight"), 0);
    assert_eq!(
        file.tensors["blk.0.ffn_down.weight"].2.len(),
        (8 * 34_usize).next_multiple_of(32)
    );
    assert_eq!(file.keys["general.file_type"], "7");
}
