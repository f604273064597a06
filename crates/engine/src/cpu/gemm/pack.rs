//! Packing: copies a block of an operand into the order in which the kernel reads it.

use super::prefetch::prefetch;
use super::{DEPTH, View, pairs};
use crate::cpu::lanes::{each, lanes, round_to_bf16};
use crate::cpu::machine::Isa;

/// Format of packed operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Unrounded f32.
    Plain,
    /// Rounded to bf16, each still stored as f32.
    Rounded,
    /// Two bf16 numbers adjacent in k in the space of one f32, the first in the upper half.
    Pairs,
}

impl Form {
    /// Numbers per unit of 4 bytes.
    pub fn numbers(self) -> usize {
        match self {
            Form::Plain | Form::Rounded => 1,
            Form::Pairs => 2,
        }
    }

    /// Units for this many numbers.
    pub fn units(self, numbers: usize) -> usize {
        numbers.div_ceil(self.numbers())
    }
}

/// Rows of A for register tiles, in place or packed.
pub struct Left<'a> {
    /// Whether a tile is read row by row.
    pub by_rows: bool,
    data: &'a [f32],
    /// From one row to the next.
    step: usize,
    /// From one row to the next if a tile is read by rows, else from one k to the next.
    stride: usize,
}

impl<'a> Left<'a> {
    /// The operand in place.
    pub fn direct(a: View<'a>) -> Left<'a> {
        let by_rows = a.column_stride == 1;
        Left {
            by_rows,
            data: a.data,
            step: a.row_stride,
            stride: if by_rows {
                a.row_stride
            } else {
                a.column_stride
            },
        }
    }

    /// First number and stride of the tile of `rows` rows that starts at `top`.
    pub fn tile(&self, top: usize, rows: usize, depth: usize) -> (*const f32, usize) {
        let needed = match self.by_rows {
            true => (rows - 1) * self.stride + depth,
            false => depth.saturating_sub(1) * self.stride + rows,
        };
        (self.data[top * self.step..][..needed].as_ptr(), self.stride)
    }
}

/// Packs operands.
#[derive(Clone, Copy)]
pub struct Packer {
    /// Instruction set of the loops.
    pub isa: Isa,
    /// Format of packed operands.
    pub form: Form,
}

impl Packer {
    /// Prepares rows of A for register tiles of `tile` rows.
    ///
    /// The kernel reads numbers in place, row by row or column by column. Numbers to be rounded are
    /// copied, and so are lines a multiple of 4 KB apart, which would all map to one set of the L1
    /// cache. If read column by column, each tile is packed with its columns contiguous.
    pub fn rows<'a>(self, a: View<'a>, tile: usize, packed: &'a mut [f32]) -> Left<'a> {
        let by_rows = a.column_stride == 1;
        let apart = a.row_stride.max(a.column_stride);
        if self.form == Form::Plain && !apart.is_multiple_of(1024) {
            return Left::direct(a);
        }
        if !by_rows {
            let size = (a.rows, a.columns);
            self.panels(a.data, a.column_stride, size, tile, packed);
            return Left {
                by_rows,
                data: packed,
                step: self.form.units(a.columns),
                stride: tile,
            };
        }
        let depth = self.form.units(a.columns);
        let stride = depth.max(DEPTH);
        for (r, to) in packed.chunks_mut(stride).take(a.rows).enumerate() {
            let row = &a.data[r * a.row_stride..][..a.columns];
            self.line(row, &mut to[..depth]);
        }
        Left {
            by_rows,
            data: packed,
            step: stride,
            stride,
        }
    }

    /// Packs columns of B for register tiles of `tile` columns: panel after panel, each with its
    /// rows contiguous. The last panel is padded with 0. `spare` holds one panel.
    pub fn columns(self, b: View, tile: usize, packed: &mut [f32], spare: &mut [f32]) {
        let depth = self.form.units(b.rows);
        if b.column_stride == 1 {
            let size = (b.columns, b.rows);
            self.panels(b.data, b.row_stride, size, tile, packed);
            return;
        }
        let panels = packed
            .chunks_mut(tile * depth)
            .take(b.columns.div_ceil(tile));
        for (t, out) in panels.enumerate() {
            let count = tile.min(b.columns - t * tile);
            if count < tile {
                out.fill(0.0);
            }
            let source = &b.data[t * tile * b.column_stride..];
            if self.form == Form::Plain {
                transpose(self.isa, source, b.column_stride, (count, depth), out, tile);
                continue;
            }
            let stride = depth.max(DEPTH);
            for (column, line) in spare.chunks_mut(stride).take(count).enumerate() {
                let column = &source[column * b.column_stride..][..b.rows];
                self.line(column, &mut line[..depth]);
            }
            transpose(self.isa, spare, stride, (count, depth), out, tile);
        }
    }

    /// Panels of `tile` contiguous numbers in each of `size.1` rows.
    fn panels(
        self,
        data: &[f32],
        stride: usize,
        size: (usize, usize),
        tile: usize,
        to: &mut [f32],
    ) {
        let rounded = self.form == Form::Rounded;
        match self.form {
            Form::Pairs => pairs::panels(data, stride, size, tile, to),
            _ => panels(self.isa, data, stride, size, tile, rounded, to),
        }
    }

    /// Numbers contiguous in k.
    fn line(self, from: &[f32], to: &mut [f32]) {
        match self.form {
            Form::Plain => to.copy_from_slice(from),
            Form::Rounded => round(self.isa, from, to),
            Form::Pairs => pairs::line(from, to),
        }
    }
}

lanes! {
    /// Numbers rounded to bf16.
    fn round(from: &[f32], to: &mut [f32]) {
        for (from, to) in from.iter().zip(to) {
            *to = f32::from_bits(round_to_bf16(*from));
        }
    }
}

lanes! {
    /// Panels of `tile` contiguous numbers in each of `depth` rows.
    fn panels(data: &[f32], stride: usize, size: (usize, usize), tile: usize, rounded: bool, packed: &mut [f32]) {
        match tile {
            4 => panels_of::<4>(data, stride, size, packed),
            6 => panels_of::<6>(data, stride, size, packed),
            12 => panels_of::<12>(data, stride, size, packed),
            16 => panels_of::<16>(data, stride, size, packed),
            _ => panels_of::<32>(data, stride, size, packed),
        }
        if rounded {
            for x in &mut packed[..size.0.next_multiple_of(tile) * size.1] {
                *x = f32::from_bits(round_to_bf16(*x));
            }
        }
    }
}

/// Rows of the source that are packed together.
const ROWS_AT_ONCE: usize = 8;

/// With the tile size known at compile time, a row of it moves in one or two registers.
#[inline(always)]
fn panels_of<const TILE: usize>(
    data: &[f32],
    stride: usize,
    (width, depth): (usize, usize),
    packed: &mut [f32],
) {
    // A few rows of the source at a time, panel after panel: every panel is written in order, and
    // rows or panels a multiple of 4 KB apart don't compete for one set of the cache.
    let tiles = packed.as_chunks_mut::<TILE>().0;
    for from in (0..depth).step_by(ROWS_AT_ONCE) {
        for t in 0..width.div_ceil(TILE) {
            for k in from..depth.min(from + ROWS_AT_ONCE) {
                let row = &data[k * stride + t * TILE..k * stride + width];
                prefetch(row.as_ptr().wrapping_add(ROWS_AT_ONCE * stride), TILE);
                tiles[t * depth + k] = match row.first_chunk::<TILE>() {
                    Some(part) => *part,
                    None => each(|i| row.get(i).copied().unwrap_or(0.0)),
                };
            }
        }
    }
}

/// `to[k·width + j] = from[j·stride + k]` for j < count, k < depth.
fn transpose(
    isa: Isa,
    from: &[f32],
    stride: usize,
    (count, depth): (usize, usize),
    to: &mut [f32],
    width: usize,
) {
    let (mut wide, mut deep) = (0, 0);
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::PORTABLE && count >= 8 && depth >= 8 {
        (wide, deep) = (count / 8 * 8, depth / 8 * 8);
        assert!(
            from.len() >= (count - 1) * stride + depth && to.len() >= (depth - 1) * width + count
        );
        for j in (0..wide).step_by(8) {
            for k in (0..deep).step_by(8) {
                // SAFETY: AVX2 is available; the 8 × 8 blocks lie inside both slices, as asserted.
                unsafe {
                    let from = from.as_ptr().add(j * stride + k);
                    transpose_8x8(from, stride, to.as_mut_ptr().add(k * width + j), width);
                }
            }
        }
    }
    let _ = isa;
    for j in 0..count {
        let skip = if j < wide { deep } else { 0 };
        for k in skip..depth {
            to[k * width + j] = from[j * stride + k];
        }
    }
}

/// # Safety
/// AVX2; 8 rows of 8 numbers must be valid at both places.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn transpose_8x8(from: *const f32, stride: usize, to: *mut f32, width: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's obligation.
    let r: [__m256; 8] = std::array::from_fn(|i| unsafe { _mm256_loadu_ps(from.add(i * stride)) });
    let pair = |i: usize| {
        (
            _mm256_unpacklo_ps(r[i], r[i + 1]),
            _mm256_unpackhi_ps(r[i], r[i + 1]),
        )
    };
    let ((a0, a1), (a2, a3), (a4, a5), (a6, a7)) = (pair(0), pair(2), pair(4), pair(6));
    let quad = |lo: __m256, hi: __m256| {
        (
            _mm256_shuffle_ps::<0x44>(lo, hi),
            _mm256_shuffle_ps::<0xEE>(lo, hi),
        )
    };
    let ((b0, b1), (b2, b3)) = (quad(a0, a2), quad(a1, a3));
    let ((b4, b5), (b6, b7)) = (quad(a4, a6), quad(a5, a7));
    let low = |x, y| _mm256_permute2f128_ps::<0x20>(x, y);
    let high = |x, y| _mm256_permute2f128_ps::<0x31>(x, y);
    let c = [
        low(b0, b4),
        low(b1, b5),
        low(b2, b6),
        low(b3, b7),
        high(b0, b4),
        high(b1, b5),
        high(b2, b6),
        high(b3, b7),
    ];
    for (i, c) in c.into_iter().enumerate() {
        // SAFETY: the caller's obligation.
        unsafe { _mm256_storeu_ps(to.add(i * width), c) };
    }
}
