//! Every tolerance of the project, in one place. Loosening one needs a reason in CHANGELOG.md; it
//! is never a way to make a test pass.

/// f64 backward pass of an operation against central differences in f64, relative to the norm.
pub const DIFFERENCES: f64 = 1e-7;

/// f32 path of an operation against the f64 reference on the same inputs, relative to the norm.
pub const FAST: f64 = 1e-5;

/// An operation whose products round their operands to bf16 (8 bits) against the f64 reference,
/// relative to the norm.
pub const ROUNDED: f64 = 1e-2;

/// Gradient of a whole model in f64 against central differences, relative to the norm.
pub const MODEL_DIFFERENCES: f64 = 1e-6;

/// Gradients and losses in f64 against PyTorch's, relative.
pub const GOLDEN: f64 = 1e-9;

/// Gradients and losses of the f32 path against PyTorch's in f64, relative.
pub const GOLDEN_FAST: f64 = 1e-4;

/// f32 path of a whole graph, many operations deep, against the f64 reference, relative to the
/// norm.
pub const GRAPH_FAST: f64 = 1e-4;

/// A gradient from several micro-batches against one from the whole batch, in f64, relative.
pub const MICRO_BATCHES: f64 = 1e-12;

/// Logits from the cache, token by token, against those of one pass, in f32, relative to the norm.
pub const CACHE: f64 = 1e-5;

/// Logits of a model whose weights are rounded to bf16, relative to the norm.
pub const BF16_WEIGHTS: f64 = 3e-2;

/// Logits of a model whose weights are rounded to 8 bits, relative to the norm.
pub const INT8_WEIGHTS: f64 = 5e-2;

/// exp, tanh and log on lanes against f64, in units in the last place.
pub const FUNCTION_ULP: f64 = 2.0;
