//! What is a language model? A stack of blocks that read the tokens so far and predict the next
//! one. One function records it for training, scoring and generation, for every family.

pub mod readout;
pub mod teachers;

use crate::config::{Mlp, ModelConfig, Norm, Position};
use crate::recorded::{Decoder, Mode};
use engine::{Angles, Error, Graph, Group, Heads, Init, Places, ValueId, Variable};
use std::sync::Arc;

type Result<T> = std::result::Result<T, Error>;

struct Recorder<'a> {
    g: Graph,
    shape: &'a ModelConfig,
    vocabulary: usize,
    mode: Mode,
    time: usize,
    angles: Angles,
    places: Option<Places>,
    positions: Option<ValueId>,
    stream: Vec<ValueId>,
    attended: Vec<[ValueId; 2]>,
    teacher: Option<usize>,
    /// Number of the next dropout site, so that a mask doesn't depend on what else is recorded.
    site: u32,
}

/// Records the decoder for `sequences` sequences of `time` tokens.
///
/// # Errors
/// If the shape's numbers don't fit together.
pub fn decoder(
    shape: &ModelConfig,
    vocabulary: usize,
    (sequences, time): (usize, usize),
    mode: Mode,
) -> Result<Decoder> {
    let mut r = Recorder::new(shape, vocabulary, mode, time);
    let rows = sequences * time;
    let tokens = r.g.tokens("tokens", rows);
    let mut asked = None;
    if let Mode::Generate(pages) = mode {
        r.places = Some(Places {
            start: r.g.tokens("start", sequences),
            table: r.g.tokens("table", sequences * pages.each),
        });
        asked = Some(r.g.tokens("asked", sequences));
    }
    let logits = r.logits(tokens, asked)?;
    let looks = matches!(mode, Mode::Look | Mode::Inspect);
    if looks || matches!(mode, Mode::Generate(_)) {
        r.g.keep(logits);
    }
    if looks {
        r.stream.iter().for_each(|&value| r.g.keep(value));
    }
    if mode == Mode::Inspect {
        r.attended.iter().flatten().for_each(|&v| r.g.keep(v));
    }
    let scored = !matches!(mode, Mode::Generate(_));
    let targets = scored.then(|| r.g.tokens("targets", rows));
    let cost = targets
        .map(|next| r.cost(logits, next, tokens))
        .transpose()?;
    Ok(Decoder {
        graph: Arc::new(r.g),
        tokens,
        positions: r.positions,
        places: r.places,
        asked,
        targets,
        cost,
        logits,
        stream: r.stream,
        attended: r.attended,
        time,
    })
}

impl Recorder<'_> {
    fn new(shape: &ModelConfig, vocabulary: usize, mode: Mode, time: usize) -> Recorder<'_> {
        let longest = match mode {
            Mode::Generate(pages) => shape.context.max(pages.capacity()),
            _ => shape.context,
        };
        Recorder {
            g: Graph::new(),
            shape,
            vocabulary,
            mode,
            time,
            angles: Angles::new(longest, shape.head_size, shape.rope_theta),
            places: None,
            positions: None,
            stream: Vec::new(),
            attended: Vec::new(),
            teacher: None,
            site: 0,
        }
    }

    /// Logits of the next token after each one, or after those asked for.
    fn logits(&mut self, tokens: ValueId, asked: Option<ValueId>) -> Result<ValueId> {
        let (vocabulary, width) = (self.vocabulary, self.shape.width);
        let table = self.matrix("embed_tokens", vocabulary, width, 0.02, Group::Embeddings);
        let mut h = self.g.embedding(tokens, table)?;
        if self.shape.position == Position::Learned {
            h = self.add_positions(h)?;
        }
        h = self.dropout(h)?;
        for layer in 0..self.shape.layers {
            h = self.block(layer, h)?;
        }
        if let Some(asked) = asked {
            h = self.g.embedding(asked, h)?;
        }
        self.head(h)
    }

    fn matrix(&mut self, name: &str, rows: usize, width: usize, std: f64, group: Group) -> ValueId {
        let name = format!("{name}.weight");
        let variable = Variable::parameter(name, &[rows, width], Init::Normal(std));
        self.variable(variable.in_group(group))
    }

    /// h + a learned vector for each position.
    fn add_positions(&mut self, h: ValueId) -> Result<ValueId> {
        let rows = self.g.spec(h).rows;
        let at = *self
            .positions
            .get_or_insert_with(|| self.g.tokens("positions", rows));
        let (context, width) = (self.shape.context, self.shape.width);
        let table = self.matrix("embed_positions", context, width, 0.02, Group::Embeddings);
        let learned = self.g.embedding(at, table)?;
        self.g.residual(h, learned)
    }

    fn vector(&mut self, name: &str, width: usize, init: Init) -> ValueId {
        self.variable(Variable::parameter(name, &[width], init))
    }

    /// Weights of a layer, initialized with this standard deviation, and its bias if the family has
    /// them.
    fn layer(
        &mut self,
        name: &str,
        (out, inner): (usize, usize),
        std: f64,
    ) -> (ValueId, Option<ValueId>) {
        let w = self.matrix(name, out, inner, std, Group::Matrices);
        let bias = self.shape.bias;
        let b = bias.then(|| self.vector(&format!("{name}.bias"), out, Init::Zeros));
        (w, b)
    }

    /// Several layers with the same input x, each with its name and width.
    fn linears(&mut self, x: ValueId, layers: &[(String, usize)]) -> Result<Vec<ValueId>> {
        let inner = self.g.spec(x).width;
        let layer = |(name, out): &(String, usize)| self.layer(name, (*out, inner), 0.02);
        let layers: Vec<_> = layers.iter().map(layer).collect();
        self.g.linears(x, &layers)
    }

    /// h + a layer of x: a write to the residual stream.
    fn onto(&mut self, h: ValueId, name: &str, x: ValueId) -> Result<ValueId> {
        let std = self.shape.output_std;
        let size = (self.g.spec(h).width, self.g.spec(x).width);
        let (w, b) = self.layer(name, size, std);
        let sum = if self.drops() {
            let y = self.g.linear(x, w, b)?;
            let y = self.dropout(y)?;
            self.g.residual(h, y)?
        } else {
            self.site += 1;
            self.g.linear_onto(h, x, w, b)?
        };
        self.stream.push(sum);
        Ok(sum)
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
        let trains = matches!(self.mode, Mode::Train | Mode::Distill(_));
        trains && self.teacher.is_none() && self.shape.dropout != 0.0
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

    /// The outputs of all heads, concatenated.
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
            let start = self.places.map(|places| places.start);
            q = self.g.rope(q, self.time, &self.angles, start)?;
            k = self.g.rope(k, self.time, &self.angles, start)?;
        }
        if let (Mode::Generate(pages), Some(places)) = (self.mode, self.places) {
            let mut append = |x, part: &str| {
                let cache = format!("{name}.{part}.cache");
                self.g.append(x, places, &cache, pages, self.time)
            };
            (k, v) = (append(k, "k")?, append(v, "v")?);
            let (kv, time) = ([k, v], self.time);
            return self.g.cached_attention(q, kv, places, pages, heads, time);
        }
        self.attended.push([q, k]);
        self.g.attention(q, k, v, heads, self.time)
    }

    /// The hidden layer of the MLP.
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
