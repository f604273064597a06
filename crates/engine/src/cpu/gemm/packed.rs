//! How are the weights of a trained model stored, so that generation reads each of them once, in
//! order? Packed once, as the kernels read them, in one of three forms.
//!
//! A product over few rows takes the time of reading the weights from memory. Packed as f32 or bf16
//! it gives the same bits as the product of [`super::product`]: the chains are the same.

use super::int8;
use super::pack::{Form, Packer};
use super::{Arithmetic, ChainStart, DEPTH, ROWS_AT_MOST, Shape, View, tiles};
use crate::cpu::arena::{Patch, Read};
use crate::cpu::machine::Isa;
use crate::precision::Precision;
use crate::weight_form::WeightForm;

/// Arithmetic of products with weights that aren't 8-bit.
fn arithmetic(form: WeightForm, isa: Isa) -> Arithmetic {
    let precision = match form {
        WeightForm::Bf16 => Precision::Bf16,
        _ => Precision::F32,
    };
    Arithmetic { isa, precision }
}

/// A packed weight [out, in].
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    isa: Isa,
    form: WeightForm,
    units: &'a [f32],
    out: usize,
    inner: usize,
}

/// Length in units of 4 bytes of a weight [out, in] in a form.
pub fn room(isa: Isa, form: WeightForm, [out, inner]: [usize; 2]) -> usize {
    match form {
        WeightForm::Rows => out * inner,
        WeightForm::Int8 => int8::room([out, inner]),
        _ => {
            let shape = Shape::of(arithmetic(form, isa));
            out.next_multiple_of(shape.columns) * shape.form.units(inner)
        }
    }
}

/// Packs a weight w [out, in] into `to`, which has the length that [`room`] returns.
///
/// # Errors
/// The first number that is too large for the form.
pub fn pack(
    isa: Isa,
    form: WeightForm,
    w: &[f32],
    [out, inner]: [usize; 2],
    to: &mut [f32],
) -> Result<(), f32> {
    match form {
        WeightForm::Rows => to.copy_from_slice(w),
        WeightForm::Int8 => return int8::pack(w, inner, to),
        _ => {
            let shape = Shape::of(arithmetic(form, isa));
            let mut spare = vec![0.0; shape.columns * shape.form.units(inner).max(DEPTH)];
            let form = shape.form;
            let w = View::new(w, out, inner, inner).transposed();
            Packer { isa, form }.columns(w, shape.columns, to, &mut spare);
        }
    }
    Ok(())
}

impl<'a> Packed<'a> {
    /// A weight [out, in] as a kernel reads it.
    pub fn of(isa: Isa, w: &'a Read, shape: [usize; 2]) -> Packed<'a> {
        Packed::new(isa, w.form(), w.units(), shape)
    }

    /// A weight [out, in] that was packed for this instruction set.
    pub fn new(
        isa: Isa,
        form: WeightForm,
        units: &'a [f32],
        [out, inner]: [usize; 2],
    ) -> Packed<'a> {
        assert!(
            form != WeightForm::Rows && units.len() == room(isa, form, [out, inner]),
            "not a packed weight of this shape"
        );
        Packed {
            isa,
            form,
            units,
            out,
            inner,
        }
    }

    /// y = x·wᵀ, or y += x·wᵀ, for the rows and columns of a tile of y.
    pub fn product(&self, x: View, y: &mut Patch, start: ChainStart, scratch: &mut [f32]) {
        assert!(
            x.columns == self.inner
                && x.rows == y.rows
                && y.first_column + y.columns <= self.out
                && y.first_column.is_multiple_of(int8::COLUMNS),
            "tile and operands differ"
        );
        if self.form == WeightForm::Int8 {
            return int8::product(self.isa, x, self.units, y, start, scratch);
        }
        let shape = Shape::of(arithmetic(self.form, self.isa));
        let (isa, form) = (self.isa, shape.form);
        let numbers = form.numbers();
        let panel = shape.columns * form.units(self.inner);
        let own = &self.units[y.first_column / shape.columns * panel..];
        let skip = scratch.as_ptr().align_offset(64).min(scratch.len());
        let room = &mut scratch[skip..];
        // Few rows are multiplied by whole panels, so that the weights are read in order.
        let band = x.rows.next_multiple_of(ROWS_AT_MOST).min(BAND);
        let depth = room.len() / band / DEPTH * DEPTH * numbers;
        let depth = if x.rows <= ROWS_AT_MOST {
            depth
        } else {
            DEPTH * numbers
        };
        for from in (0..self.inner).step_by(depth) {
            let count = depth.min(self.inner - from);
            let zero = start == ChainStart::Zero && from == 0;
            for top in (0..x.rows).step_by(band) {
                let height = band.min(x.rows - top);
                let block = x.rows(top, height).columns(from, count);
                let left = Packer { isa, form }.rows(block, shape.rows(), room);
                let size = (height, y.columns, form.units(count));
                let b = (&own[form.units(from) * shape.columns..], panel);
                let (c, stride) = (y.pointer(), y.stride);
                // SAFETY: the block's rows lie inside the tile of y, which is exclusively ours; the
                // packed operands hold whole register tiles of this depth.
                unsafe { tiles(&shape, size, &left, b, (c.add(top * stride), stride), zero) };
            }
        }
    }

    /// Row `row` of the weight, as it was rounded.
    pub fn row(&self, row: usize, to: &mut [f32]) {
        assert!(
            row < self.out && to.len() == self.inner,
            "row outside the weight"
        );
        if self.form == WeightForm::Int8 {
            return int8::row(self.units, self.inner, row, to);
        }
        let shape = Shape::of(arithmetic(self.form, self.isa));
        let depth = shape.form.units(self.inner);
        let panel = &self.units[row / shape.columns * shape.columns * depth..];
        let column = row % shape.columns;
        for (k, to) in to.iter_mut().enumerate() {
            let unit = |k: usize| panel[k * shape.columns + column];
            *to = match shape.form {
                Form::Pairs => {
                    let pair = unit(k / 2).to_bits();
                    f32::from_bits(if k % 2 == 0 {
                        pair & 0xFFFF_0000
                    } else {
                        pair << 16
                    })
                }
                _ => unit(k),
            };
        }
    }
}

/// Maximum rows of x that are packed together.
const BAND: usize = 192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::arena::Arena;
    use crate::cpu::gemm::product;
    use crate::cpu::team::{Order, SCRATCH, Workers};
    use crate::random::{RandomPurpose, Stream};

    /// Products by packed weights, in tiles, by one thread.
    fn multiply(
        isa: Isa,
        (x, n): (&[f32], usize),
        [out, inner]: [usize; 2],
        begin: f32,
        by: impl Fn(View, &mut Patch, &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let mut arena = Arena::new(n * out).unwrap();
        arena.slice_mut(0, n * out).fill(begin);
        let y = arena.out(0, n * out);
        let x = View::new(x, n, inner, inner);
        Workers::new(1, isa, Order::Rising)
            .run(&|team| {
                team.each(y.grid(out, 13, 256), |_, mut y, scratch| {
                    by(x.rows(y.first_row, y.rows), &mut y, scratch);
                });
            })
            .unwrap();
        arena.slice(0, n * out).to_vec()
    }

    const SIZES: [(usize, usize, usize); 7] = [
        (1, 1, 1),
        (1, 97, 300),
        (1, 300, 70),
        (5, 64, 33),
        (29, 70, 513),
        (2, 33, 1027),
        (200, 40, 64),
    ];

    #[test]
    fn packed_weights_give_the_bits_of_plain_products() {
        let mut s = Stream::new(3, RandomPurpose::Check, 0);
        for (n, out, inner) in SIZES {
            let mut draw =
                |len: usize| -> Vec<f32> { (0..len).map(|_| s.normal() as f32).collect() };
            let (x, w) = (draw(n * inner), draw(out * inner));
            for isa in Isa::available() {
                for form in [WeightForm::F32, WeightForm::Bf16] {
                    let plain = arithmetic(form, isa);
                    let mut units = vec![f32::NAN; room(isa, form, [out, inner])];
                    pack(isa, form, &w, [out, inner], &mut units).unwrap();
                    let packed = Packed::new(isa, form, &units, [out, inner]);
                    for (start, begin) in [(ChainStart::Zero, f32::NAN), (ChainStart::Held, 0.5)] {
                        let found = multiply(isa, (&x, n), [out, inner], begin, |x, y, scratch| {
                            packed.product(x, y, start, scratch);
                        });
                        let w = View::new(&w, out, inner, inner).transposed();
                        let expected =
                            multiply(isa, (&x, n), [out, inner], begin, |x, y, scratch| {
                                let w = w.columns(y.first_column, y.columns);
                                product(plain, x, w, y, start, scratch);
                            });
                        assert_eq!(
                            found, expected,
                            "{isa:?} {form:?} {n}×{out}×{inner} {start:?}"
                        );
                    }
                    let mut row = vec![0.0; inner];
                    for (r, w) in w.chunks(inner).enumerate() {
                        packed.row(r, &mut row);
                        let near = |(a, b): (&f32, &f32)| match form {
                            WeightForm::F32 => a == b,
                            _ => (a - b).abs() <= b.abs() / 256.0,
                        };
                        assert!(row.iter().zip(w).all(near), "{isa:?} {form:?} row {r}");
                    }
                }
            }
        }
        assert_eq!(SCRATCH % 64, 0);
    }

    /// 8-bit products are the exact sums of each block's integers, scaled, in the order of blocks;
    /// the same bits everywhere.
    #[test]
    fn eight_bit_products_are_the_same_everywhere_and_near_the_exact_ones() {
        let mut s = Stream::new(4, RandomPurpose::Check, 0);
        for (n, out, inner) in SIZES {
            let mut draw =
                |len: usize| -> Vec<f32> { (0..len).map(|_| s.normal() as f32).collect() };
            let (x, mut w) = (draw(n * inner), draw(out * inner));
            w[..inner.min(40)].fill(0.0);
            let mut units = vec![f32::NAN; int8::room([out, inner])];
            int8::pack(&w, inner, &mut units).unwrap();
            let (mut rows, mut row) = (Vec::new(), vec![0.0; inner]);
            for isa in Isa::available() {
                let packed = Packed::new(isa, WeightForm::Int8, &units, [out, inner]);
                rows.clear();
                for r in 0..out {
                    packed.row(r, &mut row);
                    rows.extend_from_slice(&row);
                }
                for (rounded, w) in rows.chunks(inner).zip(w.chunks(inner)) {
                    for (rounded, w) in rounded.chunks(32).zip(w.chunks(32)) {
                        let most = w.iter().fold(0.0f32, |most, w| most.max(w.abs()));
                        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= most / 127.0 * 0.57;
                        assert!(rounded.iter().zip(w).all(near), "{isa:?} {out}×{inner}");
                    }
                }
                let found = multiply(isa, (&x, n), [out, inner], 0.25, |x, y, scratch| {
                    packed.product(x, y, ChainStart::Held, scratch);
                });
                let exact = int8::tests::exact(&x, &w, [out, inner], 0.25);
                assert_eq!(found, exact, "{isa:?} {n}×{out}×{inner}");
            }
        }
    }
}
