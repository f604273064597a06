//! The list of operations. Adding one takes its own file and two lines here.

use crate::cpu::kernel::{FindKernel, kernel};
use crate::draw::Example;

mod append;
mod attention;
mod cross_entropy;
mod distillation;
mod dropout;
mod embedding;
mod gelu;
mod layer_norm;
mod linear;
mod mixture;
mod mse;
mod residual;
mod rms_norm;
mod rope;
mod swiglu;

pub use append::{Pages, Places};
pub use attention::Heads;
pub use cross_entropy::UNCOUNTED;
pub use rope::Angles;

macro_rules! list {
    ($($module:ident::$Type:ident),* $(,)?) => {
        /// Every operation's module with its builder of random examples, for `verify`.
        pub(crate) const EXAMPLES: &[(&str, Example)] =
            &[$((stringify!($module), $module::example)),*];

        /// Every operation's kernel, for the processor.
        pub(crate) const KERNELS: &[FindKernel] = &[$(kernel::<$module::$Type>),*];
    };
}

list! {
    append::Append,
    attention::Attention,
    cross_entropy::CrossEntropy,
    distillation::Distillation,
    dropout::Dropout,
    embedding::Embedding,
    gelu::Gelu,
    layer_norm::LayerNorm,
    linear::Linear,
    mixture::Mixture,
    mse::Mse,
    residual::Residual,
    rms_norm::RmsNorm,
    rope::Rope,
    swiglu::Swiglu,
}
