//! The model families as values: what each sets, and what its file format supports.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// A published architecture; the class of the same name in `transformers` loads its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Learned positions, LayerNorm, GELU.
    Gpt2,
    /// Rotary positions, RMSNorm, SwiGLU, shared key and value heads.
    Llama,
    /// Llama with queries and keys normalized per head.
    Qwen3,
}

/// How a block's input is normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Mean and variance to 0 and 1, then scaled and, with biases, shifted.
    LayerNorm,
    /// Divided by the root of the mean square, then scaled.
    RmsNorm,
}

/// How the model encodes a token's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// One learned vector per position, added to the token's embedding.
    Learned,
    /// Queries and keys are rotated by angles that grow with the position.
    Rope,
}

/// The feed-forward part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mlp {
    /// down(gelu(up(x))), GELU in its tanh form.
    Gelu,
    /// down(silu(gate(x)) * up(x)).
    Swiglu,
}

/// Multiple that SwiGLU's derived hidden size is rounded up to.
const HIDDEN_MULTIPLE: usize = 32;

impl Family {
    /// Every family.
    pub const ALL: [Family; 3] = [Family::Gpt2, Family::Llama, Family::Qwen3];

    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Family::Gpt2 => "gpt2",
            Family::Llama => "llama",
            Family::Qwen3 => "qwen3",
        }
    }

    /// The family's norm.
    pub fn norm(self) -> Norm {
        match self {
            Family::Gpt2 => Norm::LayerNorm,
            Family::Llama | Family::Qwen3 => Norm::RmsNorm,
        }
    }

    /// The family's positions.
    pub fn position(self) -> Position {
        match self {
            Family::Gpt2 => Position::Learned,
            Family::Llama | Family::Qwen3 => Position::Rope,
        }
    }

    /// The family's MLP.
    pub fn mlp(self) -> Mlp {
        match self {
            Family::Gpt2 => Mlp::Gelu,
            Family::Llama | Family::Qwen3 => Mlp::Swiglu,
        }
    }

    /// Whether the family normalizes queries and keys per head.
    pub fn qk_norm(self) -> bool {
        self == Family::Qwen3
    }

    /// Whether the family has biases by default.
    pub fn default_bias(self) -> bool {
        self == Family::Gpt2
    }

    /// Whether a model of the family may have, or lack, biases.
    pub fn allows_bias(self, bias: bool) -> bool {
        !bias || self != Family::Qwen3
    }

    /// Whether the output head is the embedding by default.
    pub fn default_tied(self) -> bool {
        self != Family::Llama
    }

    /// Whether several query heads may share a key and value head.
    pub fn shares_heads(self) -> bool {
        self != Family::Gpt2
    }

    /// Whether the heads together may be wider or narrower than the model.
    pub fn sizes_heads(self) -> bool {
        self != Family::Gpt2
    }

    /// The norms' epsilon by default.
    pub fn default_norm_epsilon(self) -> f64 {
        match self {
            Family::Gpt2 => 1e-5,
            Family::Llama | Family::Qwen3 => 1e-6,
        }
    }
}

impl Mlp {
    /// Hidden channels for a width: 4·width, or 8/3·width rounded up, which makes SwiGLU's three
    /// matrices as large as GELU's two (Shazeer 2020, arXiv 2002.05202).
    pub fn default_hidden(self, width: usize) -> usize {
        match self {
            Mlp::Gelu => 4 * width,
            Mlp::Swiglu => (8 * width).div_ceil(3).next_multiple_of(HIDDEN_MULTIPLE),
        }
    }
}

/// The standard deviation of the initial weights of layers that write to the residual stream:
/// 0.02/√(2L), so that its magnitude doesn't grow with depth (Radford et al., 2019, section 2.3).
fn default_output_std(layers: usize) -> f64 {
    0.02 / (2.0 * layers as f64).sqrt()
}

/// Fills in the values that depend on the family. Values of a wrong type are reported later, by the
/// caller's check.
pub(super) fn fill(model: &mut Table) {
    let Some(family) = read::<Family>(model, "family") else {
        return;
    };
    let mlp = read::<Mlp>(model, "mlp").unwrap_or(family.mlp());
    let width = read::<usize>(model, "width").unwrap_or(1);
    let layers = read::<usize>(model, "layers").unwrap_or(1).max(1);
    let heads = read::<usize>(model, "heads").unwrap_or(1).max(1);
    // Heads that don't divide the width have no size: the check of the config reports it.
    let head_size = if width.is_multiple_of(heads) {
        width / heads
    } else {
        0
    };
    let derived = [
        ("norm", Value::try_from(family.norm())),
        ("position", Value::try_from(family.position())),
        ("mlp", Value::try_from(mlp)),
        ("qk_norm", Value::try_from(family.qk_norm())),
        ("bias", Value::try_from(family.default_bias())),
        ("tied", Value::try_from(family.default_tied())),
        ("head_size", Value::try_from(head_size)),
        ("hidden", Value::try_from(mlp.default_hidden(width))),
        (
            "norm_epsilon",
            Value::try_from(family.default_norm_epsilon()),
        ),
        ("output_std", Value::try_from(default_output_std(layers))),
    ];
    for (key, value) in derived {
        if let Ok(value) = value {
            model.entry(key).or_insert(value);
        }
    }
}

/// One value of a table, or nothing where it is absent or of another type.
pub(super) fn read<'a, T: Deserialize<'a>>(table: &Table, key: &str) -> Option<T> {
    table.get(key)?.clone().try_into().ok()
}
