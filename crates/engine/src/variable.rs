//! Variables outlive every plan: parameters, fixed weights, and caches for generation.

/// How a parameter is initialized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
}

/// What a variable is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableKind {
    /// Learned by gradient descent.
    Parameter,
    /// A weight that stays as it is, such as a teacher's.
    Fixed,
    /// Keys or values of earlier positions, kept between runs of a plan.
    Cache,
}

/// The role of a parameter, which determines the optimizer's rule for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Weights of a hidden layer.
    Matrices,
    /// One vector per token or position.
    Embeddings,
    /// The layer that computes the logits, unless tied to the embedding.
    OutputHead,
    /// Norms and biases.
    Vectors,
}

/// One parameter, fixed weight or cache. It determines initialization, counting, the optimizer's
/// groups, checkpoints and names in files.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Name, unique in the model.
    pub name: String,
    /// Shape as in files; matrices are `[out, in]`.
    pub shape: Vec<usize>,
    /// How it is initialized.
    pub init: Init,
    /// Its role.
    pub group: Group,
    /// Parameter, fixed weight or cache.
    pub kind: VariableKind,
    /// Whether layers multiply by it, so that a device may store it packed.
    pub multiplied: bool,
}

impl Variable {
    /// A parameter, in [`Group::Matrices`] if the shape has two or more dimensions, else in
    /// [`Group::Vectors`].
    pub fn parameter(name: impl Into<String>, shape: &[usize], init: Init) -> Variable {
        Variable {
            name: name.into(),
            shape: shape.to_vec(),
            init,
            group: match shape.len() {
                0 | 1 => Group::Vectors,
                _ => Group::Matrices,
            },
            kind: VariableKind::Parameter,
            multiplied: false,
        }
    }

    /// The same parameter in another group.
    #[must_use]
    pub fn in_group(self, group: Group) -> Variable {
        Variable { group, ..self }
    }

    /// A cache of `rows × width` numbers, initially zero.
    pub fn cache(name: impl Into<String>, rows: usize, width: usize) -> Variable {
        Variable {
            kind: VariableKind::Cache,
            ..Variable::parameter(name, &[rows, width], Init::Zeros)
        }
    }

    /// The same parameter as a weight that stays as it is, under another name.
    #[must_use]
    pub fn fixed(self, name: String) -> Variable {
        let kind = VariableKind::Fixed;
        Variable { name, kind, ..self }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows and columns; a vector is one row.
    pub fn matrix(&self) -> [usize; 2] {
        let columns = self.shape.last().copied().unwrap_or(1);
        [self.len() / columns.max(1), columns]
    }

    /// Whether it is a weight, learned or fixed.
    pub fn is_weight(&self) -> bool {
        self.kind != VariableKind::Cache
    }

    /// Whether it is learned.
    pub fn is_parameter(&self) -> bool {
        self.kind == VariableKind::Parameter
    }
}
