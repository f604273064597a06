//! What is a language model? A stack of blocks that read the tokens so far and say what comes
//! next. One function records it for training, scoring and generation, for every family.

use crate::config::{Mlp, ModelShape, Norm, Position};
use engine::{Angles, Error, Graph, Heads, Init, Row, ValueId};

type Result<T> = std::result::Result<T, Error>;

/// What a recording is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Learning: with dropout and the cost.
    Train,
    /// Measuring: the cost, without dropout.
    Score,
    /// Writing: one sequence, with keys and values of earlier positions in caches of `context`
    /// rows.
    Generate,
}

/// A recorded decoder, with the values that the host reads and writes.
#[derive(Debug)]
pub struct Decoder {
    /// The recording.
    pub graph: Graph,
    /// Input tokens [N].
    pub tokens: ValueId,
    /// Positions of the tokens [N], where the family learns them.
    pub positions: Option<ValueId>,
    /// Tokens to predict [N]; not in `Mode::Generate`.
    pub targets: Option<ValueId>,
    /// Share of the cost [1] and nats of each token [N]; not in `Mode::Generate`.
    pub cost: Option<(ValueId, ValueId)>,
    /// What is said of the next token [N, V]; held only in `Mode::Generate`.
    pub logits: ValueId,
}

struct Recorder<'a> {
    g: Graph,
    shape: &'a ModelShape,
    mode: Mode,
    time: usize,
    angles: Angles,
    /// Number of the next dropout site, so that a mask does not depend on what else is recorded.
    site: u32,
}

/// Records the decoder for `sequences` sequences of `time` tokens.
///
/// # Errors
/// Where the shape's numbers don't fit together.
pub fn decoder(
    shape: &ModelShape,
    vocabulary: usize,
    (sequences, time): (usize, usize),
    mode: Mode,
) -> Result<Decoder> {
    let mut r = Recorder {
        g: Graph::new(),
        shape,
        mode,
        time,
        angles: Angles::new(shape.context, shape.head_size, shape.rope_theta),
        site: 0,
    };
    let rows = sequences * time;
    let tokens = r.g.tokens("tokens", rows);
    let table = r.matrix("embed_tokens", vocabulary, shape.width, 0.02);
    let mut h = r.g.embedding(tokens, table)?;
    let mut positions = None;
    if shape.position == Position::Learned {
        let at = r.g.tokens("positions", rows);
        let table = r.matrix("embed_positions", shape.context, shape.width, 0.02);
        let learned = r.g.embedding(at, table)?;
        h = r.g.residual(h, learned)?;
        positions = Some(at);
    }
    h = r.dropout(h)?;
    for layer in 0..shape.layers {
        h = r.block(layer, h)?;
    }
    let h = r.norm("norm", h)?;
    let head = match shape.tied {
        true => table,
        false => r.matrix("lm_head", vocabulary, shape.width, 0.02),
    };
    let logits = r.g.linear(h, head, None)?;
    let (mut targets, mut cost) = (None, None);
    if mode == Mode::Generate {
        r.g.keep(logits);
    } else {
        let next = r.g.tokens("targets", rows);
        let (loss, nats) = r.g.cross_entropy(logits, next)?;
        r.g.keep(nats);
        (targets, cost) = (Some(next), Some((loss, nats)));
    }
    Ok(Decoder {
        graph: r.g,
        tokens,
        positions,
        targets,
        cost,
        logits,
    })
}

impl Recorder<'_> {
    fn matrix(&mut self, name: &str, rows: usize, width: usize, std: f64) -> ValueId {
        let name = format!("{name}.weight");
        self.g
            .parameter(Row::parameter(name, &[rows, width], Init::Normal(std)))
    }

    fn vector(&mut self, name: &str, width: usize, init: Init) -> ValueId {
        self.g.parameter(Row::parameter(name, &[width], init))
    }

    /// Weights of a layer, and its bias where the family has them. Weights begin at a deviation of
    /// 0.02; those that write to the residual stream at 0.02/√(2L), so that its size doesn't grow
    /// with depth (Radford et al., 2019, section 2.3).
    fn layer(
        &mut self,
        name: &str,
        (out, inner): (usize, usize),
        std: f64,
    ) -> (ValueId, Option<ValueId>) {
        let w = self.matrix(name, out, inner, std);
        let bias = self.shape.bias;
        let b = bias.then(|| self.vector(&format!("{name}.bias"), out, Init::Zeros));
        (w, b)
    }

    /// Layers that read one x, each with its name and width.
    fn linears(&mut self, x: ValueId, layers: &[(String, usize)]) -> Result<Vec<ValueId>> {
        let inner = self.g.spec(x).width;
        let each = layers.iter();
        let layers: Vec<_> = each
            .map(|(name, out)| self.layer(name, (*out, inner), 0.02))
            .collect();
        self.g.linears(x, &layers)
    }

    /// h + a layer of x: what writes to the residual stream.
    fn onto(&mut self, h: ValueId, name: &str, x: ValueId) -> Result<ValueId> {
        let std = 0.02 / (2.0 * self.shape.layers as f64).sqrt();
        let size = (self.g.spec(h).width, self.g.spec(x).width);
        let (w, b) = self.layer(name, size, std);
        if self.drops() {
            let y = self.g.linear(x, w, b)?;
            let y = self.dropout(y)?;
            return self.g.residual(h, y);
        }
        self.site += 1;
        self.g.linear_onto(h, x, w, b)
    }

    fn norm(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let (width, epsilon) = (self.shape.width, self.shape.norm_epsilon);
        let w = self.vector(&format!("{name}.weight"), width, Init::Ones);
        match self.shape.norm {
            Norm::RmsNorm => self.g.rms_norm(x, w, epsilon),
            Norm::LayerNorm => {
                let bias = self.shape.bias;
                let b = bias.then(|| self.vector(&format!("{name}.bias"), width, Init::Zeros));
                self.g.layer_norm(x, w, b, epsilon)
            }
        }
    }

    fn drops(&self) -> bool {
        self.mode == Mode::Train && self.shape.dropout != 0.0
    }

    fn dropout(&mut self, x: ValueId) -> Result<ValueId> {
        self.site += 1;
        if !self.drops() {
            return Ok(x);
        }
        self.g.dropout(x, self.shape.dropout, self.site)
    }

    /// h + attention(norm(h)), then h + mlp(norm(h)).
    fn block(&mut self, layer: usize, h: ValueId) -> Result<ValueId> {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let x = self.norm(&name("input_norm"), h)?;
        let y = self.attention(&name("attention"), x)?;
        let h = self.onto(h, &name("attention.o"), y)?;
        let x = self.norm(&name("post_norm"), h)?;
        let y = self.mlp(&name("mlp"), x)?;
        self.onto(h, &name("mlp.down"), y)
    }

    /// What the heads have read, side by side.
    fn attention(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let s = self.shape;
        let heads = Heads {
            heads: s.heads,
            kv_heads: s.kv_heads,
            head_size: s.head_size,
        };
        let parts = [("q", s.heads), ("k", s.kv_heads), ("v", s.kv_heads)];
        let parts = parts.map(|(part, heads)| (format!("{name}.{part}"), heads * s.head_size));
        let y = self.linears(x, &parts)?;
        let (mut q, mut k, mut v) = (y[0], y[1], y[2]);
        if s.qk_norm {
            let w = self.vector(&format!("{name}.q_norm.weight"), s.head_size, Init::Ones);
            q = self.g.rms_norm(q, w, s.norm_epsilon)?;
            let w = self.vector(&format!("{name}.k_norm.weight"), s.head_size, Init::Ones);
            k = self.g.rms_norm(k, w, s.norm_epsilon)?;
        }
        if s.position == Position::Rope {
            q = self.g.rope(q, self.time, &self.angles)?;
            k = self.g.rope(k, self.time, &self.angles)?;
        }
        if self.mode == Mode::Generate {
            k = self.g.append(k, &format!("{name}.k.cache"), s.context)?;
            v = self.g.append(v, &format!("{name}.v.cache"), s.context)?;
        }
        self.g.attention(q, k, v, heads, self.time)
    }

    /// The hidden layer.
    fn mlp(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let hidden = self.shape.hidden;
        let part = |part: &str| (format!("{name}.{part}"), hidden);
        match self.shape.mlp {
            Mlp::Gelu => {
                let up = self.linears(x, &[part("up")])?[0];
                self.g.gelu(up)
            }
            Mlp::Swiglu => {
                let y = self.linears(x, &[part("gate"), part("up")])?;
                self.g.swiglu(y[0], y[1])
            }
        }
    }
}
