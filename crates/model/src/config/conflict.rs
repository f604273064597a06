//! Values that are valid alone but not together.

use std::collections::BTreeSet;

use super::{Config, Family, Mlp, ModelConfig, Norm, Position};

/// The most tokens one training step may hold.
const STEP_TOKENS: usize = 1 << 24;
/// The most parameters in the blocks: far more than any machine holds, far below an overflow.
const PARAMETERS: f64 = 1e12;

/// All conflicts among keys that were not refused already.
pub(super) fn find(config: &Config, refused: &BTreeSet<String>) -> Vec<String> {
    let checks = heads(&config.model)
        .into_iter()
        .chain(sizes(config))
        .chain(canaries(config))
        .chain(family(&config.model));
    checks
        .filter(|check| !check.ok && !check.keys.iter().any(|key| refused.contains(*key)))
        .map(|check| check.message)
        .collect()
}

/// A check of several keys, and its message.
struct Check {
    keys: Vec<&'static str>,
    ok: bool,
    message: String,
}

/// The head sizes; 0 if the heads were to divide the width but can't.
fn heads(m: &ModelConfig) -> [Check; 4] {
    let (width, heads, kv_heads, size) = (m.width, m.heads, m.kv_heads, m.head_size);
    let keys = || vec!["model.head_size", "model.width", "model.heads"];
    let what = match size * heads == width {
        true => {
            format!("model.width = {width} over model.heads = {heads} is a head size of {size}")
        }
        false => format!("model.head_size = {size}"),
    };
    let widest = engine::Heads::WIDEST;
    [
        Check {
            keys: keys(),
            ok: size != 0,
            message: format!(
                "model.heads = {heads} doesn't divide model.width = {width}, and \
                 model.head_size isn't given"
            ),
        },
        Check {
            keys: keys(),
            ok: size <= widest,
            message: format!("{what}; attention supports at most {widest}: use more heads"),
        },
        Check {
            keys: vec!["model.heads", "model.kv_heads"],
            ok: kv_heads != 0 && heads.is_multiple_of(kv_heads),
            message: format!("model.kv_heads = {kv_heads} doesn't divide model.heads = {heads}"),
        },
        Check {
            keys: [keys(), vec!["model.position", "model.family"]].concat(),
            ok: m.position != Position::Rope || size.is_multiple_of(2),
            message: format!("{what}, an odd number; rotary positions need an even one"),
        },
    ]
}

/// Products too large for any machine, and the order of the learning rates.
fn sizes(config: &Config) -> [Check; 6] {
    let m = &config.model;
    let (batch, context) = (config.train.batch, m.context);
    let short = config.train.short_context;
    let (lr, lr_min) = (config.optim.lr, config.optim.lr_min);
    let total = config.train.pace().total();
    [
        Check {
            keys: vec!["train.batch", "model.context"],
            ok: batch.saturating_mul(context) <= STEP_TOKENS,
            message: format!(
                "train.batch = {batch} times model.context = {context} is more than \
                 {STEP_TOKENS} tokens per step"
            ),
        },
        Check {
            keys: vec!["train.short_context", "model.family"],
            ok: short == 0 || m.position == Position::Rope,
            message: format!(
                "train.short_context = {short} is for models with rotary positions, which gpt2 \
                 doesn't have"
            ),
        },
        Check {
            keys: vec!["train.short_context", "model.context"],
            ok: short == 0 || context.is_multiple_of(short),
            message: format!(
                "train.short_context = {short} doesn't divide model.context = {context}"
            ),
        },
        Check {
            keys: vec![
                "model.layers",
                "model.width",
                "model.hidden",
                "model.context",
            ],
            ok: parameters(m) <= PARAMETERS,
            message: format!(
                "model.layers = {}, model.width = {} and model.hidden = {} make more than \
                 {PARAMETERS:e} parameters",
                m.layers, m.width, m.hidden
            ),
        },
        Check {
            keys: vec!["optim.lr", "optim.lr_min"],
            ok: lr_min <= lr,
            message: format!("optim.lr_min = {lr_min} is above optim.lr = {lr}"),
        },
        Check {
            keys: vec!["train.steps", "train.pace"],
            ok: total == config.train.steps as u64,
            message: format!(
                "train.pace ends after {total} steps, not train.steps = {}: change both, or set \
                 train.pace = \"none\"",
                config.train.steps
            ),
        },
    ]
}

/// Whether planted strings can be learned as they are.
fn canaries(config: &Config) -> [Check; 2] {
    let (d, context) = (&config.data, config.model.context);
    let off = d.canaries == 0;
    [
        Check {
            keys: vec!["data.canaries", "data.canary_tokens", "model.context"],
            ok: off || d.canary_tokens <= context,
            message: format!(
                "data.canary_tokens = {} is longer than a window, model.context = {context}",
                d.canary_tokens
            ),
        },
        Check {
            keys: vec!["data.canaries", "data.merge_dropout"],
            ok: off || d.merge_dropout == 0.0,
            message: format!(
                "data.canaries = {} plants tokens that data.merge_dropout = {} would split: set \
                 data.merge_dropout=0",
                d.canaries, d.merge_dropout
            ),
        },
    ]
}

/// Whether the family's file format supports the layout.
fn family(m: &ModelConfig) -> Vec<Check> {
    let check = |(key, value, allows): Rule<'_>| {
        let others: Vec<&str> = Family::ALL
            .into_iter()
            .filter(|family| allows(*family))
            .map(Family::name)
            .collect();
        Check {
            keys: vec![key, "model.family"],
            ok: allows(m.family),
            message: format!(
                "{key} = {value} doesn't fit model.family = {}, whose files could not be loaded; \
                 {} has it",
                m.family.name(),
                others.join(" or ")
            ),
        }
    };
    family_rules(m).into_iter().map(check).collect()
}

/// A key, its value, and the families that support it.
type Rule<'a> = (&'static str, String, Box<dyn Fn(Family) -> bool + 'a>);

fn family_rules(m: &ModelConfig) -> Vec<Rule<'_>> {
    let norm = match m.norm {
        Norm::LayerNorm => "layer_norm",
        Norm::RmsNorm => "rms_norm",
    };
    let position = match m.position {
        Position::Learned => "learned",
        Position::Rope => "rope",
    };
    let mlp = match m.mlp {
        Mlp::Gelu => "gelu",
        Mlp::Swiglu => "swiglu",
    };
    vec![
        (
            "model.norm",
            norm.into(),
            Box::new(|f: Family| f.norm() == m.norm),
        ),
        (
            "model.position",
            position.into(),
            Box::new(|f: Family| f.position() == m.position),
        ),
        (
            "model.mlp",
            mlp.into(),
            Box::new(|f: Family| f.mlp() == m.mlp),
        ),
        (
            "model.qk_norm",
            m.qk_norm.to_string(),
            Box::new(|f: Family| f.qk_norm() == m.qk_norm),
        ),
        (
            "model.bias",
            m.bias.to_string(),
            Box::new(|f: Family| f.allows_bias(m.bias)),
        ),
        (
            "model.kv_heads",
            format!("{} with model.heads = {}", m.kv_heads, m.heads),
            Box::new(|f: Family| {
                f.shares_heads() || m.kv_heads == m.heads || !m.heads.is_multiple_of(m.kv_heads)
            }),
        ),
        (
            "model.head_size",
            format!(
                "{} with model.width = {} and model.heads = {}",
                m.head_size, m.width, m.heads
            ),
            Box::new(|f: Family| {
                f.sizes_heads() || m.head_size == 0 || m.head_size * m.heads == m.width
            }),
        ),
    ]
}

/// Approximate number of parameters of the blocks and learned positions.
fn parameters(m: &ModelConfig) -> f64 {
    let (layers, width, hidden) = (m.layers as f64, m.width as f64, m.hidden as f64);
    let heads = 2.0 * (m.heads + m.kv_heads) as f64 * m.head_size as f64;
    layers * width * (heads + 3.0 * hidden) + m.context as f64 * width
}
