//! Which units of a model can change places without changing what it computes? The channels of the
//! residual stream, the hidden channels of each MLP, the heads of each attention layer, and the
//! channels within a head where nothing tells them apart.
//!
//! Query heads that share a key and value head stay together. A head's keys and queries are rotated
//! in pairs of channels (RoPE), or scaled by gains that all heads share (q_norm, k_norm): then they
//! keep their order. Its values have none.

use model::{ModelConfig, Position};
use std::collections::BTreeMap;

/// The parameters of a model by their names in the decoder, row-major.
pub type Tensors = BTreeMap<String, Vec<f32>>;

/// What the rows or columns of a parameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitAxis {
    /// Tokens, positions, or the channels of all heads alike: they have an order.
    Ordered,
    /// Channels of the residual stream.
    Stream,
    /// Hidden channels of a layer's MLP.
    Hidden(usize),
    /// Queries of a layer: heads × channels.
    Queries(usize),
    /// Keys of a layer.
    Keys(usize),
    /// Values of a layer.
    Values(usize),
    /// A layer's mixed values: as many as queries, in the channels of the values.
    Mixed(usize),
}

/// An order of a model's units: at each place, the number of the unit that moves there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitOrder {
    /// Channels of the residual stream.
    pub stream: Vec<usize>,
    /// Each layer's units.
    pub layers: Vec<LayerOrder>,
}

/// An order of a layer's units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerOrder {
    /// Hidden channels of the MLP.
    pub hidden: Vec<usize>,
    /// Key and value heads, with the query heads that share each.
    pub heads: Vec<HeadOrder>,
}

/// What moves to the place of a key and value head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadOrder {
    /// The key and value head.
    pub head: usize,
    /// Of the query heads that share it.
    pub queries: Vec<usize>,
    /// Of the channels of its keys, and of the queries'.
    pub keys: Vec<usize>,
    /// Of the channels of its values.
    pub values: Vec<usize>,
}

/// The axes of a parameter: its rows and its columns. A vector has one column.
pub fn axes(name: &str) -> [UnitAxis; 2] {
    use UnitAxis::{Hidden, Keys, Mixed, Ordered, Queries, Stream, Values};
    let (layer, part) = match name.strip_prefix("layers.").and_then(|n| n.split_once('.')) {
        Some((layer, part)) => (layer.parse().unwrap_or_default(), part),
        None => (0, name),
    };
    let (part, kind) = part.rsplit_once('.').unwrap_or((part, ""));
    let [rows, columns] = match part {
        "embed_tokens" | "embed_positions" | "lm_head" => [Ordered, Stream],
        "attention.q" => [Queries(layer), Stream],
        "attention.k" => [Keys(layer), Stream],
        "attention.v" => [Values(layer), Stream],
        "attention.o" => [Stream, Mixed(layer)],
        "mlp.gate" | "mlp.up" => [Hidden(layer), Stream],
        "mlp.down" => [Stream, Hidden(layer)],
        "attention.q_norm" | "attention.k_norm" => [Ordered, Ordered],
        // Norms before each half of a block and at the end.
        _ => [Stream, Ordered],
    };
    match kind {
        "bias" => [rows, Ordered],
        _ => [rows, columns],
    }
}

impl UnitOrder {
    /// The order that a model of this shape has.
    pub fn unchanged(shape: &ModelConfig) -> UnitOrder {
        let all = |n: usize| (0..n).collect::<Vec<_>>();
        let head = |head| HeadOrder {
            head,
            queries: all(shape.heads / shape.kv_heads),
            keys: all(shape.head_size),
            values: all(shape.head_size),
        };
        let layer = LayerOrder {
            hidden: all(shape.hidden),
            heads: (0..shape.kv_heads).map(head).collect(),
        };
        UnitOrder {
            stream: all(shape.width),
            layers: vec![layer; shape.layers],
        }
    }

    /// Of each place on an axis, the place that its unit comes from; `None` if they have an order.
    pub fn of(&self, axis: UnitAxis) -> Option<Vec<usize>> {
        let heads = |layer: usize| self.layers[layer].heads.iter();
        // The channels of a key and value head, or of the query heads that share it.
        let one = |h: &HeadOrder, order: &[usize]| -> Vec<usize> {
            let from = h.head * order.len();
            order.iter().map(|channel| from + channel).collect()
        };
        let shared = |h: &HeadOrder, order: &[usize]| -> Vec<usize> {
            let first = h.head * h.queries.len();
            let each = h.queries.iter().flat_map(|query| {
                let from = (first + query) * order.len();
                order.iter().map(move |channel| from + channel)
            });
            each.collect()
        };
        Some(match axis {
            UnitAxis::Ordered => return None,
            UnitAxis::Stream => self.stream.clone(),
            UnitAxis::Hidden(layer) => self.layers[layer].hidden.clone(),
            UnitAxis::Queries(layer) => heads(layer).flat_map(|h| shared(h, &h.keys)).collect(),
            UnitAxis::Keys(layer) => heads(layer).flat_map(|h| one(h, &h.keys)).collect(),
            UnitAxis::Values(layer) => heads(layer).flat_map(|h| one(h, &h.values)).collect(),
            UnitAxis::Mixed(layer) => heads(layer).flat_map(|h| shared(h, &h.values)).collect(),
        })
    }

    /// A model with its units in this order: the same function.
    pub fn apply(&self, tensors: &Tensors) -> Tensors {
        let moved = tensors.iter().map(|(name, values)| {
            let [rows, columns] = axes(name).map(|axis| self.of(axis));
            let moved = reorder(values, rows.as_deref(), columns.as_deref());
            (name.clone(), moved)
        });
        moved.collect()
    }
}

/// Whether the channels of keys can change places within a head.
pub fn keys_are_free(shape: &ModelConfig) -> bool {
    shape.position == Position::Learned && !shape.qk_norm
}

/// A matrix with rows and columns taken from the given places; with `None` they stay, and columns
/// that stay are all or one.
pub fn reorder(values: &[f32], rows: Option<&[usize]>, columns: Option<&[usize]>) -> Vec<f32> {
    let width = match (rows, columns) {
        (_, Some(columns)) => columns.len(),
        (Some(rows), None) => values.len() / rows.len().max(1),
        (None, None) => return values.to_vec(),
    };
    let count = values.len() / width.max(1);
    let row = |at: usize| rows.map_or(at, |rows| rows[at]);
    let rows = (0..count).map(|at| &values[row(at) * width..][..width]);
    match columns {
        Some(columns) => rows
            .flat_map(|row| columns.iter().map(|&column| row[column]))
            .collect(),
        None => rows.flatten().copied().collect(),
    }
}
