//! Packing: a block of an operand is copied into the order in which the kernel reads it.

use super::{DEPTH, View};
use crate::machine::Isa;

/// Packs rows of A for register tiles of `tile` rows. By rows: row after row, `DEPTH` numbers
/// apart. By columns: tile after tile, in each the columns one after the other. Rows missing from
/// the last tile are 0.
pub fn rows(a: View, tile: usize, by_rows: bool, packed: &mut [f32]) {
    let depth = a.columns;
    if by_rows {
        for (r, row) in packed.chunks_mut(DEPTH).take(a.rows).enumerate() {
            row[..depth].copy_from_slice(&a.data[r * a.row_stride..][..depth]);
        }
        let missing = a.rows..a.rows.next_multiple_of(tile);
        missing.for_each(|r| packed[r * DEPTH..][..depth].fill(0.0));
        return;
    }
    for (t, out) in packed
        .chunks_mut(tile * depth)
        .take(a.rows.div_ceil(tile))
        .enumerate()
    {
        let count = tile.min(a.rows - t * tile);
        for (k, column) in out.chunks_mut(tile).enumerate() {
            let source = &a.data[k * a.column_stride + t * tile..][..count];
            column[..count].copy_from_slice(source);
            column[count..].fill(0.0);
        }
    }
}

/// Packs columns of B for register tiles of `tile` columns: panel after panel, in each the rows
/// one after the other. Columns missing from the last panel are 0.
pub fn columns(isa: Isa, b: View, tile: usize, packed: &mut [f32]) {
    let depth = b.rows;
    for (t, out) in packed
        .chunks_mut(tile * depth)
        .take(b.columns.div_ceil(tile))
        .enumerate()
    {
        let count = tile.min(b.columns - t * tile);
        if b.column_stride == 1 {
            for (k, row) in out.chunks_mut(tile).enumerate() {
                let source = &b.data[k * b.row_stride + t * tile..][..count];
                row[..count].copy_from_slice(source);
                row[count..].fill(0.0);
            }
            continue;
        }
        if count < tile {
            out.fill(0.0);
        }
        let source = &b.data[t * tile * b.column_stride..];
        transpose(isa, source, b.column_stride, (count, depth), out, tile);
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
