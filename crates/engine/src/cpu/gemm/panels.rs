//! An operand that many small products share: attention's keys and values.

use super::pack::{Left, Packer};
use super::{Arithmetic, ChainStart, Shape, View, tiles};
use crate::cpu::arena::Patch;
use crate::cpu::machine::Isa;
use crate::precision::Precision;

/// An operand B packed once for many small products in f32: attention's keys and values.
pub struct Panels<'a> {
    isa: Isa,
    packed: &'a [f32],
    depth: usize,
    columns: usize,
}

impl<'a> Panels<'a> {
    /// Length of a packed operand of this size, on any processor.
    pub fn room(depth: usize, columns: usize) -> usize {
        depth * columns.next_multiple_of(32)
    }

    /// Packs `b` into the start of `to`.
    pub fn pack(isa: Isa, b: View, to: &'a mut [f32]) -> Panels<'a> {
        let shape = Shape::of(Arithmetic {
            isa,
            precision: Precision::F32,
        });
        let form = shape.form;
        let to = &mut to[..Panels::room(b.rows, b.columns)];
        let (panels, missing) = to.split_at_mut(b.rows * b.columns.next_multiple_of(shape.columns));
        Packer { isa, form }.columns(b, shape.columns, panels, &mut []);
        missing.fill(0.0);
        Panels {
            isa,
            packed: to,
            depth: b.rows,
            columns: b.columns,
        }
    }

    /// C = A·B into `columns` columns of a slice with rows `stride` numbers apart, over the rows of
    /// B starting at `first`, as many as A has columns. Columns past those of B, up to the next
    /// multiple of 32, are 0.
    pub fn product_into(
        &self,
        a: View,
        first: usize,
        (c, stride, columns): (&mut [f32], usize, usize),
        start: ChainStart,
    ) {
        assert!(
            a.rows == 0 || c.len() >= (a.rows - 1) * stride + columns && columns <= stride,
            "result shorter than its shape"
        );
        // SAFETY: the bounds were just checked.
        unsafe { self.raw_product(a, first, (c.as_mut_ptr(), stride, columns), start) }
    }

    /// C = A·B into a tile as wide as B.
    pub fn product(&self, a: View, first: usize, c: &mut Patch, start: ChainStart) {
        assert!(
            c.rows == a.rows && c.columns == self.columns,
            "tile and operands differ"
        );
        // SAFETY: the patch owns `rows × columns` numbers at this stride.
        unsafe { self.raw_product(a, first, (c.pointer(), c.stride, c.columns), start) }
    }

    /// # Safety
    /// `c` must be valid for `a.rows` rows of `columns` numbers at `stride`.
    unsafe fn raw_product(
        &self,
        a: View,
        first: usize,
        (c, stride, columns): (*mut f32, usize, usize),
        start: ChainStart,
    ) {
        let shape = Shape::of(Arithmetic {
            isa: self.isa,
            precision: Precision::F32,
        });
        assert!(
            first + a.columns <= self.depth && columns <= self.columns.next_multiple_of(32),
            "operands don't match"
        );
        let size = (a.rows, columns, a.columns);
        let panels = &self.packed[first * shape.columns..];
        let b = (panels, self.depth * shape.columns);
        // SAFETY: the caller's obligation; every panel has the rows starting at `first`.
        unsafe {
            tiles(
                &shape,
                size,
                &Left::direct(a),
                b,
                (c, stride),
                start == ChainStart::Zero,
            )
        }
    }
}
