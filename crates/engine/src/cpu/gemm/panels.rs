//! An operand that many small products share: attention's keys and values.

use super::pack::{Form, Left, Packer};
use super::{Arithmetic, ChainStart, DEPTH, ROWS_AT_MOST, Shape, View, tiles};
use crate::cpu::arena::Patch;

/// An operand B packed once for many small products.
pub struct Panels<'a> {
    arithmetic: Arithmetic,
    packed: &'a [f32],
    depth: usize,
    columns: usize,
}

impl<'a> Panels<'a> {
    /// Length of a packed operand of this size, on any processor.
    pub fn room(depth: usize, columns: usize) -> usize {
        depth * columns.next_multiple_of(32)
    }

    /// Length of the memory that packing needs, besides the packed operand, for an operand of this
    /// depth that is contiguous in k.
    pub const fn spare(depth: usize) -> usize {
        32 * if depth < DEPTH { DEPTH } else { depth }
    }

    /// Length of the memory that a product of this depth needs.
    pub const fn left(depth: usize) -> usize {
        ROWS_AT_MOST * if depth < DEPTH { DEPTH } else { depth }
    }

    /// Packs `b` into the start of `to`.
    pub fn pack(
        arithmetic: Arithmetic,
        b: View,
        to: &'a mut [f32],
        spare: &mut [f32],
    ) -> Panels<'a> {
        let shape = Shape::of(arithmetic);
        let (isa, form) = (arithmetic.isa, shape.form);
        let to = &mut to[..Panels::room(b.rows, b.columns)];
        let length = form.units(b.rows) * b.columns.next_multiple_of(shape.columns);
        let (panels, missing) = to.split_at_mut(length);
        Packer { isa, form }.columns(b, shape.columns, panels, spare);
        missing.fill(0.0);
        Panels {
            arithmetic,
            packed: to,
            depth: b.rows,
            columns: b.columns,
        }
    }

    /// C = A·B into `columns` columns of a slice with rows `stride` numbers apart, over the rows of
    /// B starting at `first`, as many as A has columns. A has at most 12 rows. Columns past those
    /// of B, up to the next multiple of 32, are 0. `room` is memory for A in bf16.
    pub fn product_into(
        &self,
        a: View,
        first: usize,
        (c, stride, columns): (&mut [f32], usize, usize),
        start: ChainStart,
        room: &mut [f32],
    ) {
        assert!(
            a.rows == 0 || c.len() >= (a.rows - 1) * stride + columns && columns <= stride,
            "result shorter than its shape"
        );
        let c = (c.as_mut_ptr(), stride, columns);
        // SAFETY: the bounds were just checked.
        unsafe { self.raw_product(a, first, c, start, room) }
    }

    /// C = A·B into a tile as wide as B.
    pub fn product(
        &self,
        a: View,
        first: usize,
        c: &mut Patch,
        start: ChainStart,
        room: &mut [f32],
    ) {
        assert!(
            c.rows == a.rows && c.columns == self.columns,
            "tile and operands differ"
        );
        let to = (c.pointer(), c.stride, c.columns);
        // SAFETY: the patch owns `rows × columns` numbers at this stride.
        unsafe { self.raw_product(a, first, to, start, room) }
    }

    /// # Safety
    /// `c` must be valid for `a.rows` rows of `columns` numbers at `stride`.
    unsafe fn raw_product(
        &self,
        a: View,
        first: usize,
        (c, stride, columns): (*mut f32, usize, usize),
        start: ChainStart,
        room: &mut [f32],
    ) {
        let shape = Shape::of(self.arithmetic);
        let (isa, form) = (self.arithmetic.isa, shape.form);
        assert!(
            first + a.columns <= self.depth
                && columns <= self.columns.next_multiple_of(32)
                && first.is_multiple_of(form.numbers()),
            "operands don't match"
        );
        let left = match form {
            // In place, whatever the distance of its rows: a tile has few.
            Form::Plain => Left::direct(a),
            _ => Packer { isa, form }.rows(a, shape.rows(), room),
        };
        let size = (a.rows, columns, form.units(a.columns));
        let panels = &self.packed[form.units(first) * shape.columns..];
        let b = (panels, form.units(self.depth) * shape.columns);
        let zero = start == ChainStart::Zero;
        // SAFETY: the caller's obligation; every panel has the rows starting at `first`.
        unsafe { tiles(&shape, size, &left, b, (c, stride), zero) }
    }
}
