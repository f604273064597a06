//! The heart of `downhill`: operations with their derivatives, the graph that records a model, the
//! plan that lays a whole training step out in time and memory, and the devices that run it. It
//! knows nothing of text, files or language models.
//!
//! Read in this order: `op` (what an operation is), `ops/rms_norm` (one of them), `ops/linear`
//! (the one that takes the time), `graph` (how a model is written down), `schedule` (in which
//! order a step runs), `plan` (where each value lives). Letters are the same everywhere: `B`
//! batch, `T` time, `C` channels, `H` heads, `K` key and value heads, `D` head size, `V`
//! vocabulary, `F` hidden size, `N` = B·T rows. Gradients are called `dx`, `dw`.

mod arena;
pub mod device;
mod error;
pub mod functions;
mod gemm;
mod graph;
pub mod ladder;
mod lanes;
mod machine;
pub mod measure;
mod op;
mod ops;
mod plan;
mod random;
mod schedule;
mod team;
pub mod tolerance;
mod update;
pub mod verify;

pub use device::cpu::{Cpu, Settings};
pub use device::null::{Totals, dry_run};
pub use device::reference::{Observer, Reference};
pub use device::{Device, Host, HostMut, Part, Ready, Scalars};
pub use error::{Error, Result};
pub use gemm::Precision;
pub use graph::{Graph, Init, Node, NodeId, Row, RowKind, Source, Value, ValueId};
pub use machine::{Isa, cores, has_bf16, processor};
pub use op::{Cost, Kind, Spec, Write};
pub use ops::{Angles, Heads};
pub use plan::{Place, Plan};
pub use random::{Purpose as RandomPurpose, Stream};
pub use schedule::{Item, Purpose, Step, micro_batch};
pub use team::Order;
pub use update::{Optimiser, Rule};
