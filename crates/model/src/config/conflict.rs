//! Values that are fine alone but not together.

use std::collections::BTreeSet;

use super::{Config, Family, Mlp, ModelConfig, Norm, Position};

/// The most tokens one training step may hold.
const STEP_TOKENS: usize = 1 << 24;
/// The most parameters in the blocks: far above any machine, far below any overflow.
const PARAMETERS: f64 = 1e12;

/// Every conflict whose keys were not refused already.
pub(super) fn find(config: &Config, refused: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |keys: &[&str], ok: bool, message: &dyn Fn() -> String| {
        if !ok && !keys.iter().any(|key| refused.contains(*key)) {
            found.push(message());
        }
    };
    let m = &config.model;
    let (width, heads, kv_heads) = (m.width, m.heads, m.kv_heads);
    let divides = |part: usize, whole: usize| part != 0 && whole.is_multiple_of(part);
    check(
        &["model.width", "model.heads"],
        divides(heads, width),
        &|| format!("model.heads = {heads} doesn't divide model.width = {width}"),
    );
    check(
        &["model.heads", "model.kv_heads"],
        divides(kv_heads, heads),
        &|| format!("model.kv_heads = {kv_heads} doesn't divide model.heads = {heads}"),
    );
    check(
        &[
            "model.width",
            "model.heads",
            "model.position",
            "model.family",
        ],
        m.position != Position::Rope || !divides(heads, width) || divides(2 * heads, width),
        &|| {
            format!(
                "model.width = {width} over model.heads = {heads} gives heads of odd size; rotary positions need an even one"
            )
        },
    );
    let (batch, context) = (config.train.batch, m.context);
    check(
        &["train.batch", "model.context"],
        batch.saturating_mul(context) <= STEP_TOKENS,
        &|| {
            format!(
                "train.batch = {batch} times model.context = {context} is more than {STEP_TOKENS} tokens a step"
            )
        },
    );
    check(
        &[
            "model.layers",
            "model.width",
            "model.hidden",
            "model.context",
        ],
        parameters(m) <= PARAMETERS,
        &|| {
            format!(
                "model.layers = {}, model.width = {width} and model.hidden = {} make more than {PARAMETERS:e} parameters",
                m.layers, m.hidden
            )
        },
    );
    let (lr, lr_min) = (config.optim.lr, config.optim.lr_min);
    check(&["optim.lr", "optim.lr_min"], lr_min <= lr, &|| {
        format!("optim.lr_min = {lr_min} is above optim.lr = {lr}")
    });
    for (key, value, allows) in family_rules(m) {
        check(&[key, "model.family"], allows(m.family), &|| {
            let others: Vec<&str> = Family::ALL
                .into_iter()
                .filter(|f| allows(*f))
                .map(Family::name)
                .collect();
            let family = m.family.name();
            match others.is_empty() {
                true => format!("{key} = {value} is in no family"),
                false => format!(
                    "{key} = {value} is not in model.family = {family}, whose files could not be loaded; {} has it",
                    others.join(" or ")
                ),
            }
        });
    }
    found
}

/// A key, its value, and which families have it.
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
    ]
}

/// Parameters of the blocks and learned positions, roughly.
fn parameters(m: &ModelConfig) -> f64 {
    let (layers, width, hidden) = (m.layers as f64, m.width as f64, m.hidden as f64);
    layers * width * (4.0 * width + 3.0 * hidden) + m.context as f64 * width
}
