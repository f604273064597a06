//! Maps the tensors of the file to parameters.

use crate::config::{Family, Mlp, ModelConfig, Norm, Position};

/// One tensor of the file: the rows of its parts concatenated, then optionally transposed.
pub(crate) struct FileTensor {
    /// Its name in the file.
    pub name: String,
    /// The parameters that it contains.
    pub parts: Vec<Part>,
    /// Columns of the parts, before transposing; none for vectors.
    pub columns: Option<usize>,
    /// GPT-2's linear layers are stored `[in, out]`.
    pub transposed: bool,
}

/// One parameter within a tensor.
pub(crate) struct Part {
    /// Its name in this program.
    pub name: String,
    /// Rows, or the length of a vector.
    pub rows: usize,
    /// Whether the model has it; otherwise its values in the file are zero.
    pub exists: bool,
}

impl FileTensor {
    /// Rows of all parts.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The shape in the file.
    pub fn shape(&self) -> Vec<usize> {
        match (self.columns, self.transposed) {
            (None, _) => vec![self.rows()],
            (Some(columns), false) => vec![self.rows(), columns],
            (Some(columns), true) => vec![columns, self.rows()],
        }
    }

    /// The shape of one parameter.
    pub fn part_shape(&self, part: &Part) -> Vec<usize> {
        std::iter::once(part.rows).chain(self.columns).collect()
    }
}

/// Every tensor of a model's file, in forward order.
pub(crate) fn tensors(shape: &ModelConfig, vocabulary: usize) -> Vec<FileTensor> {
    let mut list = List {
        shape,
        tensors: Vec::new(),
    };
    let gpt2 = shape.family == Family::Gpt2;
    let (embed, norm) = match gpt2 {
        true => ("transformer.wte", "transformer.ln_f"),
        false => ("model.embed_tokens", "model.norm"),
    };
    list.table(embed, "embed_tokens", vocabulary);
    if shape.position == Position::Learned {
        list.table("transformer.wpe", "embed_positions", shape.context);
    }
    for layer in 0..shape.layers {
        match gpt2 {
            true => list.gpt2_block(layer),
            false => list.llama_block(layer),
        }
    }
    list.norm(norm, "norm", shape.width);
    if !shape.tied {
        list.table("lm_head", "lm_head", vocabulary);
    }
    list.tensors
}

struct List<'a> {
    shape: &'a ModelConfig,
    tensors: Vec<FileTensor>,
}

impl List<'_> {
    fn gpt2_block(&mut self, layer: usize) {
        let s = self.shape;
        let (theirs, ours) = (format!("transformer.h.{layer}"), format!("layers.{layer}"));
        let names = ["q", "k", "v"].map(|name| format!("{ours}.attention.{name}"));
        self.norm(
            &format!("{theirs}.ln_1"),
            &format!("{ours}.input_norm"),
            s.width,
        );
        self.conv1d(&format!("{theirs}.attn.c_attn"), &names, s.width, s.width);
        let output = [format!("{ours}.attention.o")];
        self.conv1d(&format!("{theirs}.attn.c_proj"), &output, s.width, s.width);
        self.norm(
            &format!("{theirs}.ln_2"),
            &format!("{ours}.post_norm"),
            s.width,
        );
        let up = [format!("{ours}.mlp.up")];
        self.conv1d(&format!("{theirs}.mlp.c_fc"), &up, s.hidden, s.width);
        let down = [format!("{ours}.mlp.down")];
        self.conv1d(&format!("{theirs}.mlp.c_proj"), &down, s.width, s.hidden);
    }

    fn llama_block(&mut self, layer: usize) {
        let s = self.shape;
        let (theirs, ours) = (format!("model.layers.{layer}"), format!("layers.{layer}"));
        let queries = s.heads * s.head_size;
        let keys = s.kv_heads * s.head_size;
        let input_norm = format!("{theirs}.input_layernorm");
        self.norm(&input_norm, &format!("{ours}.input_norm"), s.width);
        for (name, rows, columns) in [
            ("q", queries, s.width),
            ("k", keys, s.width),
            ("v", keys, s.width),
            ("o", s.width, queries),
        ] {
            let theirs = format!("{theirs}.self_attn.{name}_proj");
            self.linear(&theirs, &format!("{ours}.attention.{name}"), rows, columns);
        }
        if s.qk_norm {
            for name in ["q_norm", "k_norm"] {
                let theirs = format!("{theirs}.self_attn.{name}");
                self.norm(&theirs, &format!("{ours}.attention.{name}"), s.head_size);
            }
        }
        let post_norm = format!("{theirs}.post_attention_layernorm");
        self.norm(&post_norm, &format!("{ours}.post_norm"), s.width);
        if s.mlp == Mlp::Swiglu {
            let theirs = format!("{theirs}.mlp.gate_proj");
            self.linear(&theirs, &format!("{ours}.mlp.gate"), s.hidden, s.width);
        }
        let (up, down) = (format!("{ours}.mlp.up"), format!("{ours}.mlp.down"));
        self.linear(&format!("{theirs}.mlp.up_proj"), &up, s.hidden, s.width);
        self.linear(&format!("{theirs}.mlp.down_proj"), &down, s.width, s.hidden);
    }

    /// A table of `rows` vectors of the model's width.
    fn table(&mut self, theirs: &str, ours: &str, rows: usize) {
        let part = part(format!("{ours}.weight"), rows, true);
        self.push(theirs, "weight", vec![part], Some(self.shape.width), false);
    }

    /// The file contains LayerNorm's bias even if the model has none.
    fn norm(&mut self, theirs: &str, ours: &str, size: usize) {
        let weight = part(format!("{ours}.weight"), size, true);
        self.push(theirs, "weight", vec![weight], None, false);
        if self.shape.norm == Norm::LayerNorm {
            let bias = part(format!("{ours}.bias"), size, self.shape.bias);
            self.push(theirs, "bias", vec![bias], None, false);
        }
    }

    /// `[rows, columns]`, and a bias only if the model has one.
    fn linear(&mut self, theirs: &str, ours: &str, rows: usize, columns: usize) {
        let weight = part(format!("{ours}.weight"), rows, true);
        self.push(theirs, "weight", vec![weight], Some(columns), false);
        if self.shape.bias {
            let bias = part(format!("{ours}.bias"), rows, true);
            self.push(theirs, "bias", vec![bias], None, false);
        }
    }

    /// GPT-2's linear layer: several of ours concatenated, transposed, and always with a bias.
    fn conv1d(&mut self, theirs: &str, ours: &[String], rows: usize, columns: usize) {
        let parts = |kind: &str, exists: bool| {
            let name = |ours: &String| part(format!("{ours}.{kind}"), rows, exists);
            ours.iter().map(name).collect()
        };
        self.push(theirs, "weight", parts("weight", true), Some(columns), true);
        self.push(theirs, "bias", parts("bias", self.shape.bias), None, false);
    }

    fn push(
        &mut self,
        theirs: &str,
        kind: &str,
        parts: Vec<Part>,
        columns: Option<usize>,
        transposed: bool,
    ) {
        self.tensors.push(FileTensor {
            name: format!("{theirs}.{kind}"),
            parts,
            columns,
            transposed,
        });
    }
}

fn part(name: String, rows: usize, exists: bool) -> Part {
    Part { name, rows, exists }
}
