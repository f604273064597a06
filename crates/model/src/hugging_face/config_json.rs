//! Conversion of the shape to and from `config.json`.

use serde_json::{Map, Value, json};

use super::HuggingFaceError as Error;
use crate::config::{Config, Family, ModelConfig};

/// Standard deviation of the initial weights, an entry that `transformers` expects.
const INITIALIZER_RANGE: f64 = 0.02;
/// The largest vocabulary accepted.
const VOCABULARY: u64 = 100_000_000;

/// A field of `config.json`, the key of [`Config`] that it sets, and its value for a shape. A field
/// without a key must have the value derived from the others.
type Field = (
    &'static str,
    Option<&'static str>,
    fn(&ModelConfig) -> Value,
);

/// In file order.
const GPT2: [Field; 12] = [
    ("n_layer", Some("model.layers"), |s| s.layers.into()),
    ("n_head", Some("model.heads"), |s| s.heads.into()),
    ("n_embd", Some("model.width"), |s| s.width.into()),
    ("n_inner", Some("model.hidden"), |s| s.hidden.into()),
    ("n_positions", Some("model.context"), |s| s.context.into()),
    ("layer_norm_epsilon", Some("model.norm_epsilon"), |s| {
        s.norm_epsilon.into()
    }),
    ("tie_word_embeddings", Some("model.tied"), |s| s.tied.into()),
    ("resid_pdrop", Some("model.dropout"), |s| s.dropout.into()),
    ("activation_function", None, |_| "gelu_new".into()),
    ("scale_attn_weights", None, |_| true.into()),
    ("embd_pdrop", None, |s| s.dropout.into()),
    // This program never drops attention probabilities.
    ("attn_pdrop", None, |_| 0.0.into()),
];

/// Llama's fields, which Qwen3 shares.
const LLAMA: [Field; 14] = [
    ("num_hidden_layers", Some("model.layers"), |s| {
        s.layers.into()
    }),
    ("num_attention_heads", Some("model.heads"), |s| {
        s.heads.into()
    }),
    ("num_key_value_heads", Some("model.kv_heads"), |s| {
        s.kv_heads.into()
    }),
    ("hidden_size", Some("model.width"), |s| s.width.into()),
    ("intermediate_size", Some("model.hidden"), |s| {
        s.hidden.into()
    }),
    ("max_position_embeddings", Some("model.context"), |s| {
        s.context.into()
    }),
    ("rms_norm_eps", Some("model.norm_epsilon"), |s| {
        s.norm_epsilon.into()
    }),
    ("rope_theta", Some("model.rope_theta"), |s| {
        s.rope_theta.into()
    }),
    ("attention_bias", Some("model.bias"), |s| s.bias.into()),
    ("tie_word_embeddings", Some("model.tied"), |s| s.tied.into()),
    ("hidden_act", None, |_| "silu".into()),
    ("head_dim", Some("model.head_size"), |s| s.head_size.into()),
    ("attention_dropout", None, |_| 0.0.into()),
    // transformers 5 reads the base here, older ones and llama.cpp at the top.
    (
        "rope_parameters",
        None,
        |s| json!({"rope_type": "default", "rope_theta": s.rope_theta}),
    ),
];

fn fields(family: Family) -> Vec<Field> {
    match family {
        Family::Gpt2 => GPT2.to_vec(),
        Family::Llama => [&LLAMA[..], &[("mlp_bias", None, |s| s.bias.into())]].concat(),
        Family::Qwen3 => [
            &LLAMA[..],
            &[("use_sliding_window", None, |_| false.into())],
        ]
        .concat(),
    }
}

fn class(family: Family) -> &'static str {
    match family {
        Family::Gpt2 => "GPT2LMHeadModel",
        Family::Llama => "LlamaForCausalLM",
        Family::Qwen3 => "Qwen3ForCausalLM",
    }
}

/// `config.json` of a model.
pub(super) fn write(shape: &ModelConfig, vocabulary: usize, eos: u32) -> Vec<u8> {
    let mut config = Map::new();
    let mut put = |field: &str, value: Value| config.insert(field.to_string(), value);
    put("architectures", json!([class(shape.family)]));
    put("model_type", json!(shape.family.name()));
    put("vocab_size", json!(vocabulary));
    for (field, _, value) in fields(shape.family) {
        put(field, value(shape));
    }
    if shape.family == Family::Gpt2 {
        // The older name of n_positions, which llama.cpp reads.
        put("n_ctx", json!(shape.context));
    }
    put("bos_token_id", json!(eos));
    put("eos_token_id", json!(eos));
    put("initializer_range", json!(INITIALIZER_RANGE));
    put("use_cache", json!(true));
    // Before transformers 5 the field was called torch_dtype.
    put("dtype", json!("float32"));
    put("torch_dtype", json!("float32"));
    text(&Value::Object(config))
}

/// `generation_config.json` of a model.
pub(super) fn write_generation(eos: u32) -> Vec<u8> {
    text(&json!({"bos_token_id": eos, "eos_token_id": eos}))
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Returns shape, vocabulary and end-of-text token.
pub(super) fn read(
    bytes: &[u8],
    known: Option<&ModelConfig>,
) -> Result<(ModelConfig, usize, u32), Error> {
    let mut config: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| Error::Json(error.to_string()))?;
    let model_type = field(&config, "model_type")?;
    let family = Family::ALL
        .into_iter()
        .find(|family| model_type.as_str() == Some(family.name()))
        .ok_or_else(|| wrong("model_type", model_type, "gpt2, llama or qwen3"))?;
    let mut values = vec![
        ("model.family", family.name().into()),
        // Training settings don't matter here: the smallest batch allows any context.
        ("train.batch", 1.into()),
    ];
    if known.is_none() {
        complete(&mut config, family);
    }
    let fields = fields(family);
    for (name, key, _) in &fields {
        let Some(key) = key else { continue };
        values.push((*key, toml_value(field(&config, name)?)));
        if *key == "model.heads" && !family.shares_heads() {
            values.push(("model.kv_heads", toml_value(field(&config, name)?)));
        }
    }
    let mut shape = Config::from_values("config.json", values)
        .map_err(Error::Shape)?
        .model;
    for (name, _, value) in fields {
        let (found, value) = (field(&config, name)?, value(&shape));
        if !same(found, &value) {
            return Err(wrong(name, found, &value.to_string()));
        }
    }
    if let Some(known) = known {
        agree(&mut shape, known)?;
    }
    let vocabulary = token(&config, "vocab_size", VOCABULARY)?;
    let eos = token(&config, "eos_token_id", vocabulary.saturating_sub(1))?;
    if vocabulary == 0 {
        return Err(wrong("vocab_size", &json!(0), "at least 1"));
    }
    Ok((shape, vocabulary as usize, eos as u32))
}

/// Fills in the defaults of `transformers` for absent or null fields, and normalizes fields that
/// only affect training.
fn complete(config: &mut Map<String, Value>, family: Family) {
    let mut default = |name: &str, value: Option<Value>| {
        let there = config.get(name).cloned().unwrap_or_default();
        match value {
            Some(value) if there.is_null() => {
                config.insert(name.into(), value.clone());
                value
            }
            _ => there,
        }
    };
    match family {
        Family::Gpt2 => {
            let width = default("n_embd", None).as_u64();
            default("n_inner", width.map(|width| json!(4 * width)));
            default("layer_norm_epsilon", Some(json!(1e-5)));
            default("tie_word_embeddings", Some(json!(true)));
            default("scale_attn_weights", Some(json!(true)));
            let dropout = default("resid_pdrop", Some(json!(0.1)));
            config.insert("embd_pdrop".into(), dropout);
            config.insert("attn_pdrop".into(), json!(0.0));
            // Another name of the same function.
            if config.get("activation_function") == Some(&json!("gelu_pytorch_tanh")) {
                config.insert("activation_function".into(), json!("gelu_new"));
            }
        }
        Family::Llama | Family::Qwen3 => {
            let heads = default("num_attention_heads", None);
            default("num_key_value_heads", Some(heads.clone()));
            let width = default("hidden_size", None).as_u64();
            let each = width.zip(heads.as_u64().filter(|&h| h > 0));
            default("head_dim", each.map(|(width, heads)| json!(width / heads)));
            let bias = default("attention_bias", Some(json!(false)));
            default("mlp_bias", Some(bias));
            default("tie_word_embeddings", Some(json!(false)));
            default("use_sliding_window", Some(json!(false)));
            let rope = default("rope_parameters", None);
            let theta = rope.get("rope_theta").cloned();
            let theta = default("rope_theta", Some(theta.unwrap_or(json!(10_000.0))));
            let scaling = default("rope_scaling", None);
            let plain = json!({"rope_type": "default", "rope_theta": theta});
            default("rope_parameters", scaling.is_null().then_some(plain));
            config.insert("attention_dropout".into(), json!(0.0));
        }
    }
    // Llama 3 has several; the first ends a text.
    if let Some(Value::Array(all)) = config.get("eos_token_id") {
        let first = all.first().cloned().unwrap_or_default();
        config.insert("eos_token_id".into(), first);
    }
}

/// Takes from the run's shape what the file lacks, and checks the rest against it; fields that
/// aren't compared follow from the family.
fn agree(shape: &mut ModelConfig, known: &ModelConfig) -> Result<(), Error> {
    let different =
        |field, file: String, known: String| Err(Error::OtherShape { field, file, known });
    if shape.family != known.family {
        let (file, known) = (shape.family.name(), known.family.name());
        return different("model_type", file.to_string(), known.to_string());
    }
    if shape.family == Family::Gpt2 {
        shape.bias = known.bias;
        shape.rope_theta = known.rope_theta;
    } else {
        shape.dropout = known.dropout;
    }
    for (name, _, value) in fields(shape.family) {
        let (file, known) = (value(shape), value(known));
        if !same(&file, &known) {
            return different(name, file.to_string(), known.to_string());
        }
    }
    Ok(())
}

fn field<'a>(config: &'a Map<String, Value>, name: &'static str) -> Result<&'a Value, Error> {
    config.get(name).ok_or(Error::NoField(name))
}

fn token(config: &Map<String, Value>, name: &'static str, most: u64) -> Result<u64, Error> {
    let value = field(config, name)?;
    match value.as_u64() {
        Some(n) if n <= most => Ok(n),
        _ => Err(wrong(name, value, &format!("a whole number up to {most}"))),
    }
}

fn wrong(field: &'static str, value: &Value, allowed: &str) -> Error {
    let value: String = value.to_string().chars().take(60).collect();
    Error::Field {
        field,
        value,
        allowed: allowed.to_string(),
    }
}

/// Whether two values are equal; numbers compare by value, since JSON has one kind of them.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

/// Converts a value for the check of a config; what TOML lacks becomes text, which no numeric key
/// accepts.
fn toml_value(value: &Value) -> toml::Value {
    match value {
        Value::Bool(b) => toml::Value::Boolean(*b),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => toml::Value::Integer(n),
            (None, Some(x)) => toml::Value::Float(x),
            (None, None) => toml::Value::String(n.to_string()),
        },
        Value::String(text) => toml::Value::String(text.clone()),
        other => toml::Value::String(other.to_string()),
    }
}
