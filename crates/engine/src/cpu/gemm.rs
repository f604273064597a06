//! C = A·B or C += A·B: how is one tile of a matrix product computed fast, with the same bits
//! everywhere?
//!
//! Each element of C is one chain of fused multiply-adds over k in ascending order, starting from
//! C's value (or 0). Blocking over k preserves the chain, since f32 numbers pass through memory
//! unchanged; so tile sizes and vector width can't change a bit.
//!
//! For bf16 products, both operands are rounded to bf16 while they are packed, in pairs adjacent in
//! k; the chain is the same, over the rounded numbers, in f32. `vdpbf16ps` does two links of it at
//! once, the upper half of a pair first, so the lower k goes there. Processors without that
//! instruction run the rounded numbers through the f32 kernels: the same bits (except for numbers
//! below 2⁻¹²⁶, which the instruction flushes to 0).
//!
//! The structure is that of Goto and van de Geijn, "Anatomy of high-performance matrix
//! multiplication", 2008: a block of A and a panel of B are packed so that the innermost kernel,
//! which holds a small tile of C in registers, reads both in order.

mod cut;
pub mod int8;
mod kernel_portable;
#[cfg(target_arch = "x86_64")]
mod kernel_x86;
mod pack;
mod packed;
mod pairs;
mod panels;
mod prefetch;

pub use cut::{Shared, TOGETHER, Whole, cut, cut_few_rows, cut_together};
pub use packed::Packed;
pub(crate) use packed::{pack as pack_weight, room as packed_room};
pub use panels::Panels;
pub(crate) use prefetch::prefetch_early;

use crate::cpu::arena::Patch;
use crate::cpu::machine::{Isa, Level, has_bf16};
use crate::precision::Precision;
use pack::{Form, Left};

/// Depth of a block: how much of k is packed at once, in numbers or in pairs.
const DEPTH: usize = 256;

/// Instruction set and precision of a product.
#[derive(Debug, Clone, Copy)]
pub struct Arithmetic {
    /// Instruction set of the kernel.
    pub isa: Isa,
    /// Precision of the operands.
    pub precision: Precision,
}

/// A matrix operand: a slice viewed as `rows × columns`; one of its strides is 1.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// `rows × columns` numbers in row-major order, with `stride` numbers from one row to the next.
    pub fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> View<'a> {
        let needed = if rows == 0 {
            0
        } else {
            (rows - 1) * stride + columns
        };
        assert!(
            data.len() >= needed && columns <= stride.max(1),
            "operand shorter than its shape"
        );
        View {
            data,
            rows,
            columns,
            row_stride: stride,
            column_stride: 1,
        }
    }

    /// The transpose: the same numbers, not moved.
    pub fn transposed(self) -> View<'a> {
        View {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// `count` rows, starting at `first`.
    pub fn rows(self, first: usize, count: usize) -> View<'a> {
        assert!(first + count <= self.rows, "rows outside the operand");
        View {
            data: self.data.get(first * self.row_stride..).unwrap_or_default(),
            rows: count,
            ..self
        }
    }

    /// One row, which must be contiguous.
    pub fn line(self, row: usize) -> &'a [f32] {
        assert!(self.column_stride == 1, "a row is not contiguous");
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// `count` columns, starting at `first`.
    pub fn columns(self, first: usize, count: usize) -> View<'a> {
        self.transposed().rows(first, count).transposed()
    }
}

/// What a chain starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainStart {
    /// From 0: C is overwritten.
    Zero,
    /// From C's value.
    Held,
}

/// The innermost kernel: a tile of C in registers.
///
/// Arguments: depth; A with its stride, from row to row if it is read by rows, else from one k to
/// the next; packed B; C with its row stride; whether to start from 0. `b` holds `depth` whole rows
/// of a panel, `a` the tile's rows, and `c` is valid for a whole tile.
type Kernel = unsafe fn(usize, (*const f32, usize), *const f32, *mut f32, usize, bool);

/// The kernel for one row of A and [`PANELS_ABREAST`] panels of B, whose time is that of reading B
/// from memory: a processor reads several streams at once faster than one.
///
/// Arguments: depth; A's row; packed B with the distance between its panels; C; whether to start
/// from 0.
type Abreast = unsafe fn(usize, *const f32, (*const f32, usize), *mut f32, bool);

/// Panels of B that one row of A is multiplied by at once.
const PANELS_ABREAST: usize = 4;

/// Rows of the largest register tile.
const ROWS_AT_MOST: usize = 12;

/// What depends on instruction set and precision.
struct Shape {
    /// Columns of the register tile, and of a packed panel.
    columns: usize,
    /// Format of packed operands.
    form: Form,
    /// Kernels for tiles of 1, 2, … rows, reading A row by row.
    by_rows: &'static [Kernel],
    /// The same, reading A column by column.
    by_columns: &'static [Kernel],
    /// The kernel for one row and several panels.
    abreast: Option<Abreast>,
}

macro_rules! shape {
    ($kernel:path, $form:expr) => {{
        use $kernel as kernel;
        Shape {
            columns: kernel::COLUMNS,
            form: $form,
            by_rows: kernel::BY_ROWS,
            by_columns: kernel::BY_COLUMNS,
            abreast: kernel::ABREAST,
        }
    }};
}

impl Shape {
    /// Rows of the register tile.
    fn rows(&self) -> usize {
        self.by_rows.len()
    }

    fn of(arithmetic: Arithmetic) -> Shape {
        let form = match arithmetic.precision {
            Precision::F32 => Form::Plain,
            Precision::Bf16 => Form::Rounded,
        };
        match arithmetic.isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if form == Form::Rounded && has_bf16() => {
                shape!(kernel_x86::avx512_bf16, Form::Pairs)
            }
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => shape!(kernel_x86::avx512, form),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => shape!(kernel_x86::avx2, form),
            _ => shape!(kernel_portable, form),
        }
    }
}

/// Largest register tile of any kernel, for the ragged edge.
const EDGE: usize = ROWS_AT_MOST * 32;

/// One tile of C = A·B: `a` has the tile's rows, `b` its columns.
pub fn product(
    arithmetic: Arithmetic,
    a: View,
    b: View,
    c: &mut Patch,
    start: ChainStart,
    scratch: &mut [f32],
) {
    let c = c.band(0, c.rows);
    let mut one = [Some((a, b, c)), None, None];
    products(arithmetic, Shared::Left, &mut one, start, scratch);
}

/// One tile of each of several products that share an operand, which is packed once.
pub fn products(
    arithmetic: Arithmetic,
    shared: Shared,
    parts: &mut [Option<(View, View, Patch)>; TOGETHER],
    start: ChainStart,
    scratch: &mut [f32],
) {
    let mut raw = [None; TOGETHER];
    for (raw, (a, b, c)) in raw.iter_mut().zip(parts.iter_mut().flatten()) {
        assert!(
            c.rows == a.rows && c.columns == b.columns,
            "tile and operands differ"
        );
        *raw = Some((*a, *b, c.pointer(), c.stride));
    }
    // SAFETY: each patch owns `rows × columns` numbers at its stride.
    unsafe { raw_products(arithmetic, shared, &raw, start, scratch) }
}

/// A, B, and C with its stride.
type Raw<'a> = (View<'a>, View<'a>, *mut f32, usize);

/// # Safety
/// Each C must be valid for the rows of its A and the columns of its B, at its stride.
unsafe fn raw_products(
    arithmetic: Arithmetic,
    shared: Shared,
    parts: &[Option<Raw>; TOGETHER],
    start: ChainStart,
    scratch: &mut [f32],
) {
    let parts = || parts.iter().flatten().copied();
    let Some((first, ..)) = parts().next() else {
        return;
    };
    let (k, shape) = (first.columns, Shape::of(arithmetic));
    for (a, b, c, stride) in parts() {
        assert!(a.columns == k && b.rows == k, "inner dimensions differ");
        if k == 0 && start == ChainStart::Zero {
            for row in 0..a.rows {
                // SAFETY: a row of the result.
                unsafe { std::slice::from_raw_parts_mut(c.add(row * stride), b.columns) }.fill(0.0);
            }
        }
    }
    // Align the kernel's loads to cache lines.
    let skip = scratch.as_ptr().align_offset(64).min(scratch.len());
    let tallest = parts().map(|(a, ..)| a.rows).max().unwrap_or(0);
    let band = tallest.next_multiple_of(ROWS_AT_MOST).min(192);
    let block = DEPTH * shape.form.numbers();
    let (pack_a, rest) = scratch[skip..].split_at_mut(band * DEPTH);
    let pack = pack::Packer {
        isa: arithmetic.isa,
        form: shape.form,
    };
    // If A is shared, its tiles are multiplied by the columns of every part, else only of its own.
    let (lefts, rights) = match shared {
        Shared::Left => (1, TOGETHER),
        Shared::Right => (TOGETHER, 1),
    };
    for from in (0..k).step_by(block) {
        let depth = block.min(k - from);
        let units = shape.form.units(depth);
        let zero = start == ChainStart::Zero && from == 0;
        let mut packed: [&[f32]; TOGETHER] = [&[]; TOGETHER];
        let mut room = &mut *rest;
        for (to, (_, b, ..)) in packed.iter_mut().zip(parts()).take(rights) {
            let size = b.columns.next_multiple_of(shape.columns) * units;
            let (own, spare) = room.split_at_mut(size);
            pack.columns(b.rows(from, depth), shape.columns, own, spare);
            (*to, room) = (own, spare);
        }
        for (l, (a, ..)) in parts().enumerate().take(lefts) {
            for top in (0..a.rows).step_by(band) {
                let height = band.min(a.rows - top);
                let block = a.rows(top, height).columns(from, depth);
                let left = pack.rows(block, shape.rows(), pack_a);
                let own = parts().enumerate().filter(|(p, _)| lefts == 1 || *p == l);
                for (p, (_, b, c, stride)) in own {
                    let size = (height, b.columns, units);
                    let b = (packed[p.min(rights - 1)], shape.columns * units);
                    // SAFETY: the block's rows lie inside the result; the packed operands hold
                    // `depth` columns for whole register tiles.
                    unsafe { tiles(&shape, size, &left, b, (c.add(top * stride), stride), zero) };
                }
            }
        }
    }
}

/// Every register tile of a block; `b` is a packed operand with its distance between panels.
///
/// # Safety
/// `c` must be valid for `m` rows of `n` numbers at its stride; the operands are packed.
unsafe fn tiles(
    shape: &Shape,
    (m, n, depth): (usize, usize, usize),
    a: &Left,
    (b, panel): (&[f32], usize),
    (c, stride): (*mut f32, usize),
    zero: bool,
) {
    let kernels = if a.by_rows {
        shape.by_rows
    } else {
        shape.by_columns
    };
    let mut panels = (0..n).step_by(shape.columns).enumerate();
    if let (1, true, Some(kernel)) = (m, a.by_rows, shape.abreast) {
        let whole = PANELS_ABREAST * shape.columns;
        for (i, left) in (0..n / whole).map(|i| (i * PANELS_ABREAST, i * whole)) {
            let pb = &b[i * panel..][..(PANELS_ABREAST - 1) * panel + shape.columns * depth];
            let (pa, _) = a.tile(0, 1, depth);
            // SAFETY: the panels' columns lie inside the result.
            unsafe { kernel(depth, pa, (pb.as_ptr(), panel), c.add(left), zero) };
            panels.nth(PANELS_ABREAST - 1);
        }
    }
    for (i, left) in panels {
        let pb = b[i * panel..][..shape.columns * depth].as_ptr();
        let columns = shape.columns.min(n - left);
        for top in (0..m).step_by(shape.rows()) {
            let rows = shape.rows().min(m - top);
            let (pa, kernel) = (a.tile(top, rows, depth), kernels[rows - 1]);
            // SAFETY: the tile lies inside the result, or goes through `edge`.
            unsafe {
                let c = c.add(top * stride + left);
                if columns == shape.columns {
                    kernel(depth, pa, pb, c, stride, zero);
                    continue;
                }
                let mut edge = [0.0f32; EDGE];
                let row = |r: usize| std::slice::from_raw_parts_mut(c.add(r * stride), columns);
                for r in 0..rows {
                    edge[r * shape.columns..][..columns].copy_from_slice(row(r));
                }
                kernel(depth, pa, pb, edge.as_mut_ptr(), shape.columns, zero);
                for r in 0..rows {
                    row(r).copy_from_slice(&edge[r * shape.columns..][..columns]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::lanes::round_to_bf16;
    use crate::cpu::team::SCRATCH;
    use crate::random::{RandomPurpose, Stream};

    /// A product into a slice with rows `stride` numbers apart.
    fn product_into(
        arithmetic: Arithmetic,
        a: View,
        b: View,
        (c, stride): (&mut [f32], usize),
        start: ChainStart,
        scratch: &mut [f32],
    ) {
        let needed = if a.rows == 0 {
            0
        } else {
            (a.rows - 1) * stride + b.columns
        };
        assert!(
            c.len() >= needed && b.columns <= stride,
            "result shorter than its shape"
        );
        // SAFETY: the bounds were just checked.
        let one = [Some((a, b, c.as_mut_ptr(), stride)), None, None];
        unsafe { raw_products(arithmetic, Shared::Left, &one, start, scratch) }
    }

    /// Every layout, ragged shapes and depths beyond one block give exactly the chain of fused
    /// multiply-adds, on every path of this processor.
    #[test]
    fn every_path_gives_the_bits_of_the_chain() {
        let mut s = Stream::new(1, RandomPurpose::Check, 0);
        let mut scratch = vec![f32::NAN; SCRATCH];
        for (m, n, k) in [
            (1, 1, 1),
            (1, 300, 70),
            (13, 33, 7),
            (6, 16, 300),
            (200, 65, 31),
            (25, 70, 513),
            (13, 40, 1027),
        ] {
            let mut draw =
                |len: usize| -> Vec<f32> { (0..len).map(|_| s.normal() as f32).collect() };
            let (a, b, c) = (draw(m * k), draw(k * n), draw(m * n));
            let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns)
                    .map(|i| x[(i % rows) * columns + i / rows])
                    .collect()
            };
            let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
            let layouts = [
                (View::new(&a, m, k, k), View::new(&b, k, n, n)),
                (View::new(&a, m, k, k), View::new(&bt, n, k, k).transposed()),
                (View::new(&at, k, m, m).transposed(), View::new(&b, k, n, n)),
                (
                    View::new(&at, k, m, m).transposed(),
                    View::new(&bt, n, k, k).transposed(),
                ),
            ];
            for (start, precision) in [
                (ChainStart::Zero, Precision::F32),
                (ChainStart::Held, Precision::F32),
                (ChainStart::Zero, Precision::Bf16),
                (ChainStart::Held, Precision::Bf16),
            ] {
                let mut expected = if start == ChainStart::Held {
                    c.clone()
                } else {
                    vec![0.0; m * n]
                };
                let round = |x: f32| match precision {
                    Precision::F32 => x,
                    Precision::Bf16 => f32::from_bits(round_to_bf16(x)),
                };
                for (i, y) in expected.iter_mut().enumerate() {
                    for p in 0..k {
                        *y = round(a[i / n * k + p]).mul_add(round(b[p * n + i % n]), *y);
                    }
                }
                for isa in Isa::available() {
                    for (a, b) in layouts {
                        let mut found = c.clone();
                        let arithmetic = Arithmetic { isa, precision };
                        product_into(arithmetic, a, b, (&mut found, n), start, &mut scratch);
                        assert_eq!(
                            found, expected,
                            "{isa:?} {m}×{n}×{k} {start:?} {precision:?}"
                        );
                    }
                }
            }
        }
    }
}
