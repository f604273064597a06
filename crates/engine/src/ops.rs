//! The list of operations. Adding one touches its own file and two lines here.

use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::op::Operation;
use crate::verify::Draw;

mod append;
mod attention;
mod cross_entropy;
mod dropout;
mod embedding;
mod gelu;
mod layer_norm;
mod linear;
mod mse;
mod residual;
mod rms_norm;
mod rope;
mod swiglu;

pub use attention::Heads;
pub use rope::Angles;

macro_rules! list {
    ($($module:ident::$Type:ident),* $(,)?) => {
        /// An operation of a graph.
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub enum Op { $($Type($module::$Type)),* }

        impl Op {
            /// The operation itself.
            pub fn get(&self) -> &dyn Operation {
                match self { $(Op::$Type(op) => op),* }
            }
        }

        /// Every operation's module with its builder of random examples.
        pub(crate) const EXAMPLES: &[(&str, Example)] =
            &[$((stringify!($module), $module::example)),*];
    };
}

/// Records an operation on made-up inputs of a random shape, and gives the output to check.
pub(crate) type Example = fn(&mut Graph, &mut Draw) -> Result<ValueId>;

list! {
    append::Append,
    attention::Attention,
    cross_entropy::CrossEntropy,
    dropout::Dropout,
    embedding::Embedding,
    gelu::Gelu,
    layer_norm::LayerNorm,
    linear::Linear,
    mse::Mse,
    residual::Residual,
    rms_norm::RmsNorm,
    rope::Rope,
    swiglu::Swiglu,
}
