//! Packing: a block of an operand is copied into the order in which the kernel reads it.

use super::{DEPTH, View};
use crate::lanes::lanes;
use crate::machine::Isa;

/// Rows of A for register tiles, whole ones perhaps as they lie.
pub struct Rows<'a> {
    /// Whether a tile is read row by row.
    pub by_rows: bool,
    /// The operand itself with its stride, for whole tiles that need no packing.
    direct: Option<(&'a [f32], usize)>,
    /// Rows from here on are packed.
    packed_from: usize,
    packed: &'a [f32],
    depth: usize,
}

impl Rows<'_> {
    /// First number and row stride of the tile that begins with row `top`.
    pub fn tile(&self, top: usize, tile: usize) -> (*const f32, usize) {
        match self.direct {
            Some((data, stride)) if top + tile <= self.packed_from => {
                // The kernel reads `depth` numbers of each of the tile's rows.
                let end = (top + tile - 1) * stride + self.depth;
                (data[top * stride..end].as_ptr(), stride)
            }
            _ => {
                let width = if self.by_rows { DEPTH } else { self.depth };
                (
                    self.packed[(top - self.packed_from) * width..].as_ptr(),
                    DEPTH,
                )
            }
        }
    }
}

/// Prepares rows of A for register tiles of `tile` rows.
///
/// Where the numbers of a row follow each other, the kernel reads whole tiles as they lie and only
/// the ragged last one is copied, its missing rows 0; but rows a multiple of 4 KB apart would all
/// fall into one set of the first-level cache and are copied too. Otherwise tiles are packed, in
/// each the columns one after the other.
pub fn rows<'a>(isa: Isa, a: View<'a>, tile: usize, packed: &'a mut [f32]) -> Rows<'a> {
    let depth = a.columns;
    let by_rows = a.column_stride == 1;
    let alone = a.row_stride.is_multiple_of(1024);
    let packed_from = if by_rows && !alone {
        a.rows / tile * tile
    } else {
        0
    };
    if by_rows {
        for (i, r) in (packed_from..a.rows).enumerate() {
            packed[i * DEPTH..][..depth].copy_from_slice(&a.data[r * a.row_stride..][..depth]);
        }
        let missing = a.rows - packed_from..(a.rows - packed_from).next_multiple_of(tile);
        missing.for_each(|i| packed[i * DEPTH..][..depth].fill(0.0));
    } else {
        panels(isa, a.data, a.column_stride, (a.rows, depth), tile, packed);
    }
    Rows {
        by_rows,
        direct: (packed_from > 0).then_some((a.data, a.row_stride)),
        packed_from,
        packed,
        depth,
    }
}

/// Packs columns of B for register tiles of `tile` columns: panel after panel, in each the rows
/// one after the other. Columns missing from the last panel are 0.
pub fn columns(isa: Isa, b: View, tile: usize, packed: &mut [f32]) {
    let depth = b.rows;
    if b.column_stride == 1 {
        panels(isa, b.data, b.row_stride, (b.columns, depth), tile, packed);
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
        transpose(isa, source, b.column_stride, (count, depth), out, tile);
    }
}

lanes! {
    /// Panels of `tile` numbers that follow each other in each of `depth` rows.
    fn panels(data: &[f32], stride: usize, size: (usize, usize), tile: usize, packed: &mut [f32]) {
        match tile {
            4 => panels_of::<4>(data, stride, size, packed),
            6 => panels_of::<6>(data, stride, size, packed),
            12 => panels_of::<12>(data, stride, size, packed),
            16 => panels_of::<16>(data, stride, size, packed),
            _ => panels_of::<32>(data, stride, size, packed),
        }
    }
}

/// With the tile's size known, a whole row of it moves in one or two registers.
#[inline(always)]
fn panels_of<const TILE: usize>(
    data: &[f32],
    stride: usize,
    (width, depth): (usize, usize),
    packed: &mut [f32],
) {
    // Row by row of the source: it is read once, in order, and every panel is written in order.
    let tiles = packed.as_chunks_mut::<TILE>().0;
    for k in 0..depth {
        let row = &data[k * stride..][..width];
        let (whole, rest) = row.as_chunks::<TILE>();
        for (t, part) in whole.iter().enumerate() {
            tiles[t * depth + k] = *part;
        }
        if !rest.is_empty() {
            let last = &mut tiles[whole.len() * depth + k];
            let (filled, missing) = last.split_at_mut(rest.len());
            filled.copy_from_slice(rest);
            missing.fill(0.0);
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
    if isa != Isa::Portable && count >= 8 && depth >= 8 {
        (wide, deep) = (count / 8 * 8, depth / 8 * 8);
        assert!(
            from.len() >= (count - 1) * stride + depth && to.len() >= (depth - 1) * width + count
        );
        for j in (0..wide).step_by(8) {
            for k in (0..deep).step_by(8) {
                // SAFETY: AVX2 is there; the 8 × 8 blocks lie inside both slices, as asserted.
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
    // SAFETY: by the caller.
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
        // SAFETY: by the caller.
        unsafe { _mm256_storeu_ps(to.add(i * width), c) };
    }
}
