//! Where are weights, gradients, optimizer state and caches stored? In arenas that outlive every
//! plan. Parameters that are updated together are contiguous; gradients have the same layout.

use super::arena::{Arena, Out, Read};
use super::copy;
use super::flat::blocks;
use super::gemm::{Packed, WeightForm, pack_weight, packed_room};
use super::machine::Isa;
use crate::device::{Field, Host, fits};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::plan::ALIGN;
use crate::update::Optimizer;
use crate::variable::Variable;
use std::borrow::Cow;
use std::ops::Range;

/// A parameter with its places.
struct Placed {
    variable: Variable,
    /// Offset of its weights, and of its gradient.
    offset: usize,
    /// How its weights are stored, and their length in that form.
    form: WeightForm,
    length: usize,
    /// Its ranges in the optimizer's state.
    states: Vec<Range<usize>>,
}

/// The variables, which outlive every plan.
pub struct Store {
    isa: Isa,
    placed: Vec<Placed>,
    weights: Arena,
    gradients: Arena,
    states: Arena,
    caches: Vec<(String, Arena)>,
    /// One number per block of the gradient, then the norm itself.
    norms: Arena,
}

/// The places of variables that are updated together.
pub struct Together {
    /// Weights.
    pub w: Out,
    /// Their gradients.
    pub g: Read,
    /// The rule's states.
    pub states: Vec<Out>,
}

impl Store {
    /// Allocates these variables, and in training their gradients and the optimizer's state.
    /// Matrices that layers multiply by are stored in the given form.
    pub fn new(
        variables: &[Variable],
        optimizer: Option<&Optimizer>,
        (isa, form): (Isa, WeightForm),
    ) -> Result<Store> {
        let updates = optimizer.map_or(Vec::new(), |o| o.updates(variables));
        let mut placed: Vec<Placed> = Vec::new();
        let (mut end, mut states_end) = (0usize, 0usize);
        let mut place = |variable: &Variable| {
            let offset = end;
            let form = match variable.multiplied {
                true => form,
                false => WeightForm::Rows,
            };
            let length = packed_room(isa, form, variable.matrix());
            end += length.next_multiple_of(ALIGN);
            let (variable, states) = (variable.clone(), Vec::new());
            Placed {
                variable,
                offset,
                form,
                length,
                states,
            }
        };
        for update in &updates {
            let first = placed.len();
            placed.extend(update.variables.iter().map(|&v| place(&variables[v])));
            // State by state, so that each has the layout of the weights.
            let lengths = |p: &Placed| optimizer.map_or(Vec::new(), |o| o.states(&p.variable));
            let count = placed[first..].iter().map(|p| lengths(p).len()).max();
            for state in 0..count.unwrap_or(0) {
                for p in &mut placed[first..] {
                    let len = lengths(p)[state];
                    p.states.push(states_end..states_end + len);
                    states_end += len.next_multiple_of(ALIGN);
                }
            }
        }
        let moves = |v: &usize| updates.iter().any(|u| u.variables.contains(v));
        let rest = (0..variables.len()).filter(|v| !moves(v) && variables[*v].is_weight());
        placed.extend(rest.map(|v| place(&variables[v])));
        let trained = if optimizer.is_some() { end } else { 0 };
        Ok(Store {
            isa,
            placed,
            weights: Arena::new(end)?,
            gradients: Arena::new(trained)?,
            states: Arena::new(states_end)?,
            caches: Vec::new(),
            norms: Arena::new(blocks(trained).next_multiple_of(ALIGN) + 1)?,
        })
    }

    /// Total bytes.
    pub fn bytes(&self) -> u64 {
        let caches = self.caches.iter().map(|(_, arena)| arena.len());
        let own = [&self.weights, &self.gradients, &self.states].map(Arena::len);
        4 * own.into_iter().chain(caches).sum::<usize>() as u64
    }

    /// Bytes of the matrices that layers multiply by.
    pub fn multiplied_bytes(&self) -> u64 {
        let own = self.placed.iter().filter(|p| p.variable.multiplied);
        4 * own.map(|p| p.length as u64).sum::<u64>()
    }

    fn find(&self, name: &str) -> Result<&Placed> {
        let found = self.placed.iter().find(|p| p.variable.name == name);
        found.ok_or_else(|| Error::Parameter(name.to_owned()))
    }

    /// Checks that the store has every variable of a graph; creates its caches.
    pub fn admit(&mut self, graph: &Graph) -> Result<()> {
        for variable in &graph.variables {
            let (name, len) = (&variable.name, variable.len());
            if variable.is_weight() {
                fits(name, self.find(name)?.variable.len(), len)?;
            } else if let Some((_, arena)) = self.caches.iter().find(|(known, _)| known == name) {
                fits(name, arena.len(), len)?;
            } else {
                self.caches.push((name.clone(), Arena::new(len)?));
            }
        }
        Ok(())
    }

    fn cache(&self, name: &str) -> Option<&Arena> {
        let found = self.caches.iter().find(|(known, _)| known == name);
        found.map(|(_, arena)| arena)
    }

    /// A variable's content, readable.
    pub fn read(&self, variable: &Variable) -> Result<Read> {
        if let Some(arena) = self.cache(&variable.name) {
            return Ok(arena.read(0, arena.len()));
        }
        let p = self.find(&variable.name)?;
        Ok(self.weights.read(p.offset, p.length).in_form(p.form))
    }

    /// A cache, writable.
    pub fn write_cache(&self, variable: &Variable) -> Result<Out> {
        let arena = self.cache(&variable.name);
        let arena = arena.ok_or_else(|| Error::Parameter(variable.name.clone()))?;
        Ok(arena.out(0, arena.len()))
    }

    /// A parameter's gradient, writable.
    pub fn gradient(&self, variable: &Variable) -> Result<Out> {
        let p = self.find(&variable.name)?;
        Ok(self.gradients.out(p.offset, p.variable.len()))
    }

    /// The places of variables that are updated together, which are contiguous.
    pub fn together(&self, names: &[&str]) -> Result<Together> {
        let placed = names.iter().map(|name| self.find(name));
        let placed: Vec<&Placed> = placed.collect::<Result<_>>()?;
        let (Some(first), Some(last)) = (placed.first(), placed.last()) else {
            return Err(Error::Parameter("(an empty update)".into()));
        };
        // Padding between them holds zeros, which every flat rule leaves unchanged.
        let len = last.offset + last.variable.len() - first.offset;
        let states = first.states.iter().zip(&last.states);
        let state = |(from, to): (&Range<usize>, &Range<usize>)| {
            self.states.out(from.start, to.end - from.start)
        };
        Ok(Together {
            w: self.weights.out(first.offset, len),
            g: self.gradients.read(first.offset, len),
            states: states.map(state).collect(),
        })
    }

    /// All gradients; each block's partial sum of the norm; and the norm.
    pub fn norm(&self) -> (Read, Out, Out) {
        let len = self.gradients.len();
        let (blocks, at) = (blocks(len), self.norm_at());
        let all = self.gradients.read(0, len);
        (all, self.norms.out(0, blocks), self.norms.out(at, 1))
    }

    fn norm_at(&self) -> usize {
        blocks(self.gradients.len()).next_multiple_of(ALIGN)
    }

    /// The last norm, readable while a step runs.
    pub fn norm_read(&self) -> Read {
        self.norms.read(self.norm_at(), 1)
    }

    /// The numbers of a variable; those of a packed weight as they were rounded.
    pub fn numbers(&self, name: &str, field: Field) -> Result<Cow<'_, [f32]>> {
        let (arena, range) = self.place(name, field)?;
        let numbers = arena.slice(range.start, range.len());
        let p = self.find(name)?;
        if field != Field::Weight || p.form == WeightForm::Rows {
            return Ok(numbers.into());
        }
        let shape = p.variable.matrix();
        let packed = Packed::new(self.isa, p.form, numbers, shape);
        let mut all = vec![0.0; p.variable.len()];
        for (row, to) in all.chunks_mut(shape[1]).enumerate() {
            packed.row(row, to);
        }
        Ok(all.into())
    }

    /// Writes the numbers of a variable.
    pub fn write(&mut self, name: &str, field: Field, host: Host) -> Result<()> {
        let (isa, range) = (self.isa, self.place(name, field)?.1);
        let p = self.find(name)?;
        let (form, shape) = (p.form, p.variable.matrix());
        let arena = match field {
            Field::Weight => &mut self.weights,
            Field::Gradient => &mut self.gradients,
            Field::State(_) => &mut self.states,
        };
        let numbers = arena.slice_mut(range.start, range.len());
        if field != Field::Weight || form == WeightForm::Rows {
            fits(name, numbers.len(), host.len())?;
            copy(numbers, host, 0);
            return Ok(());
        }
        fits(name, shape[0] * shape[1], host.len())?;
        let mut rows = vec![0.0; host.len()];
        copy(&mut rows, host, 0);
        let name = || name.to_owned();
        pack_weight(isa, form, &rows, shape, numbers).map_err(|value| Error::TooLarge {
            name: name(),
            value,
        })
    }

    fn place(&self, name: &str, field: Field) -> Result<(&Arena, Range<usize>)> {
        let missing = || Error::Parameter(name.to_owned());
        let p = self.find(name)?;
        let own = p.offset..p.offset + p.length;
        match field {
            Field::Weight => Ok((&self.weights, own)),
            Field::Gradient if self.gradients.len() == 0 => Err(missing()),
            Field::Gradient => Ok((&self.gradients, own)),
            Field::State(i) => Ok((&self.states, p.states.get(i).ok_or_else(missing)?.clone())),
        }
    }
}
