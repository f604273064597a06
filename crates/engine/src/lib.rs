//! The heart of `downhill`: operations with their derivatives, the graph that records a model, the
//! plan that lays a whole training step out in time and memory, and the devices that run it. It
//! knows nothing of text, files or language models.
//!
//! Read in this order: `op` (what an operation is), `ops/rms_norm` (one of them), `ops/linear`
//! (the one that takes the time), `graph` (how a model is written down), `schedule` (in which
//! order a step runs), `plan` (where each value lives). Letters are the same everywhere: `B`
//! batch, `T` time, `C` channels, `H` heads, `K` key and value heads, `D` head size, `V`
//! vocabulary, `F` hidden size, `N` = B·T rows. Gradients are called `dx`, `dw`.
//!
//! Invariants: the same graph, weights and inputs give the same bits on the processor for any
//! number of threads and any instruction set; every f32 form is checked against an f64 form, and
//! that against central differences; a step that isn't finite is never applied.
//!
//! Mathematics (`op`, `rule`) and execution (`cpu`) are separate: an operation, a rule or a device
//! can be written outside this crate.

mod at;
mod cost;
pub mod cpu;
mod device;
mod draw;
mod error;
mod graph;
mod op;
mod ops;
mod plan;
mod precision;
mod random;
mod rule;
mod schedule;
pub mod tolerance;
mod update;
mod variable;
pub mod verify;
mod write;

pub use at::{At, Scalars};
pub use cost::{Cost, Pass, elementwise};
pub use cpu::gemm::{WeightForm, int8};
pub use cpu::machine::{Isa, cores, has_bf16, processor};
pub use cpu::team::Order;
pub use cpu::{Cpu, CpuSettings};
pub use device::null::{Totals, dry_run};
pub use device::reference::{Observer, Reference};
pub use device::{Device, Field, Host, HostMut, Ready};
pub use draw::{Draw, Example};
pub use error::{Error, Result};
pub use graph::{Graph, Node, NodeId, Origin, Value, ValueId};
pub use op::{BackwardF64, Element, ForwardF64, In, Operation, Outputs, Reads, Spec};
pub use ops::{Angles, Heads, Pages, Places, UNCOUNTED};
pub use plan::{Place, Plan};
pub use precision::Precision;
pub use random::{RandomPurpose, Stream};
pub use rule::{Rule, Setting, UpdateF64};
pub use schedule::{Item, Purpose, Work, micro_batch};
pub use update::{Adam, Assignment, Descent, Muon, Optimizer, Updates};
pub use variable::{Group, Init, Variable, VariableKind};
pub use write::Write;
