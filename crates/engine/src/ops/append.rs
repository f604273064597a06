//! Appends keys or values to a cache, so that generation computes each position once.
//!
//! A cache is one block of pages of `P` rows; each sequence owns some of the pages, in the order of
//! its positions. Row t of sequence s goes to position p = start[s] + t, which is row p mod P of
//! page table[s, ⌊p / P⌋]. Kwon et al., "Efficient memory management for large language model
//! serving with PagedAttention", SOSP 2023, section 4.1.
//!
//! It has no gradient: caches are for generation only.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::LANES;
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::variable::Variable;

/// How a cache is divided into pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pages {
    /// P: rows per page.
    pub rows: usize,
    /// Number of pages of the whole cache.
    pub count: usize,
    /// Maximum number of pages per sequence: columns of its table.
    pub each: usize,
}

impl Pages {
    /// Maximum number of positions of a sequence.
    pub fn capacity(&self) -> usize {
        self.rows * self.each
    }

    /// Row of the cache that holds a position of the sequence with this table.
    pub(crate) fn row(&self, table: &[u32], position: usize) -> usize {
        table[position / self.rows] as usize * self.rows + position % self.rows
    }
}

/// Positions of a step's sequences: the values that cached operations read.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// Number of positions of each sequence before this step: tokens [S].
    pub start: ValueId,
    /// The pages of each sequence: tokens [S·each].
    pub table: ValueId,
}

/// The operation; x [S·T, K·D], start [S], table [S·each] → cache [count·P, K·D].
#[derive(Debug)]
pub struct Append {
    pages: Pages,
    /// T.
    time: usize,
}

impl Graph {
    /// Appends `time` rows of `x` for each sequence to its pages of a cache, and returns the cache.
    /// The host must keep start + T within the pages that a sequence owns.
    ///
    /// # Errors
    /// If the shapes don't match.
    pub fn append(
        &mut self,
        x: ValueId,
        places: Places,
        name: &str,
        pages: Pages,
        time: usize,
    ) -> Result<ValueId> {
        let width = self.spec(x).width;
        let cache = self.variable(Variable::cache(name, pages.count * pages.rows, width));
        let inputs = [x, places.start, places.table];
        self.push_into(Append { pages, time }, &inputs, cache)?;
        Ok(cache)
    }
}

impl Append {
    /// Row of the cache for each row of x.
    fn rows<'a>(&'a self, start: &'a [u32], table: &'a [u32]) -> impl Iterator<Item = usize> + 'a {
        let sequences = start.iter().zip(table.chunks(self.pages.each));
        sequences.flat_map(move |(&start, table)| {
            (0..self.time).map(move |t| self.pages.row(table, start as usize + t))
        })
    }
}

/// Checks the shapes of the sequences' places.
pub(super) fn check_places(
    operation: &'static str,
    [x, start, table]: [Spec; 3],
    pages: Pages,
    time: usize,
) -> Result<()> {
    let tokens = [start, table].iter().all(|s| s.element == Element::Tokens);
    let sequences = start.rows;
    let fits = x.rows == sequences * time && table.rows == sequences * pages.each;
    if !tokens || !fits || time == 0 || time > pages.capacity() {
        return shape(
            operation,
            format!("{x:?}, {start:?}, {table:?} don't match {pages:?} and T = {time}"),
        );
    }
    Ok(())
}

impl Operation for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        check_places(self.name(), [x[0], x[1], x[2]], self.pages, self.time)?;
        Ok(Outputs {
            y: vec![],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[], y: &[] }
    }

    fn cost(&self, x: &[Spec], _: Pass) -> Cost {
        elementwise(x[0].len(), 0, 2)
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (x, start, table) = (a.x[0].real(), a.x[1].tokens(), a.x[2].tokens());
        let width = x.len() / (start.len() * self.time);
        for (x, row) in x.chunks(width).zip(self.rows(start, table)) {
            a.y[0][row * width..][..width].copy_from_slice(x);
        }
    }

    fn backward_f64(&self, _: BackwardF64) {}
}

impl Kernel for Append {
    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        let (x, start, table) = (a.x[0].real(), a.x[1].tokens(), a.x[2].tokens());
        let width = x.len() / (start.len() * self.time);
        // Strips of columns: each thread owns all rows of its columns.
        let strip = width.div_ceil(4).next_multiple_of(LANES);
        team.each(a.y[0].strips(width, strip), |_, mut cache, _| {
            let columns = cache.first_column..cache.first_column + cache.columns;
            for (x, row) in x.chunks(width).zip(self.rows(start, table)) {
                cache.row(row).copy_from_slice(&x[columns.clone()]);
            }
        });
    }

    fn backward(&self, _: &Backward, _: &At, _: &Team) {}
}

/// An append has no gradient to check: the example appends a value to a cache that nothing reads,
/// and checks the value itself.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, width) = (d.size(5), d.size(20));
    let (x, w) = (d.parameter(g, rows, width), d.parameter(g, width, width));
    let y = g.linear(x, w, None)?;
    let pages = Pages {
        rows: 2,
        count: 4,
        each: 3,
    };
    let places = Places {
        start: d.tokens_of(g, vec![1]),
        table: d.tokens_of(g, vec![3, 0, 2]),
    };
    g.append(y, places, "cache", pages, rows)?;
    Ok(y)
}
