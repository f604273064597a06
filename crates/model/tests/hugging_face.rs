//! The Hugging Face directory: what is saved, whether it reads back, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use model::hugging_face::{
    CONFIG, Described, GENERATION_CONFIG, HuggingFaceError, Tensor, WEIGHTS, config_files,
    describe, read_weights, write_weights,
};
use model::{Config, ModelConfig, TensorFiles};
use safetensors::SafeTensors;
use std::io::Cursor;

const VOCABULARY: usize = 11;
const EOS: u32 = 10;

fn shape(sets: &[&str]) -> ModelConfig {
    let mut all = vec!["model.layers=2".to_string(), "model.width=8".to_string()];
    all.extend(["model.heads=2".to_string(), "model.context=6".to_string()]);
    all.extend(["model.kv_heads=1".to_string(), "model.hidden=5".to_string()]);
    all.extend(sets.iter().map(|set| set.to_string()));
    if sets.contains(&"model.family=gpt2") {
        all.push("model.kv_heads=2".to_string());
    }
    Config::load(Some("tiny"), None, &all).unwrap().model
}

/// The decoder's parameters, from its definition and not from the code under test.
fn parameters(s: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let gpt2 = s.position == model::Position::Learned;
    let mut all = vec![("embed_tokens.weight".to_string(), vec![VOCABULARY, s.width])];
    let mut push = |name: String, shape: &[usize], bias: bool| {
        all.push((format!("{name}.weight"), shape.to_vec()));
        if bias {
            all.push((format!("{name}.bias"), shape[..1].to_vec()));
        }
    };
    if gpt2 {
        push("embed_positions".to_string(), &[s.context, s.width], false);
    }
    let (queries, keys) = (s.heads * s.head_size, s.kv_heads * s.head_size);
    for i in 0..s.layers {
        let name = |name: &str| format!("layers.{i}.{name}");
        push(name("input_norm"), &[s.width], gpt2 && s.bias);
        push(name("attention.q"), &[queries, s.width], s.bias);
        push(name("attention.k"), &[keys, s.width], s.bias);
        push(name("attention.v"), &[keys, s.width], s.bias);
        push(name("attention.o"), &[s.width, queries], s.bias);
        if s.qk_norm {
            push(name("attention.q_norm"), &[s.head_size], false);
            push(name("attention.k_norm"), &[s.head_size], false);
        }
        push(name("post_norm"), &[s.width], gpt2 && s.bias);
        if !gpt2 {
            push(name("mlp.gate"), &[s.hidden, s.width], s.bias);
        }
        push(name("mlp.up"), &[s.hidden, s.width], s.bias);
        push(name("mlp.down"), &[s.width, s.hidden], s.bias);
    }
    push("norm".to_string(), &[s.width], gpt2 && s.bias);
    if !s.tied {
        push("lm_head".to_string(), &[VOCABULARY, s.width], false);
    }
    all
}

type Weights = BTreeMap<String, Vec<f32>>;

/// Every value of the model is distinct.
fn weights(shape: &ModelConfig) -> Weights {
    let mut next = 0.0;
    let mut fill = |n: usize| {
        let values = (0..n).map(|i| next + i as f32).collect();
        next += n as f32;
        values
    };
    parameters(shape)
        .into_iter()
        .map(|(name, shape)| (name, fill(shape.iter().product())))
        .collect()
}

fn saved(shape: &ModelConfig, weights: &Weights) -> BTreeMap<String, Vec<u8>> {
    let mut files = config_files(shape, VOCABULARY, EOS);
    let mut bytes = Vec::new();
    write_weights(
        shape,
        VOCABULARY,
        &|name| weights.get(name).cloned(),
        &mut bytes,
    )
    .unwrap();
    files.push((WEIGHTS.to_string(), bytes));
    files.into_iter().collect()
}

/// A model read from its files.
#[derive(Debug)]
struct Model {
    described: Described,
    tensors: Vec<Tensor>,
}

fn load(
    config: &[u8],
    weights: &[u8],
    known: Option<&ModelConfig>,
) -> Result<Model, HuggingFaceError> {
    let described = describe(config, known)?;
    let files = TensorFiles::new(vec![Box::new(Cursor::new(weights.to_vec()))]);
    let mut files = files.map_err(|e| HuggingFaceError::Safetensors(e.to_string()))?;
    let mut tensors = Vec::new();
    let mut put = |tensor| {
        tensors.push(tensor);
        Ok(())
    };
    read_weights(&described, &mut files, &mut put)?;
    Ok(Model { described, tensors })
}

fn all_shapes() -> Vec<ModelConfig> {
    let mut shapes = Vec::new();
    for family in ["gpt2", "llama", "qwen3"] {
        for bias in [false, true] {
            for tied in [false, true] {
                if family != "qwen3" || !bias {
                    // The heads together as wide as the model, and wider.
                    let head_size = if tied && family != "gpt2" { 6 } else { 4 };
                    let sets = [
                        format!("model.head_size={head_size}"),
                        format!("model.family={family}"),
                        format!("model.bias={bias}"),
                        format!("model.tied={tied}"),
                        "model.dropout=0.25".to_string(),
                        "model.norm_epsilon=3e-6".to_string(),
                        "model.rope_theta=5000".to_string(),
                    ];
                    shapes.push(shape(&sets.each_ref().map(String::as_str)));
                }
            }
        }
    }
    shapes
}

#[test]
fn every_family_reads_back_what_it_saved() {
    for shape in all_shapes() {
        let weights = weights(&shape);
        let files = saved(&shape, &weights);
        let read = load(&files[CONFIG], &files[WEIGHTS], Some(&shape)).unwrap();
        let of = &read.described;
        assert_eq!((of.vocabulary, of.eos), (VOCABULARY, EOS));
        assert_eq!(of.model, shape);
        let read: BTreeMap<_, _> = read
            .tensors
            .into_iter()
            .map(|tensor| (tensor.name, (tensor.shape, tensor.values)))
            .collect();
        let expected: BTreeMap<_, _> = parameters(&shape)
            .into_iter()
            .map(|(name, shape)| (name.clone(), (shape, weights[&name].clone())))
            .collect();
        assert_eq!(read, expected, "{shape:?}");
        assert_eq!(saved(&shape, &weights), files, "equal weights, equal bytes");
        assert_eq!(
            files[GENERATION_CONFIG],
            b"{\n  \"bos_token_id\": 10,\n  \"eos_token_id\": 10\n}\n"
        );
        let (_, header) = SafeTensors::read_metadata(&files[WEIGHTS]).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(
            metadata.into_iter().collect::<Vec<_>>(),
            [("format".into(), "pt".into())]
        );
    }
}

/// GPT-2's file, tensor by tensor: the three projections concatenated, `[in, out]`, zero biases.
#[test]
fn gpt2_is_stored_as_conv1d() {
    let shape = shape(&["model.family=gpt2", "model.bias=false"]);
    let weights = weights(&shape);
    let files = saved(&shape, &weights);
    let file = SafeTensors::deserialize(&files[WEIGHTS]).unwrap();
    let mut names = file.names();
    names.sort();
    let mut expected: Vec<String> = ["ln_f.bias", "ln_f.weight", "wpe.weight", "wte.weight"]
        .map(String::from)
        .to_vec();
    for layer in 0..2 {
        for module in [
            "attn.c_attn",
            "attn.c_proj",
            "ln_1",
            "ln_2",
            "mlp.c_fc",
            "mlp.c_proj",
        ] {
            for kind in ["bias", "weight"] {
                expected.push(format!("h.{layer}.{module}.{kind}"));
            }
        }
    }
    expected.sort();
    let expected: Vec<String> = expected
        .iter()
        .map(|name| format!("transformer.{name}"))
        .collect();
    assert_eq!(names, expected);
    let values = |name: &str| -> (Vec<usize>, Vec<f32>) {
        let view = file.tensor(name).unwrap();
        let (words, _) = view.data().as_chunks();
        let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        (view.shape().to_vec(), values)
    };
    let (attention_shape, attention) = values("transformer.h.1.attn.c_attn.weight");
    assert_eq!(attention_shape, [8, 24]);
    for input in 0..8 {
        for output in 0..24 {
            let part = ["q", "k", "v"][output / 8];
            let ours = &weights[&format!("layers.1.attention.{part}.weight")];
            assert_eq!(
                attention[input * 24 + output],
                ours[(output % 8) * 8 + input]
            );
        }
    }
    let bias = values("transformer.h.0.attn.c_attn.bias");
    assert_eq!(bias, (vec![24], vec![0.0; 24]));
    assert_eq!(values("transformer.h.0.mlp.c_proj.weight").0, [5, 8]);
    assert_eq!(values("transformer.ln_f.bias"), (vec![8], vec![0.0; 8]));
}

#[test]
fn config_json_is_what_transformers_reads() {
    let gpt2 = shape(&["model.family=gpt2", "model.dropout=0.25"]);
    let llama = shape(&["model.family=llama", "model.bias=true"]);
    let qwen3 = shape(&["model.rope_theta=1e6"]);
    for (shape, golden) in [
        (gpt2, include_str!("config_json/gpt2.json")),
        (llama, include_str!("config_json/llama.json")),
        (qwen3, include_str!("config_json/qwen3.json")),
    ] {
        let config = saved(&shape, &weights(&shape)).remove(CONFIG).unwrap();
        assert_eq!(String::from_utf8(config).unwrap(), golden);
    }
}

/// Loads a model after one change to its config.json; returns the message if it is refused.
fn with_config(family: &str, from: &str, to: &str, known: bool) -> Result<Model, String> {
    let shape = shape(&[&format!("model.family={family}")]);
    let files = saved(&shape, &weights(&shape));
    let config = String::from_utf8(files[CONFIG].clone()).unwrap();
    assert!(config.contains(from), "no {from} in {config}");
    let config = config.replacen(from, to, 1);
    let known = known.then_some(&shape);
    load(config.as_bytes(), &files[WEIGHTS], known).map_err(|error| error.to_string())
}

/// Family, a string in its config.json, its replacement, and part of the message.
const HOSTILE: [(&str, &str, &str, &str); 23] = [
    (
        "qwen3",
        "\"model_type\": \"qwen3\"",
        "\"model_type\": \"bert\"",
        "gpt2, llama or qwen3",
    ),
    (
        "qwen3",
        "\"model_type\": \"qwen3\"",
        "\"model_type\": []",
        "model_type = []",
    ),
    ("qwen3", "\"hidden_size\"", "\"hidden\"", "no hidden_size"),
    (
        "qwen3",
        "_layers\": 2",
        "_layers\": 1000000000000",
        "model.layers",
    ),
    ("qwen3", "_layers\": 2", "_layers\": -2", "model.layers"),
    (
        "qwen3",
        "_layers\": 2",
        "_layers\": {\"a\": 1}",
        "model.layers",
    ),
    (
        "qwen3",
        "_layers\": 2",
        "_layers\": 3",
        "no tensor model.layers.2",
    ),
    ("qwen3", "_layers\": 2", "_layers\": 1", "doesn't call for"),
    (
        "qwen3",
        "value_heads\": 1",
        "value_heads\": 3",
        "doesn't divide",
    ),
    (
        "qwen3",
        "head_dim\": 4",
        "head_dim\": 8",
        "calls for [16, 8]",
    ),
    (
        "qwen3",
        "head_dim\": 4",
        "head_dim\": 0",
        "model.head_size = 0",
    ),
    ("gpt2", "n_head\": 2", "n_head\": 3", "doesn't divide"),
    ("qwen3", "\"silu\"", "\"relu\"", "hidden_act"),
    ("qwen3", "\"default\"", "\"yarn\"", "rope_parameters"),
    (
        "qwen3",
        "vocab_size\": 11",
        "vocab_size\": 12",
        "calls for [12, 8]",
    ),
    (
        "qwen3",
        "vocab_size\": 11",
        "vocab_size\": 1e300",
        "vocab_size",
    ),
    (
        "qwen3",
        "vocab_size\": 11",
        "vocab_size\": 18446744073709551615",
        "vocab_size",
    ),
    (
        "qwen3",
        "eos_token_id\": 10",
        "eos_token_id\": 11",
        "eos_token_id = 11",
    ),
    ("qwen3", "size\": 5", "size\": 1048576", "[1048576, 8]"),
    ("llama", "mlp_bias\": false", "mlp_bias\": true", "mlp_bias"),
    ("gpt2", "\"gelu_new\"", "\"gelu\"", "activation_function"),
    (
        "gpt2",
        "n_positions\": 6",
        "n_positions\": 7",
        "transformer.wpe.weight",
    ),
    ("gpt2", "{", "[", "can't be read"),
];

#[test]
fn a_foreign_or_hostile_config_json_is_refused() {
    for (family, from, to, part) in HOSTILE {
        let message = with_config(family, from, to, false).unwrap_err();
        assert!(message.contains(part), "no {part:?} in {message}");
        assert!(message.len() < 400, "{message}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(load(deep.as_bytes(), b"", None).is_err());
    assert!(load(b"", b"", None).is_err());
}

#[test]
fn a_model_of_another_run_is_refused() {
    let message = |family, from, to| with_config(family, from, to, true).unwrap_err();
    let found = message("llama", "_layers\": 2", "_layers\": 3");
    assert!(
        found.contains("num_hidden_layers is 3 there, but 2 in the run"),
        "{found}"
    );
    let found = message("llama", "rms_norm_eps\": 1e-6", "rms_norm_eps\": 1e-5");
    assert!(found.contains("rms_norm_eps"), "{found}");
    let shape = shape(&["model.family=gpt2", "model.bias=true"]);
    let files = saved(&shape, &weights(&shape));
    let known = ModelConfig {
        bias: false,
        ..shape
    };
    let error = load(&files[CONFIG], &files[WEIGHTS], Some(&known)).unwrap_err();
    assert!(error.to_string().contains("isn't zero"), "{error}");
}

#[test]
fn damaged_weights_are_refused() {
    let shape = shape(&[]);
    let files = saved(&shape, &weights(&shape));
    let (config, good) = (&files[CONFIG], &files[WEIGHTS]);
    let refused = |bytes: &[u8]| load(config, bytes, Some(&shape)).unwrap_err().to_string();
    for cut in [0, 1, 7, 8, 9, 100, good.len() - 4, good.len() - 1] {
        assert!(refused(&good[..cut]).contains("can't be read"));
    }
    let mut longer = good.clone();
    longer.extend([0; 4]);
    assert!(refused(&longer).contains("can't be read"));
    let mut huge_header = good.clone();
    huge_header[..8].fill(0xff);
    assert!(refused(&huge_header).contains("can't be read"));
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refused(&nan).contains("model.norm.weight has a number that is not finite"));
    let header = |from: &str, to: &str| {
        let mut bytes = good.clone();
        let at = bytes
            .windows(from.len())
            .position(|w| w == from.as_bytes())
            .unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        refused(&bytes)
    };
    assert!(header("\"F32\"", "\"I32\"").contains("I32"));
    assert!(header("[11,8]", "[8,11]").contains("F32 [8, 11]"));
    assert!(header("model.norm.", "model.morn.").contains("model.morn.weight"));
    // Flipped header bytes never panic, and damage to structure never reads as a whole model.
    for at in 0..good.len().min(600) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x15;
        let _ = load(config, &bytes, Some(&shape));
    }
}

#[test]
fn a_model_that_lacks_a_parameter_is_not_saved() {
    let shape = shape(&[]);
    let mut weights = weights(&shape);
    weights.get_mut("norm.weight").unwrap().pop();
    let saved = |weights: &Weights| {
        let tensor = |name: &str| weights.get(name).cloned();
        let written = write_weights(&shape, VOCABULARY, &tensor, &mut Vec::new());
        written.unwrap_err().to_string()
    };
    assert!(saved(&weights).contains("norm.weight has 7 values, not 8"));
    weights.remove("norm.weight");
    assert!(saved(&weights).contains("norm.weight"));
}

/// Files as `transformers` writes them and its hub stores them: fields left out, 16-bit numbers, a
/// head that follows from the embedding, several files.
#[test]
fn folders_of_others_load() {
    let shape = shape(&["model.family=llama", "model.tied=true"]);
    let weights = weights(&shape);
    let config = serde_json::json!({
        "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": 8,
        "intermediate_size": 5, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 6, "rms_norm_eps": 1e-6,
        "hidden_act": "silu", "tie_word_embeddings": true, "attention_dropout": 0.1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "eos_token_id": [EOS, 9], "rope_scaling": null, "pretraining_tp": 1,
    });
    let described = describe(config.to_string().as_bytes(), None).unwrap();
    assert_eq!((described.eos, &described.model), (EOS, &shape));
    // Two bf16 files; bf16 represents integers up to 256 exactly.
    let small = |x: f32| (x % 200.0).floor();
    let mut ours = Vec::new();
    let own = |name: &str| weights.get(name).cloned();
    write_weights(&shape, VOCABULARY, &own, &mut ours).unwrap();
    let whole = SafeTensors::deserialize(&ours).unwrap();
    let mut parts = [Vec::new(), Vec::new()];
    let head = vec![0u8; 2 * VOCABULARY * 8];
    for (i, name) in whole.names().into_iter().enumerate() {
        let view = whole.tensor(name).unwrap();
        let numbers = view.data().as_chunks().0.iter();
        let numbers = numbers.map(|b| (small(f32::from_le_bytes(*b)).to_bits() >> 16) as u16);
        let bytes: Vec<u8> = numbers.flat_map(u16::to_le_bytes).collect();
        parts[i % 2].push((name.to_owned(), view.shape().to_vec(), bytes));
    }
    parts[0].push(("lm_head.weight".into(), vec![VOCABULARY, 8], head));
    let files = parts.each_ref().map(|part| {
        let views = part.iter().map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(
                safetensors::Dtype::BF16,
                shape.clone(),
                bytes,
            );
            (name, view.unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        Box::new(Cursor::new(bytes)) as Box<dyn model::TensorInput>
    });
    let mut files = TensorFiles::new(files.into()).unwrap();
    let mut read = Weights::new();
    let mut put = |tensor: Tensor| {
        read.insert(tensor.name, tensor.values);
        Ok(())
    };
    read_weights(&described, &mut files, &mut put).unwrap();
    let expected = weights.into_iter();
    let expected: Weights = expected
        .map(|(name, all)| (name, all.into_iter().map(small).collect()))
        .collect();
    assert_eq!(read, expected);
}
