//! The list of operations. Adding one touches its own file and two lines here.

use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::op::Operation;
use crate::verify::Draw;

mod linear;
mod mse;
mod rms_norm;

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
    linear::Linear,
    mse::Mse,
    rms_norm::RmsNorm,
}
