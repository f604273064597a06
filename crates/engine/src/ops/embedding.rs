//! A learned vector for each token: y = table[token].
//!
//! tokens [N], table [V, C] → y [N, C]. Backward: dtable[token] += dy, row by row; rows of tokens
//! that don't occur get 0.

use crate::at::At;
use crate::cost::{Cost, Pass, elementwise};
use crate::cpu::gemm::WeightForm;
use crate::cpu::kernel::{Backward, Forward, Kernel};
use crate::cpu::lanes::{LANES, band, lanes};
use crate::cpu::team::Team;
use crate::draw::Draw;
use crate::error::{Result, shape};
use crate::graph::{Graph, ValueId};
use crate::op::{BackwardF64, Element, ForwardF64, Operation, Outputs, Reads, Spec};
use crate::write::Write;

/// The operation; tokens [N], table [V, C] → y [N, C].
#[derive(Debug)]
pub struct Embedding {
    /// V.
    rows: usize,
    /// C.
    width: usize,
}

impl Graph {
    /// y = table[token].
    ///
    /// # Errors
    /// If `tokens` doesn't hold tokens.
    pub fn embedding(&mut self, tokens: ValueId, table: ValueId) -> Result<ValueId> {
        let Spec { rows, width, .. } = self.spec(table);
        Ok(self.push(Embedding { rows, width }, &[tokens, table])?[0])
    }
}

impl Operation for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn infer(&self, x: &[Spec]) -> Result<Outputs> {
        if x[0].element != Element::Tokens {
            return shape(self.name(), "the first input must hold tokens");
        }
        Ok(Outputs {
            y: vec![Spec::real(x[0].rows, x[1].width)],
            kept: vec![],
        })
    }

    fn reads(&self) -> Reads {
        Reads { x: &[0], y: &[] }
    }

    fn cost(&self, x: &[Spec], pass: Pass) -> Cost {
        let numbers = x[0].rows * x[1].width;
        match pass {
            Pass::Forward => elementwise(numbers, 0, 2),
            Pass::Backward => elementwise(numbers, 1, 3),
        }
    }

    fn forward_f64(&self, mut a: ForwardF64) {
        let (tokens, table) = (a.x[0].tokens(), a.x[1].real());
        for (y, &token) in a.y[0].chunks_mut(self.width).zip(tokens) {
            y.copy_from_slice(&table[token as usize * self.width..][..self.width]);
        }
    }

    fn backward_f64(&self, mut a: BackwardF64) {
        let Some(dtable) = &mut a.dx[1] else { return };
        for (dy, &token) in a.dy[0].chunks(self.width).zip(a.x[0].tokens()) {
            let row = &mut dtable[token as usize * self.width..][..self.width];
            row.iter_mut().zip(dy).for_each(|(d, dy)| *d += dy);
        }
    }
}

impl Embedding {
    /// Reads the rows of a table that is packed for the layer it is tied to.
    fn forward_packed(&self, a: &Forward, team: &Team) {
        let tokens = a.x[0].tokens();
        let table = a.x[1].packed(team.isa(), [self.rows, self.width]);
        team.each(a.y[0].bands(self.width, 1), |_, mut y, _| {
            table.row(tokens[y.first_row] as usize, y.slice());
        });
    }
}

impl Kernel for Embedding {
    fn reads_packed(&self, slot: usize) -> bool {
        slot == 1
    }

    fn forward(&self, a: &Forward, _: &At, team: &Team) {
        if a.x[1].form() != WeightForm::Rows {
            return self.forward_packed(a, team);
        }
        let (tokens, table) = (a.x[0].tokens(), a.x[1].real());
        team.each(a.y[0].bands(self.width, band(self.width)), |_, mut y, _| {
            for row in 0..y.rows {
                let token = tokens[y.first_row + row] as usize;
                y.row(row)
                    .copy_from_slice(&table[token * self.width..][..self.width]);
            }
        });
    }

    fn backward(&self, a: &Backward, _: &At, team: &Team) {
        let (tokens, dy) = (a.x[0].tokens(), a.dy[0].real());
        let Some((write, dtable)) = &a.dx[1] else {
            return;
        };
        // Strips of columns: each thread owns its columns for the whole vocabulary.
        team.each(dtable.strips(self.width, 2 * LANES), |_, mut d, _| {
            if *write == Write::Set {
                (0..d.rows).for_each(|row| d.row(row).fill(0.0));
            }
            let columns = d.first_column..d.first_column + d.columns;
            for (dy, &token) in dy.chunks(self.width).zip(tokens) {
                add(team.isa(), &dy[columns.clone()], d.row(token as usize));
            }
        });
    }
}

lanes! {
    /// y += x.
    fn add(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
            (Lanes::load(y, 0.0) + Lanes::load(x, 0.0)).store(y);
        }
    }
}

/// Random shapes; some tokens repeat and some don't occur.
pub(crate) fn example(g: &mut Graph, d: &mut Draw) -> Result<ValueId> {
    let (rows, vocabulary, width) = (d.size(12), d.size(9), d.size(70));
    let tokens = d.tokens(g, rows, vocabulary);
    let table = d.parameter(g, vocabulary, width);
    g.embedding(tokens, table)
}
