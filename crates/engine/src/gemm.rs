//! C = A·B or C += A·B: how is one tile of a matrix product computed fast, with the same bits
//! everywhere?
//!
//! Each element of C is one chain of fused multiply-adds over k in rising order, starting from
//! what C holds (or 0). Blocking over k keeps the chain, since f32 numbers pass through memory
//! unchanged; so tile sizes and vector width can't change a bit.
//!
//! With bf16 products both operands are rounded to bf16 while they are packed, two numbers of k side
//! by side; the chain is the same, over the rounded numbers, in f32. `vdpbf16ps` does two links of
//! it at once, the one in the upper half of a pair first, so there the lower k is put. Processors
//! without that instruction take the rounded numbers through the f32 kernels: the same bits (save
//! for numbers below 2⁻¹²⁶, which the instruction takes for 0).
//!
//! The structure is that of Goto and van de Geijn, "Anatomy of high-performance matrix
//! multiplication", 2008: a block of A and a panel of B are packed so that the innermost kernel,
//! which holds a small tile of C in registers, reads both in order.

mod kernel_portable;
#[cfg(target_arch = "x86_64")]
mod kernel_x86;
mod pack;
mod pairs;

use crate::arena::{Cut, Out, Patch};
use crate::machine::{Isa, has_bf16};
use crate::team::Team;
use pack::{Form, Left};

/// Depth of a block: how much of k is packed at once, in numbers or in pairs of them.
const DEPTH: usize = 256;

/// How products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Operands as they are.
    F32,
    /// Operands rounded to bf16, the 16 upper bits of an f32; sums in f32.
    Bf16,
}

/// Instruction set and precision of a product.
#[derive(Debug, Clone, Copy)]
pub struct Arithmetic {
    /// Instruction set of the kernel.
    pub isa: Isa,
    /// Precision of the operands.
    pub precision: Precision,
}

/// A matrix operand: a slice seen as `rows × columns`, one of its strides being 1.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// `rows × columns` numbers, row after row, `stride` numbers from one row to the next.
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

    /// The same numbers, rows and columns exchanged; nothing is moved.
    pub fn transposed(self) -> View<'a> {
        View {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// `count` rows from `first` on.
    pub fn rows(self, first: usize, count: usize) -> View<'a> {
        assert!(first + count <= self.rows, "rows outside the operand");
        View {
            data: self.data.get(first * self.row_stride..).unwrap_or_default(),
            rows: count,
            ..self
        }
    }

    /// One row, where its numbers follow each other.
    pub fn line(self, row: usize) -> &'a [f32] {
        assert!(self.column_stride == 1, "a row's numbers are apart");
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// `count` columns from `first` on.
    pub fn columns(self, first: usize, count: usize) -> View<'a> {
        self.transposed().rows(first, count).transposed()
    }
}

/// What a chain starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From 0: C is overwritten.
    Zero,
    /// From what C holds.
    Held,
}

/// The innermost kernel: a tile of C in registers.
///
/// Arguments: depth; A with its stride, from row to row where it is read by rows, else from one k to
/// the next; packed B; C with its row stride; whether to start from 0. `b` holds `depth` whole rows
/// of a panel, `a` the tile's rows, and `c` is valid for a whole tile.
type Kernel = unsafe fn(usize, (*const f32, usize), *const f32, *mut f32, usize, bool);

/// Rows of the largest register tile.
const ROWS_AT_MOST: usize = 12;

/// What differs from one kind of arithmetic to the next.
struct Shape {
    /// Columns of the register tile, and of a packed panel.
    columns: usize,
    /// How packed operands look.
    form: Form,
    /// Kernels for tiles of 1, 2, … rows that read A row by row.
    by_rows: &'static [Kernel],
    /// The same that read A column by column.
    by_columns: &'static [Kernel],
}

macro_rules! shape {
    ($kernel:path, $form:expr) => {{
        use $kernel as kernel;
        Shape {
            columns: kernel::COLUMNS,
            form: $form,
            by_rows: kernel::BY_ROWS,
            by_columns: kernel::BY_COLUMNS,
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
        match arithmetic.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if form == Form::Rounded && has_bf16() => {
                shape!(kernel_x86::avx512_bf16, Form::Pairs)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => shape!(kernel_x86::avx512, form),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => shape!(kernel_x86::avx2, form),
            _ => shape!(kernel_portable, form),
        }
    }
}

/// Largest register tile of any kernel, for the ragged edge.
const EDGE: usize = ROWS_AT_MOST * 32;

/// Cuts an `m × n` result into tiles for the team: two for each thread, so that none waits long
/// for the last, and of the shape that needs the least packing. Unlike other cuts this one may
/// depend on the number of threads, since every element stays one chain.
pub fn cut<'o>(out: &'o Out, m: usize, n: usize, team: &Team) -> Cut<'o> {
    let wanted = 2 * team.threads();
    let options = (n.div_ceil(STRIP)..=n.div_ceil(32)).map(|across| {
        let strip = n.div_ceil(across).next_multiple_of(32);
        let down = wanted.div_ceil(n.div_ceil(strip)).min(m.div_ceil(12));
        let band = m.div_ceil(down).next_multiple_of(12);
        // Each band packs its rows once for every strip, each strip its columns once for every
        // band; a result with too few tiles leaves threads idle.
        let tiles = m.div_ceil(band) * n.div_ceil(strip);
        let packing = m.div_ceil(band) * n + n.div_ceil(strip) * m;
        (wanted.saturating_sub(tiles), packing, band, strip)
    });
    let (_, _, band, strip) = options.min().unwrap_or((0, 0, m, n));
    out.grid(n, band, strip)
}

/// Most columns of a tile: packed, a block of B then takes half of a thread's scratch memory. It need
/// not fit the second-level cache, since a band of A meets each panel of it once.
const STRIP: usize = 1024;

/// One tile of C = A·B: `a` has the tile's rows, `b` its columns.
pub fn product(
    arithmetic: Arithmetic,
    a: View,
    b: View,
    c: &mut Patch,
    start: Start,
    scratch: &mut [f32],
) {
    let stride = c.stride;
    assert!(
        c.rows == a.rows && c.columns == b.columns,
        "tile and operands differ"
    );
    // SAFETY: the patch owns `rows × columns` numbers at this stride.
    unsafe { raw_product(arithmetic, a, b, c.pointer(), stride, start, scratch) }
}

/// # Safety
/// `c` must be valid for `a.rows` rows of `b.columns` numbers at `stride`.
unsafe fn raw_product(
    arithmetic: Arithmetic,
    a: View,
    b: View,
    c: *mut f32,
    stride: usize,
    start: Start,
    scratch: &mut [f32],
) {
    assert_eq!(a.columns, b.rows, "inner dimensions differ");
    let shape = Shape::of(arithmetic);
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if k == 0 && start == Start::Zero {
        for row in 0..m {
            // SAFETY: a row of the result.
            unsafe { std::slice::from_raw_parts_mut(c.add(row * stride), n) }.fill(0.0);
        }
    }
    // Whole cache lines for the kernel's loads.
    let skip = scratch.as_ptr().align_offset(64).min(scratch.len());
    let padded = n.next_multiple_of(shape.columns);
    let band = m.next_multiple_of(ROWS_AT_MOST).min(192);
    let block = DEPTH * shape.form.numbers();
    let (pack_a, rest) = scratch[skip..].split_at_mut(band * DEPTH);
    let (pack_b, spare) = rest.split_at_mut(padded * shape.form.units(block.min(k)));
    let pack = pack::Packer {
        isa: arithmetic.isa,
        form: shape.form,
    };
    for from in (0..k).step_by(block) {
        let depth = block.min(k - from);
        let zero = start == Start::Zero && from == 0;
        pack.columns(b.rows(from, depth), shape.columns, pack_b, spare);
        for top in (0..m).step_by(band) {
            let height = band.min(m - top);
            let block = a.rows(top, height).columns(from, depth);
            let left = pack.rows(block, shape.rows(), pack_a);
            // SAFETY: the block's rows lie inside the result; the packed operands hold `depth`
            // columns for whole register tiles.
            unsafe {
                let c = c.add(top * stride);
                let units = shape.form.units(depth);
                let b = (&*pack_b, shape.columns * units);
                tiles(&shape, (height, n, units), &left, b, (c, stride), zero);
            }
        }
    }
}

/// Every register tile of a block; `b` is a packed operand with the distance from one panel to the
/// next.
///
/// # Safety
/// As `raw_product`; the operands are packed.
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
    for (i, left) in (0..n).step_by(shape.columns).enumerate() {
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

/// An operand B packed once for many small products in f32: attention's keys and values.
pub struct Panels<'a> {
    isa: Isa,
    packed: &'a [f32],
    depth: usize,
    columns: usize,
}

impl<'a> Panels<'a> {
    /// Numbers that a packed operand of this size takes, on any processor.
    pub fn room(depth: usize, columns: usize) -> usize {
        depth * columns.next_multiple_of(32)
    }

    /// Packs `b` into the beginning of `to`.
    pub fn pack(isa: Isa, b: View, to: &'a mut [f32]) -> Panels<'a> {
        let shape = Shape::of(Arithmetic {
            isa,
            precision: Precision::F32,
        });
        let form = shape.form;
        let to = &mut to[..Panels::room(b.rows, b.columns)];
        let (panels, missing) = to.split_at_mut(b.rows * b.columns.next_multiple_of(shape.columns));
        pack::Packer { isa, form }.columns(b, shape.columns, panels, &mut []);
        missing.fill(0.0);
        Panels {
            isa,
            packed: to,
            depth: b.rows,
            columns: b.columns,
        }
    }

    /// C = A·B into `columns` columns of a slice whose rows follow each other at `stride`, over the
    /// rows of B from `first` on, as many as A has columns. Columns past those of B, up to the next
    /// multiple of 32, are 0.
    pub fn product_into(
        &self,
        a: View,
        first: usize,
        (c, stride, columns): (&mut [f32], usize, usize),
        start: Start,
    ) {
        assert!(
            a.rows == 0 || c.len() >= (a.rows - 1) * stride + columns && columns <= stride,
            "result shorter than its shape"
        );
        // SAFETY: the bounds were just checked.
        unsafe { self.raw_product(a, first, (c.as_mut_ptr(), stride, columns), start) }
    }

    /// The same into a tile as wide as B.
    pub fn product(&self, a: View, first: usize, c: &mut Patch, start: Start) {
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
        start: Start,
    ) {
        let shape = Shape::of(Arithmetic {
            isa: self.isa,
            precision: Precision::F32,
        });
        assert!(
            first + a.columns <= self.depth && columns <= self.columns.next_multiple_of(32),
            "operands don't fit"
        );
        let size = (a.rows, columns, a.columns);
        let panels = &self.packed[first * shape.columns..];
        let b = (panels, self.depth * shape.columns);
        // SAFETY: by the caller; every panel has the rows from `first` on.
        unsafe {
            tiles(
                &shape,
                size,
                &Left::direct(a),
                b,
                (c, stride),
                start == Start::Zero,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::round_to_bf16;
    use crate::random::{Purpose, Stream};
    use crate::team::SCRATCH;

    /// A product into a slice whose rows follow each other at `stride`.
    fn product_into(
        arithmetic: Arithmetic,
        a: View,
        b: View,
        (c, stride): (&mut [f32], usize),
        start: Start,
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
        unsafe { raw_product(arithmetic, a, b, c.as_mut_ptr(), stride, start, scratch) }
    }

    /// Every layout, ragged shapes and depths beyond one block give exactly the chain of fused
    /// multiply-adds, on every path of this processor.
    #[test]
    fn every_path_gives_the_bits_of_the_chain() {
        let mut s = Stream::new(1, Purpose::Check, 0);
        let mut scratch = vec![f32::NAN; SCRATCH];
        for (m, n, k) in [
            (1, 1, 1),
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
                (Start::Zero, Precision::F32),
                (Start::Held, Precision::F32),
                (Start::Zero, Precision::Bf16),
                (Start::Held, Precision::Bf16),
            ] {
                let mut expected = if start == Start::Held {
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
